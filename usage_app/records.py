"""The journal's records: what a worker tells the ledger about a call. Pure data.

`Begin` before anything is sent upstream, `AttemptBegun` before each try, `Progress` every 5 s of
a stream, `End` once (it repeats everything, so it stands alone), `Adjust` for a cost that came
later, `Stored` for what a provider keeps for the caller. Times are milliseconds since the Unix
epoch; money is nanodollars; None means unknown.
"""

from typing import Any, Literal

import msgspec

Status = Literal["ok", "error", "refused", "cancelled", "truncated", "interrupted"]
UsageSource = Literal["provider", "estimate", "none"]
#: 'batch' is OpenAI's, 'message_batch' Anthropic's.
StoredKind = Literal["response", "file", "batch", "message_batch"]
StoredState = Literal["pending", "kept", "gone"]
BATCHES: tuple[StoredKind, ...] = ("batch", "message_batch")
#: Why the cost of a batch is an adjustment of its call.
BATCH_CAUSE = "batch"
#: An end that came after its call was taken for interrupted.
LATE_END = "late end"


class Caller(msgspec.Struct, frozen=True):
    """Who called: ids for grouping, names as they were. '' where there is none."""

    key_id: str = ""
    key_name: str = ""
    key_hint: str = ""  # e.g. 'sk-gh-…9f2c'
    user_id: str = ""
    user_name: str = ""
    service_id: str = ""
    service_name: str = ""
    environment: str = ""
    end_user: str = ""
    session: str = ""
    client: str = ""
    tags: tuple[str, ...] = ()


class Tokens(msgspec.Struct, frozen=True):
    """Counts of one attempt or call; input includes cache reads and writes, output reasoning.

    `units` is what is counted besides (`usage_app.pricing.UNITS`), image tokens among it as parts of
    input and output.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    units: dict[str, int] = {}


class Begin(msgspec.Struct, tag="begin", tag_field="k"):
    id: str  # UUIDv7, 36 characters
    at_ms: int
    caller: Caller
    endpoint: str  # e.g. 'chat.completions'
    format: str  # the caller's format, e.g. 'openai_chat'
    stream: bool
    model: str  # public name as asked for
    input_estimate: int | None = 0  # tokens, for a call that never ends; None: nobody can tell
    charges: tuple["Charge", ...] = ()
    held_nanodollars: int = 0
    units: dict[str, int] = {}  # charged to a call that never ends, as far as its request tells


class Charge(msgspec.Struct, frozen=True):
    """One budget a call counts against, and the period of its admission."""

    budget_id: str
    period: str  # e.g. '2026-11' or '2026-11-23'


class AttemptBegun(msgspec.Struct, tag="attempt", tag_field="k", omit_defaults=True):
    """An upstream try. The first stands beside its begin; a later one says what the call holds by now."""

    id: str
    number: int  # 1 for the first
    at_ms: int
    deployment_id: str
    deployment: str
    provider_id: str
    provider: str
    upstream_model: str
    price_id: str = ""  # the Price row the call would be charged at, '' when unpriced
    charges: tuple[Charge, ...] | None = None  # None: as the begin says
    held_nanodollars: int = 0


class Progress(msgspec.Struct, tag="progress", tag_field="k", omit_defaults=True):
    id: str
    at_ms: int
    output_tokens: int  # estimate so far
    input_tokens: int | None = None
    held_nanodollars: int = 0  # what a stream holds by now, its slices counted


class AttemptEnded(msgspec.Struct):
    """One upstream try, complete. Offsets are milliseconds (fractions kept) since the call began."""

    number: int
    at_ms: int
    deployment_id: str
    deployment: str
    provider_id: str
    provider: str
    upstream_model: str
    status: Status
    http_status: int | None = None
    error_code: str = ""
    error_detail: str = ""
    connect_ms: float | None = None
    headers_ms: float | None = None  # response headers after the attempt's start
    first_content_ms: float | None = None
    duration_ms: float = 0.0
    tokens: Tokens = Tokens()
    cost_nanodollars: int | None = None
    upstream_id: str = ""


class Mark(msgspec.Struct, frozen=True):
    """A point on the call's timeline: offset in milliseconds since arrival."""

    name: str  # arrived, authenticated, admitted, routed, sent, headers, first_content, done …
    at_ms: float


class End(msgspec.Struct, tag="end", tag_field="k"):
    id: str
    at_ms: int  # when the call arrived
    finished_at_ms: int
    caller: Caller
    endpoint: str
    format: str
    stream: bool
    model: str  # public name as asked for
    served_model: str  # public name that answered (differs after a fallback), '' if none
    deployment_id: str
    deployment: str
    provider_id: str
    provider: str
    upstream_model: str
    status: Status
    http_status: int
    error_code: str = ""
    error_detail: str = ""
    finish_reason: str = ""
    tokens: Tokens = Tokens()
    usage_source: UsageSource = "none"
    cost_nanodollars: int | None = None
    price_id: str = ""  # the Price row used, '' when unpriced or nothing to price
    ttft_ms: float | None = None
    latency_ms: float = 0.0
    overhead_ms: float = 0.0  # time spent in the gateway itself
    attempts: list[AttemptEnded] = []
    marks: list[Mark] = []
    decision: dict[str, Any] = {}  # the plan: candidates and why each was chosen or left out
    charges: tuple[Charge, ...] = ()
    repeated: int = 1  # a flood of equal refusals is one record with a count


class Adjust(msgspec.Struct, tag="adjust", tag_field="k"):
    """A cost that came after its call ended; unique by (request id, cause)."""

    id: str
    at_ms: int
    cause: str
    cost_nanodollars: int
    charges: tuple[Charge, ...] = ()


class Stored(msgspec.Struct, frozen=True, tag="stored", tag_field="k"):
    """A response, file or batch that a provider keeps, under the provider's own id; each record stands alone.

    `pending`: its cost comes when it is done; `gone`: it was deleted. A state only ever rises.
    """

    id: str  # the call that made it
    at_ms: int
    kind: StoredKind
    object_id: str
    provider_id: str
    owner: str  # who may ask for it: 'service:<id>/<environment>'
    state: StoredState = "kept"
    deployment_id: str = ""
    model: str = ""  # public name, '' where it is nothing of one model
    upstream_model: str = ""
    charges: tuple[Charge, ...] = ()  # what its cost counts against
    held_nanodollars: int = 0  # there, until that is told


def later_cost(call_id: str, cause: str = BATCH_CAUSE) -> str:
    """Under which id a limit store holds money for, and counts, a cost that comes after its call."""
    return f"{call_id}/{cause}"


Record = Begin | AttemptBegun | Progress | End | Adjust | Stored
