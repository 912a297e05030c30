"""End records to rows: what a Request, its Attempts and its sums are. No database is touched here."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from usage_app.dialects import Dialect
from usage_app.models import Attempt, Request
from usage_app.pricing import CompiledPrice, cost
from usage_app.records import (
    AttemptBegun,
    AttemptEnded,
    Begin,
    Charge,
    End,
    Progress,
    Tokens,
)
from usage_app.rollups import FAILURES, Countable, is_unpriced

REQUEST_COLUMNS = tuple(str(field.column) for field in Request._meta.concrete_fields)
ATTEMPT_COLUMNS = tuple(str(field.column) for field in Attempt._meta.concrete_fields)
MOST = 2**62  # what a column takes; sums of many such figures are another matter
_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SettledCall:
    """What the limit store must know of a call whose row is committed."""

    id: str
    status: str
    cost_nanodollars: int | None
    input_tokens: int | None
    output_tokens: int | None
    charges: tuple[Charge, ...] = ()
    later: str = ""  # what goes on being held for a cost that is still to come


@dataclass(slots=True)
class OpenCall:
    """A call that began and has not ended, as its journal tells so far."""

    begin: Begin
    position: tuple[int, int]  # segment and offset of the begin record
    attempts: list[AttemptBegun] = field(default_factory=list)
    progress: Progress | None = None

    def note(self, record: AttemptBegun | Progress) -> None:
        if isinstance(record, Progress):
            self.progress = record
        else:
            self.attempts.append(record)


def interrupted_end(call: OpenCall, price_of: Callable[[str], CompiledPrice | None]) -> End:
    """The end that a vanished worker never wrote.

    Charged: the input and the output last known, at the last attempt's price; nothing if no attempt
    had begun. Never the hold: that would invent spend.
    """
    begin, last = call.begin, (call.attempts[-1] if call.attempts else None)
    progress = call.progress
    seen_ms = max(begin.at_ms, last.at_ms if last else 0, progress.at_ms if progress else 0)
    tokens, amount = Tokens(), 0 if last is None else None
    if last is not None:
        told = progress.input_tokens if progress else None
        tokens = Tokens(
            input_tokens=begin.input_estimate if told is None else told,
            output_tokens=progress.output_tokens if progress else 0,
            units=begin.units,
        )
        price = price_of(last.price_id) if last.price_id else None
        amount = cost(price, tokens) if price else None
    return End(
        id=begin.id,
        at_ms=begin.at_ms,
        finished_at_ms=seen_ms,
        caller=begin.caller,
        endpoint=begin.endpoint,
        format=begin.format,
        stream=begin.stream,
        model=begin.model,
        served_model="",
        deployment_id=last.deployment_id if last else "",
        deployment=last.deployment if last else "",
        provider_id=last.provider_id if last else "",
        provider=last.provider if last else "",
        upstream_model=last.upstream_model if last else "",
        status="interrupted",
        http_status=0,
        error_code="interrupted",
        error_detail="The process that served this call ended before the call did.",
        tokens=tokens,
        usage_source="estimate" if last else "none",
        cost_nanodollars=amount,
        price_id=last.price_id if last else "",
        latency_ms=float(seen_ms - begin.at_ms),
        attempts=[
            _interrupted_attempt(attempt, attempt is last, seen_ms, tokens, amount)
            for attempt in call.attempts
        ],
        charges=_charges(call),
    )


def _charges(call: OpenCall) -> tuple[Charge, ...]:
    """The budgets of the last attempt: a fallback may have brought others than the call began with."""
    told = [attempt.charges for attempt in call.attempts if attempt.charges is not None]
    return told[-1] if told else call.begin.charges


def _interrupted_attempt(
    attempt: AttemptBegun, is_last: bool, seen_ms: int, tokens: Tokens, amount: int | None
) -> AttemptEnded:
    return AttemptEnded(
        number=attempt.number,
        at_ms=attempt.at_ms,
        deployment_id=attempt.deployment_id,
        deployment=attempt.deployment,
        provider_id=attempt.provider_id,
        provider=attempt.provider,
        upstream_model=attempt.upstream_model,
        status="interrupted" if is_last else "error",
        duration_ms=float(max(seen_ms - attempt.at_ms, 0)) if is_last else 0.0,
        tokens=tokens if is_last else Tokens(),
        cost_nanodollars=amount if is_last else 0,
    )


def request_row(end: End, dialect: Dialect) -> tuple[Any, ...]:
    """Values for REQUEST_COLUMNS."""
    caller, tokens = end.caller, end.tokens
    return (
        dialect.uuid(uuid.UUID(end.id)),
        dialect.instant(end.at_ms),
        dialect.instant(end.finished_at_ms),
        text(end.endpoint, 40),
        text(end.format, 24),
        end.stream,
        text(end.model, 200),
        text(end.served_model, 200),
        text(end.deployment_id, 36),
        text(end.deployment, 300),
        text(end.provider_id, 36),
        text(end.provider, 64),
        text(end.upstream_model, 200),
        text(caller.key_id, 36),
        text(caller.key_name, 120),
        text(caller.key_hint, 40),
        text(caller.user_id, 36),
        text(caller.user_name, 150),
        text(caller.service_id, 36),
        text(caller.service_name, 120),
        text(caller.environment, 16),
        end.status,
        min(max(end.http_status, 0), 999),
        text(end.error_code, 64),
        text(end.error_detail, 1000),
        text(end.finish_reason, 24),
        count(tokens.input_tokens),
        count(tokens.cache_read_tokens),
        count(tokens.cache_write_tokens),
        count(tokens.cache_write_1h_tokens),
        count(tokens.output_tokens),
        count(tokens.reasoning_tokens),
        count(tokens.input_audio_tokens),
        count(tokens.output_audio_tokens),
        end.usage_source,
        count(end.cost_nanodollars),
        text(end.price_id, 36),
        end.ttft_ms,
        end.latency_ms,
        end.overhead_ms,
        text(caller.end_user, 200),
        text(caller.session, 200),
        text(caller.client, 120),
        as_json([text(tag, 200) for tag in caller.tags]),
        as_json(end.marks),
        as_json(end.decision),
        as_json(end.charges),
        min(max(end.repeated, 1), 2**31 - 1),
        as_json(units(tokens.units)),
    )


def attempt_row(end: End, attempt: AttemptEnded, dialect: Dialect) -> tuple[Any, ...]:
    """Values for ATTEMPT_COLUMNS."""
    request_id = uuid.UUID(end.id)
    tokens = attempt.tokens
    return (
        dialect.uuid(attempt_id(request_id, attempt.number)),
        dialect.uuid(request_id),
        min(max(attempt.number, 0), 32_767),
        dialect.instant(attempt.at_ms),
        text(attempt.deployment_id, 36),
        text(attempt.deployment, 300),
        text(attempt.provider_id, 36),
        text(attempt.provider, 64),
        text(attempt.upstream_model, 200),
        attempt.status,
        None if attempt.http_status is None else min(max(attempt.http_status, 0), 999),
        text(attempt.error_code, 64),
        text(attempt.error_detail, 1000),
        attempt.connect_ms,
        attempt.headers_ms,
        attempt.first_content_ms,
        attempt.duration_ms,
        count(tokens.input_tokens),
        count(tokens.cache_read_tokens),
        count(tokens.cache_write_tokens),
        count(tokens.output_tokens),
        count(tokens.reasoning_tokens),
        count(attempt.cost_nanodollars),
        text(attempt.upstream_id, 200),
        as_json(units(tokens.units)),
    )


def attempt_id(request_id: uuid.UUID, number: int) -> uuid.UUID:
    """Derived, so that an attempt read twice is one row; in its request's partition."""
    return uuid.UUID(int=request_id.int ^ (number & 0xFFFF))


def countable(end: End) -> Countable:
    """What the sums count of a call."""
    caller, tokens = end.caller, end.tokens
    amount = count(end.cost_nanodollars)
    repeated = max(end.repeated, 1)
    reached = end.status != "refused"
    unpriced = is_unpriced(end.status, end.cost_nanodollars, end.deployment_id, end.usage_source)
    return Countable(
        started_ms=end.at_ms,
        dimensions=(
            text(caller.key_id, 36),
            text(caller.user_id, 36),
            text(caller.service_id, 36),
            text(caller.environment, 16),
            text(end.model, 200),
            text(end.deployment_id, 36),
            text(end.provider_id, 36),
            end.status,
        ),
        figures=(
            repeated,
            repeated if unpriced else 0,
            count(tokens.input_tokens) or 0,
            count(tokens.cache_read_tokens) or 0,
            count(tokens.cache_write_tokens) or 0,
            count(tokens.output_tokens) or 0,
            count(tokens.reasoning_tokens) or 0,
            amount or 0,
            (amount or 0) if end.usage_source == "estimate" else 0,
        ),
        latency_ms=end.latency_ms if reached else None,
        ttft_ms=end.ttft_ms if reached else None,
        claims=claims_of(caller.tags, caller.end_user, caller.client),
        failed_at=failed_before(end.status, end.attempts),
    )


def failed_before(status: str, attempts: Sequence[AttemptEnded | Attempt]) -> tuple[tuple[str, str], ...]:
    """(deployment, provider) of each attempt that failed and is not its call's own failure.

    A call that failed is counted as an error of its last attempt's deployment already.
    """
    own = attempts[-1].number if attempts and status in FAILURES else None
    return tuple(
        (text(each.deployment_id, 36), text(each.provider_id, 36))
        for each in attempts
        if each.status in FAILURES and each.number != own
    )


def claims_of(tags: Sequence[str], end_user: str, client: str) -> tuple[tuple[str, str], ...]:
    """A call's claims as (kind, value), empty ones left out."""
    found = [("tag", text(tag, 200)) for tag in tags if tag]
    if end_user:
        found.append(("end_user", text(end_user, 200)))
    if client:
        found.append(("client", text(client, 120)))
    return tuple(found)


def text(value: str, most: int) -> str:
    """As a column takes it: PostgreSQL knows no NUL and refuses what is too long."""
    if "\0" in value:
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return value[:most]


def count(value: int | None) -> int | None:
    """Within what a column takes."""
    return None if value is None else max(-MOST, min(value, MOST))


def units(told: Mapping[str, int]) -> dict[str, int]:
    """Within what a row should hold: few, with short names."""
    return {text(unit, 80): count(number) or 0 for unit, number in list(told.items())[:20]}


def as_json(value: Any) -> str:
    """JSON text; PostgreSQL's jsonb takes no escaped NUL either."""
    return _json(value).decode().replace("\\u0000", "\\ufffd")
