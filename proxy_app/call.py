"""One call on its way through the gateway, and the services it meets. Plain data."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from gateway_project.clock import now_ms
from gateway_project.conf import Config
from gateway_project.errors import GatehouseError
from keys_app.entries import Principal, Snapshot
from keys_app.limits.allowances import Allowance
from keys_app.limits.contract import Demand, Grant, LimitStore
from keys_app.snapshot import SnapshotKeeper
from keys_app.tasks import Tasks
from proxy_app.catalogue import ModelEntry
from proxy_app.formats.contract import StreamPipe
from proxy_app.guard import Guard
from proxy_app.health import Health
from proxy_app.identity import Claims
from proxy_app.metrics import Metrics
from proxy_app.metrics_sharing import MetricsSharing
from proxy_app.operations.contract import Asked, Operation
from proxy_app.planning import Plan, Step
from proxy_app.signatures import MemorySignatures, Signatures
from proxy_app.stored import StoredObjects
from proxy_app.upstream import Upstream
from proxy_app.wire import JSON, NOWHERE, Address, CallFacts, Observed
from usage_app.journal import JournalWriter
from usage_app.live import LiveCall, Registry
from usage_app.pricing import CompiledPrice
from usage_app.records import AttemptEnded, Begin, Caller, Charge, Mark, Record, Stored


@dataclass(slots=True)
class Services:
    """What a worker's calls share; opened and closed by the lifespan."""

    config: Config
    keeper: SnapshotKeeper
    limits: LimitStore
    journal: JournalWriter
    registry: Registry
    upstream: Upstream
    health: Health
    metrics: Metrics
    stored: StoredObjects
    master_hash: str = ""
    signatures: Signatures = field(default_factory=MemorySignatures)
    capturer: "Capturing | None" = None  # of what is said in calls
    shared_metrics: MetricsSharing | None = None  # where several workers count
    followed: Tasks = field(default_factory=Tasks)  # answers that are made in the background
    calls: dict[str, "Call"] = field(default_factory=dict)
    abandoned: dict[tuple[str, int], "Call"] = field(default_factory=dict)
    refusals: dict[tuple[str, ...], Any] = field(default_factory=dict)
    origins: tuple[Snapshot, frozenset[str]] | None = None  # allowed by some key, as of a snapshot
    entered: int = 0  # requests on the data plane now, their bodies perhaps still to be read
    draining: bool = False

    def write(self, record: Record) -> None:
        """Append to the journal; raises JournalFull."""
        self.journal.append(record)


class Capturing(Protocol):
    """Where what was said in a call goes when it has ended."""

    def file(self, call: "Call", passed: Any) -> None: ...


class Reply(Protocol):
    """The way back to the caller."""

    @property
    def started(self) -> bool: ...

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None: ...

    async def begin(self, status: int, headers: Mapping[str, str]) -> None: ...

    async def write(self, chunk: bytes) -> None: ...

    def write_now(self, chunk: bytes) -> bool:
        """Write without waiting; False: nothing was written, use `write`."""
        ...

    async def finish(self) -> None: ...

    async def gone(self) -> None:
        """Returns when the client has closed the connection."""
        ...


class Attempt(msgspec.Struct, eq=False):
    """The upstream try that is going on or was the last."""

    number: int
    step: Step
    begun_at_ms: int
    begun_ms: float  # offsets since the call's arrival
    price: CompiledPrice | None
    service_tier: str = ""  # that the price is for: asked for, until the provider tells
    answered_by: str = ""  # the same of a model of the provider's that is not the one asked
    observed: Observed = msgspec.field(default_factory=Observed)
    connected_ms: float | None = None
    headers_ms: float | None = None
    first_content_ms: float | None = None
    http_status: int | None = None
    keeps: bool = False  # its provider keeps the answer for the caller


class Call(msgspec.Struct, eq=False):
    """Everything known of one call. The pipeline fills it in from top to bottom."""

    id: str
    endpoint: str
    format: str  # of the answer
    principal: Principal
    snapshot: Snapshot
    services: Services
    reply: Reply
    raw: bytes = b""
    headers: Mapping[bytes, bytes] = msgspec.field(default_factory=dict)
    address: Address = NOWHERE
    arrived_ms: int = msgspec.field(default_factory=now_ms)
    started_ns: int = msgspec.field(default_factory=time.monotonic_ns)
    # read
    body_format: str = ""  # of the body, where it differs from what its address says
    body: JSON = msgspec.field(default_factory=dict)
    sent: JSON | None = None  # the body as it came, where it was put into other words
    facts: CallFacts = msgspec.field(default_factory=lambda: CallFacts(model=""))
    claims: Claims = Claims()
    caller: Caller = Caller()
    model: ModelEntry | None = None
    former: Stored | None = None  # the answer that a provider keeps and this call goes on from
    input_estimate: int = 0
    # admitted and routed
    grant: Grant | None = None
    admissions: list[tuple[Demand, Grant]] = msgspec.field(default_factory=list)  # each step of it
    refusals: list[Allowance] = msgspec.field(default_factory=list)  # by it, its fallbacks, deployments
    fell_back_to: str = ""
    charges: tuple[Charge, ...] = ()
    step_charges: tuple[Charge, ...] = ()  # of them, those of the deployment that is being tried
    limit_headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    plan: Plan | None = None
    decision: dict[str, Any] = msgspec.field(default_factory=dict)
    begin: Begin | None = None  # still to be written, with the first attempt
    begun: bool = False
    # on the way
    attempt: Attempt | None = None
    attempts: list[AttemptEnded] = msgspec.field(default_factory=list)
    marks: list[Mark] = msgspec.field(default_factory=list)
    live: LiveCall | None = None
    waited_ns: int = 0  # on the provider and on the client
    operation: Operation | None = None  # that is asked for in place of a conversation
    asked: Asked = msgspec.field(default_factory=Asked)  # of it
    is_count: bool = False  # asks for a number of tokens: free, whatever is answered
    is_unreadable: bool = False  # costs something, and its answer does not say what
    is_unread: bool = False  # its answer should say what it used, and could not be read
    committed: bool = False  # the caller has been sent something
    client_gone_ms: float | None = None
    # ended
    error: GatehouseError | None = None
    answered: bool = False  # a whole answer was produced
    kept: Stored | None = None  # the answer, where its provider keeps it
    interrupted: bool = False  # nobody here will see its end
    following: asyncio.Task[None] | None = None  # it is made in the background
    settled: bool = False
    cost_nanodollars: int | None = None
    price_id: str = ""
    later: str = ""  # under which name its hold outlives it: what it costs is told when it is known
    finish_reason: str = ""
    ttft_ms: float | None = None
    counted: bool = False  # among the calls in flight
    held_nanodollars: int = 0
    covered_tokens: int = 0  # of output, by what is held
    guard: Guard | None = None
    pipe: StreamPipe | None = None  # of the stream that the caller is being sent
    dropped: tuple[str, ...] = ()  # parameters that the last attempt left out
    lost_thoughts: bool = False  # the last attempt had to turn thinking off

    @property
    def is_binary(self) -> bool:
        """Whether the caller is being sent bytes in which no error can be told."""
        return self.operation is not None and not getattr(self.pipe, "is_text", True)

    @property
    def is_estimable(self) -> bool:
        """Whether the tokens of a call that never ends can be guessed from its request."""
        return self.operation is None or (
            self.facts.likely is not None and self.facts.likely.input_tokens is not None
        )

    @property
    def wants_cost(self) -> bool:
        """Whether the answer's usage object is to carry the cost."""
        return self.principal.key.reports_cost or self.headers.get(b"x-gatehouse-usage") == b"cost"

    def offset_ms(self) -> float:
        """Milliseconds since the call arrived."""
        return (time.monotonic_ns() - self.started_ns) / 1e6

    def mark(self, name: str) -> float:
        """Put a point on the timeline; its offset in milliseconds, whole microseconds."""
        at_ms = (time.monotonic_ns() - self.started_ns) // 1000 / 1000
        self.marks.append(Mark(name, at_ms))
        return at_ms


def caller_of(principal: Principal, claims: Claims) -> Caller:
    """Who called, as the ledger keeps it: ids to group by, names as they are now."""
    key, user, service = principal.key, principal.user, principal.service
    return Caller(
        key_id=key.id,
        key_name=key.name,
        key_hint=key.hint,
        user_id=user.id if user else key.user_id,
        user_name=user.name if user else "",
        service_id=key.service_id,
        service_name=service.name if service else "",
        environment=key.environment,
        end_user=claims.end_user,
        session=claims.session,
        client=claims.client,
        tags=claims.tags,
    )
