"""How a call ends: usage, cost, the ledger's record, the reservation, the live picture.

One function for every ending. The journal's record comes first; the reservation after it.
"""

import logging

from gateway_project.errors import (
    CallEnded,
    ClientGone,
    GatehouseError,
    LimitReached,
    UpstreamCut,
    UpstreamFailed,
    UpstreamTimeout,
)
from proxy_app.allowing import told_allowances
from proxy_app.call import Attempt, Call
from proxy_app.measuring import used
from proxy_app.planning import cooled_as
from proxy_app.service_tiers import price_as_served
from proxy_app.wire import Observed, Usage
from usage_app import pricing
from usage_app.records import AttemptEnded, End, Status, Tokens, UsageSource
from usage_app.usage import estimate_output_tokens

log = logging.getLogger("gatehouse.calls")

DETAIL_LIMIT = 500


def tokens_of(usage: Usage) -> Tokens:
    """The provider's figures as the ledger keeps them."""
    return Tokens(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        units=usage.units,
    )


def status_of(call: Call) -> Status:
    """The one word for how a call ended."""
    error = call.error
    if call.interrupted:
        return "interrupted"
    if error is None:
        return "cancelled" if call.client_gone_ms is not None else "ok"
    if isinstance(error, CallEnded) or (call.committed and isinstance(error, LimitReached)):
        return "cancelled"
    if isinstance(error, UpstreamCut) and call.committed:
        return "truncated"
    nothing_tried = call.attempt is None and not call.attempts
    if not call.begun or (isinstance(error, LimitReached) and nothing_tried):
        return "refused"
    return "error"


def measure(call: Call, attempt: Attempt, status: Status) -> tuple[Tokens, UsageSource, int | None]:
    """Tokens, where they come from, and the cost of the last attempt.

    A failed provider is owed what it reported and nothing else; a call that its client left is
    owed its input and what was produced until the provider could be stopped.
    """
    price_as_served(call, attempt)
    observed = attempt.observed
    if call.is_count:
        return Tokens(), "none", 0
    if call.is_unreadable:
        return Tokens(), "none", None
    if call.is_unread and status in ("ok", "cancelled"):
        return _measure_unread(call, attempt)
    if call.operation is not None:
        return _measure_operation(call, attempt, status)
    if observed.usage is not None and _complete(observed, status):
        tokens = tokens_of(observed.usage)
        return tokens, "provider", attempt_cost(attempt, tokens)
    if status in ("error", "refused"):
        if observed.usage is None:
            return Tokens(), "none", 0
        tokens = tokens_of(observed.usage)
        return tokens, "provider", attempt_cost(attempt, tokens)
    delivered = max(estimate_output_tokens(observed.output_chars), observed.output_events)
    if status == "truncated":
        reported = tokens_of(observed.usage) if observed.usage else None
        tokens = _estimated(call, observed, delivered)
        return tokens, "estimate", attempt_cost(attempt, reported) if reported else 0
    if status == "cancelled":
        delivered = max(delivered, _could_have_been_produced(call, attempt))
    tokens = _estimated(call, observed, delivered)
    return tokens, "estimate", attempt_cost(attempt, tokens)


def _measure_unread(call: Call, attempt: Attempt) -> tuple[Tokens, UsageSource, int | None]:
    """What a budget held for it, all of it: whoever cannot be read must not be free of the budget."""
    observed = attempt.observed
    if call.facts.likely is not None:
        tokens = tokens_of(call.facts.likely)
    else:
        delivered = max(estimate_output_tokens(observed.output_chars), observed.output_events)
        tokens = _estimated(call, observed, max(delivered, call.covered_tokens))
    cost = attempt_cost(attempt, tokens)
    return tokens, "estimate", cost if cost is not None else call.held_nanodollars or None


def _measure_operation(
    call: Call, attempt: Attempt, status: Status
) -> tuple[Tokens, UsageSource, int | None]:
    """The same of what is no conversation."""
    usage, source = used(call, attempt, status)
    if usage is None and status not in ("ok", "cancelled"):
        return Tokens(), "none", 0
    tokens = tokens_of(usage) if usage is not None else Tokens()
    amount = attempt_cost(attempt, tokens)
    return tokens, source, amount


def close_attempt(
    call: Call, error: GatehouseError | None, measured: tuple[Tokens, int | None] | None = None
) -> None:
    """File the attempt that is going on among the ended ones; by default it cost what it reported."""
    attempt = call.attempt
    if attempt is None:
        return
    call.attempt = None
    status: Status = "ok"
    if error is not None:
        cut = isinstance(error, UpstreamCut) and call.committed
        status = (
            "truncated" if cut else "cancelled" if isinstance(error, CallEnded | LimitReached) else "error"
        )
    deployment = attempt.step.deployment
    tokens, cost = measured or _reported(call, attempt)
    call.attempts.append(
        AttemptEnded(
            number=attempt.number,
            at_ms=attempt.begun_at_ms,
            deployment_id=deployment.id,
            deployment=deployment.name,
            provider_id=deployment.provider.id,
            provider=deployment.provider.name,
            upstream_model=attempt.step.upstream_model,
            status=status,
            http_status=attempt.http_status or getattr(error, "upstream_status", None),
            error_code=error.code if error else "",
            error_detail=error.detail[:DETAIL_LIMIT] if error else "",
            connect_ms=_since(attempt.connected_ms, attempt.begun_ms),
            headers_ms=_since(attempt.headers_ms, attempt.begun_ms),
            first_content_ms=_since(attempt.first_content_ms, attempt.begun_ms),
            duration_ms=round(call.offset_ms() - attempt.begun_ms, 3),
            tokens=tokens,
            cost_nanodollars=cost,
            upstream_id=attempt.observed.upstream_id or "",
        )
    )


async def settle(call: Call) -> None:
    """End a call, once, whatever ended it."""
    if call.settled:
        return
    call.settled = True
    if call.guard is not None:
        call.guard.close()  # nothing may cancel what follows: it is written once or never
    status = status_of(call)
    attempt = call.attempt
    tokens = Tokens()
    source: UsageSource = "none"
    cost: int | None = 0
    if attempt is not None:
        tokens, source, cost = measure(call, attempt, status)
        close_attempt(call, call.error, (tokens, cost))
    # A failed attempt that reported usage is owed too; an unpriced one makes the sum unknown.
    for earlier in call.attempts[:-1] if attempt is not None else call.attempts:
        cost = None if cost is None or earlier.cost_nanodollars is None else cost + earlier.cost_nanodollars
    call.cost_nanodollars = cost
    if attempt is not None and (left_out := _unpriced_tools(call, attempt, tokens)):
        call.decision["unpriced"] = left_out
        source = "estimate"  # a lower bound: no sum may call it exact
    latency_ms = call.mark("settled")
    record = _end(call, status, tokens, source, latency_ms)
    log.debug("call %s: %s in %.1f ms, %s", call.id, status, latency_ms, record.deployment)
    services = call.services
    try:
        services.write(record)
    finally:
        try:
            if call.grant is not None:
                spent = (tokens.input_tokens or 0) + (tokens.output_tokens or 0)
                await services.limits.settle(
                    call.id,
                    cost or 0,
                    spent,
                    record.finished_at_ms,
                    {(charge.budget_id, charge.period) for charge in call.charges},
                    tokens.output_tokens or 0,
                    call.later,
                )
        finally:
            _leave(call, record)


def _unpriced_tools(call: Call, attempt: Attempt, tokens: Tokens) -> dict[str, int]:
    """What the provider's own tools did in a conversation that nobody here has a price for."""
    if not tokens.units or call.operation is not None or attempt.price is None:
        return {}
    return pricing.unpriced_tools(attempt.price, tokens)


def _end(call: Call, status: Status, tokens: Tokens, source: UsageSource, latency_ms: float) -> End:
    last = call.attempts[-1] if call.attempts else None
    error = call.error
    observed_finish = call.finish_reason if error is None or call.committed else ""
    return End(
        id=call.id,
        at_ms=call.arrived_ms,
        finished_at_ms=call.arrived_ms + round(latency_ms),
        caller=call.caller,
        endpoint=call.endpoint,
        format=call.format,
        stream=call.facts.stream,
        model=call.facts.model[:200],
        served_model=(call.fell_back_to or call.facts.model)[:200] if last else "",
        deployment_id=last.deployment_id if last else "",
        deployment=last.deployment if last else "",
        provider_id=last.provider_id if last else "",
        provider=last.provider if last else "",
        upstream_model=last.upstream_model if last else "",
        status=status,
        http_status=_http_status(call),
        error_code=error.code if error else "client_gone" if status == "cancelled" else "",
        error_detail=error.detail[:DETAIL_LIMIT] if error else "",
        finish_reason=observed_finish,
        tokens=tokens,
        usage_source=source,
        cost_nanodollars=call.cost_nanodollars,
        price_id=call.price_id,
        ttft_ms=round(call.ttft_ms, 3) if call.ttft_ms is not None else None,
        latency_ms=latency_ms,
        overhead_ms=round(max(latency_ms - call.waited_ns / 1e6, 0.0), 3),
        attempts=call.attempts,
        marks=call.marks,
        decision={**call.decision, **told_allowances(call)},
        charges=call.charges,
    )


def _leave(call: Call, record: End) -> None:
    """Take the call out of the pictures of this worker."""
    services = call.services
    services.calls.pop(call.id, None)
    services.metrics.in_flight -= 1 if call.counted else 0
    services.metrics.observe(
        (record.served_model or record.model, record.provider, record.status),
        input_tokens=record.tokens.input_tokens or 0,
        output_tokens=record.tokens.output_tokens or 0,
        cost_nanodollars=record.cost_nanodollars or 0,
        latency_ms=record.latency_ms,
        overhead_ms=record.overhead_ms,
    )
    live = call.live
    if live is None:
        return
    live.status = record.status
    live.error_code = record.error_code
    live.cost_nanodollars = record.cost_nanodollars
    live.output_tokens = record.tokens.output_tokens or live.output_tokens
    live.ttft_ms = record.ttft_ms
    live.finished_at_ms = record.finished_at_ms
    services.registry.close(live)


def _complete(observed: Observed, status: Status) -> bool:
    """Whether the provider's usage covers the whole answer."""
    if status in ("ok", "cancelled"):
        usage = observed.usage
        return usage is not None and usage.output_tokens is not None and (observed.ended or status == "ok")
    return False


def _estimated(call: Call, observed: Observed, output_tokens: int) -> Tokens:
    """An estimate, with whatever the provider did report about the input."""
    reported = observed.usage
    if reported is not None and reported.input_tokens is not None:
        return Tokens(
            input_tokens=reported.input_tokens,
            cache_read_tokens=reported.cache_read_tokens,
            cache_write_tokens=reported.cache_write_tokens,
            cache_write_1h_tokens=reported.cache_write_1h_tokens,
            output_tokens=max(output_tokens, reported.output_tokens or 0),
        )
    return Tokens(input_tokens=call.input_estimate, output_tokens=output_tokens)


def _could_have_been_produced(call: Call, attempt: Attempt) -> int:
    """Output a provider may have produced and charges for, between its first token and the cut."""
    if attempt.headers_ms is None:
        return 0
    since_ms = attempt.first_content_ms if attempt.first_content_ms is not None else attempt.headers_ms
    elapsed_s = max(call.offset_ms() - since_ms, 0) / 1000
    cooled = cooled_as(attempt.step.deployment, attempt.step.upstream_model)
    produced = int(elapsed_s * call.services.health.tokens_per_s(cooled))
    named = call.facts.max_output_tokens
    return min(produced, named) if named else produced


def attempt_cost(attempt: Attempt, tokens: Tokens) -> int | None:
    """Nanodollars of an attempt's tokens at its price; None while either is unknown."""
    return pricing.cost(attempt.price, tokens) if attempt.price is not None else None


def _http_status(call: Call) -> int:
    if call.error is None:
        return 499 if call.client_gone_ms is not None else 200
    if call.committed and not isinstance(call.error, ClientGone):
        return 200  # the caller had its 200 before the failure
    return getattr(call.error, "status", None) or call.error.status_code


def _reported(call: Call, attempt: Attempt) -> tuple[Tokens, int | None]:
    """What the provider itself counted, and its cost: nothing, where it said nothing."""
    price_as_served(call, attempt)
    if attempt.observed.usage is None:
        return Tokens(), 0
    tokens = tokens_of(attempt.observed.usage)
    return tokens, attempt_cost(attempt, tokens)


def _since(at_ms: float | None, begun_ms: float) -> float | None:
    return None if at_ms is None else round(at_ms - begun_ms, 3)


def is_provider_failure(error: GatehouseError) -> bool:
    """Whether another deployment may do better."""
    if isinstance(error, UpstreamTimeout) and error.phase == "total":
        return False
    if not isinstance(error, UpstreamFailed):
        return False
    return getattr(error, "can_retry", error.retryable)
