"""Step 7, one try: translate, send, relay. A stream is committed at its first content.

Before that a failure is invisible to the caller and the next deployment may be tried; after it the
caller gets an error event. A client that leaves is drained while that is cheap, then cancelled.
"""

import asyncio
import time

from gateway_project.errors import (
    ClientGone,
    GatehouseError,
    UpstreamCut,
)
from gateway_project.money import usd_string
from proxy_app.call import Attempt, Call
from proxy_app.catalogue import Timeouts
from proxy_app.costing import add_cost, add_cost_to_events
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions, StreamPipe
from proxy_app.guard import Guard
from proxy_app.planning import Step
from proxy_app.settling import attempt_cost, tokens_of
from proxy_app.upstream import UpstreamAnswer, on_connected
from proxy_app.wire import Outgoing, Target
from usage_app import pricing
from usage_app.records import AttemptBegun, Progress, Tokens

DRAIN_S = 60.0
DRAIN_NANODOLLARS = 50_000_000  # $0.05: what knowing a departed caller's true usage may cost
OUTPUT_WHEN_UNNAMED = 8192  # tokens that may still come when the caller named no limit
SAMPLE_NS = 250_000_000
PROGRESS_NS = 5_000_000_000


class Relay:
    """What one call's attempts share: the guard, and the answer on its way to the caller."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.guard = Guard(call.reply.gone, self._client_left)
        self.body = b""
        self.headers: dict[str, str] = {}
        self.tail = b""

    def close(self) -> None:
        self.guard.close()
        self.call.guard = None
        abandoned = self.call.services.abandoned
        if abandoned:
            abandoned.pop(_fingerprint(self.call), None)

    def looks_stale(self, error: GatehouseError) -> bool:
        """A pooled connection that had been closed: nothing was answered, at once."""
        last = self.call.attempts[-1] if self.call.attempts else None
        return (
            isinstance(error, UpstreamCut)
            and last is not None
            and last.headers_ms is None
            and last.duration_ms < 1000
        )

    async def finish(self) -> None:
        """Send what was held back until the call was settled: a whole answer, or a stream's end."""
        call = self.call
        if call.client_gone_ms is not None:
            return
        if call.facts.stream:
            if self.tail:
                await call.reply.write(self.tail)
            await call.reply.finish()
            return
        headers = {**self.headers, **_figures(call)}
        body = add_cost(self.body, call.cost_nanodollars) if call.wants_cost else self.body
        await call.reply.whole(200, headers, body)

    def _client_left(self) -> None:
        """The caller closed the connection: learn the true usage if that is cheap, else stop."""
        call, guard = self.call, self.guard
        if call.settled or call.client_gone_ms is not None:
            return
        call.client_gone_ms = call.mark("client_gone")
        attempt = call.attempt
        if attempt is None:
            guard.fire(ClientGone())
            return
        quirks = attempt.step.deployment.provider.quirks
        if quirks.get("cancel_stops_billing") or _still_to_come(call, attempt) > DRAIN_NANODOLLARS:
            guard.fire(ClientGone())
            return
        guard.give_up_at = time.monotonic() + DRAIN_S
        call.services.abandoned[_fingerprint(call)] = call


def cancel_abandoned_twin(call: Call) -> None:
    """A retry of the same request by the same key: nobody waits for the drained original."""
    retries = call.headers.get(b"x-stainless-retry-count", b"0")
    if retries in (b"", b"0") or not call.services.abandoned:
        return
    original = call.services.abandoned.pop(_fingerprint(call), None)
    if original is not None and original.guard is not None:
        original.guard.fire(ClientGone())


async def try_once(call: Call, relay: Relay, step: Step) -> None:
    """One attempt at one deployment; raises UpstreamFailed, or ClientGone and its kin."""
    deployment = step.deployment
    provider = deployment.provider
    target = Target(provider.format, step.upstream_model, provider.quirks)
    outgoing = exchange.build_outgoing(call.format, target, call.raw, call.body, call.facts)
    attempt = _open_attempt(call, step)
    outgoing.headers["x-gatehouse-request-id"] = call.id
    outgoing.headers["x-gatehouse-attempt"] = str(attempt.number)
    call.guard = guard = relay.guard
    timeouts = deployment.timeouts
    stream = call.facts.stream
    guard.error = None
    guard.answer = None
    guard.total_at = guard.total_at or guard.last_s + timeouts.total_s
    # A plain answer may be thought over in silence: only the total bounds it.
    guard.expect("first_content", timeouts.first_content_s if stream else 0.0)
    answer: UpstreamAnswer | None = None
    try:
        answer = await _headers(call, attempt, outgoing, timeouts)
        guard.answer = answer
        if guard.error is not None:
            raise guard.error
        if answer.status != 200:
            call.guard.expect("idle", timeouts.idle_s)
            raw = await answer.read()
            raise exchange.read_failure(target, answer.status, answer.headers, raw)
        if stream:
            await _relay_stream(call, relay, attempt, answer, target)
        else:
            await _take_whole(call, relay, attempt, answer, target)
    except asyncio.CancelledError as cancelled:
        raise guard.claim(cancelled) from None
    finally:
        guard.limit_s = 0.0
        guard.answer = None
        if answer is not None:
            answer.release()
    _note_success(call, attempt)


def _open_attempt(call: Call, step: Step) -> Attempt:
    number = len(call.attempts) + 1
    deployment = step.deployment
    book = call.snapshot.sections["prices"]
    now = call.arrived_ms
    price = book.find(deployment.id, deployment.provider.price_kind, step.upstream_model, now)
    begun_ms = call.mark("attempt")
    attempt = Attempt(
        number=number,
        step=step,
        begun_at_ms=call.arrived_ms + int(begun_ms),
        begun_ms=begun_ms,
        price=price,
    )
    call.price_id = price.id if price is not None else ""
    call.services.write(
        AttemptBegun(
            id=call.id,
            number=number,
            at_ms=attempt.begun_at_ms,
            deployment_id=deployment.id,
            deployment=deployment.name,
            provider_id=deployment.provider.id,
            provider=deployment.provider.name,
            upstream_model=step.upstream_model,
            price_id=call.price_id,
        )
    )
    call.attempt = attempt
    live = call.live
    if live is not None:
        live.attempts = number
        live.deployment = deployment.name
        live.provider = deployment.provider.name
        live.sandbox = deployment.provider.is_sandbox
        live.enter("connecting", begun_ms)
    return attempt


async def _headers(call: Call, attempt: Attempt, outgoing: Outgoing, timeouts: Timeouts) -> UpstreamAnswer:
    """Send and wait for the response's headers."""

    def connected() -> None:
        attempt.connected_ms = call.offset_ms()
        if call.live is not None:
            call.live.enter("waiting", attempt.connected_ms)

    on_connected.set(connected)
    waiting = time.monotonic_ns()
    try:
        answer = await call.services.upstream.open(
            attempt.step.deployment.provider, outgoing, timeouts, stream=call.facts.stream
        )
    finally:
        on_connected.set(None)
        call.waited_ns += time.monotonic_ns() - waiting
    attempt.headers_ms = call.mark("headers")
    attempt.http_status = answer.status
    return answer


async def _take_whole(
    call: Call, relay: Relay, attempt: Attempt, answer: UpstreamAnswer, target: Target
) -> None:
    """A plain answer: read, convert, hold back until settled."""
    relay.guard.expect("idle", attempt.step.deployment.timeouts.idle_s)
    waiting = time.monotonic_ns()
    raw = await answer.read()
    call.waited_ns += time.monotonic_ns() - waiting
    call.mark("read")
    relay.body, attempt.observed = exchange.convert_answer(
        call.format, target, raw, call.facts, _render_options(call)
    )
    attempt.first_content_ms = attempt.headers_ms
    call.ttft_ms = call.offset_ms()
    call.answered = True
    relay.headers = answer_headers(call, attempt)
    relay.headers["content-type"] = "application/json"


async def _relay_stream(
    call: Call, relay: Relay, attempt: Attempt, answer: UpstreamAnswer, target: Target
) -> None:
    """A stream: provider bytes in, caller bytes out, until the provider's own end."""
    pipe = exchange.open_pipe(call.format, target, call.facts, _render_options(call))
    attempt.observed = pipe.observed
    call.pipe = pipe
    held = b""
    sample = Sampler(call)
    monotonic_ns = time.monotonic_ns
    while True:
        waiting = monotonic_ns()
        chunk = await answer.next_chunk()
        came = monotonic_ns()
        call.waited_ns += came - waiting
        if not chunk:
            break
        relay.guard.last_s = came / 1e9
        out = pipe.feed(chunk)
        if call.wants_cost and out:
            out = _with_cost(call, attempt, out)
        if call.committed:
            if out:
                await _send(call, out)
        else:
            held += out
            if pipe.observed.content_started:
                await _commit(call, relay, attempt, held)
                held = b""
        if came >= sample.due_ns:
            sample.take(pipe, came)
    tail = pipe.finish()
    if not call.committed:
        await _commit(call, relay, attempt, held)
    relay.tail = _with_cost(call, attempt, tail) if call.wants_cost else tail
    call.answered = True


def _with_cost(call: Call, attempt: Attempt, out: bytes) -> bytes:
    usage = attempt.observed.usage
    if usage is None:
        return out
    earlier = sum(ended.cost_nanodollars or 0 for ended in call.attempts)
    cost = attempt_cost(attempt, tokens_of(usage))
    return add_cost_to_events(out, None if cost is None else cost + earlier)


async def _commit(call: Call, relay: Relay, attempt: Attempt, held: bytes) -> None:
    """First content: from here on the caller has this attempt's answer and no other."""
    call.committed = True
    attempt.first_content_ms = call.ttft_ms = call.mark("first_content")
    timeouts = attempt.step.deployment.timeouts
    relay.guard.expect("idle", timeouts.idle_s)
    if call.live is not None:
        call.live.ttft_ms = call.ttft_ms
        call.live.enter("streaming", call.ttft_ms)
    if call.client_gone_ms is None:
        headers = answer_headers(call, attempt)
        headers["content-type"] = exchange.stream_content_type(call.format)
        headers["cache-control"] = "no-cache"
        await call.reply.begin(200, headers)
        if held:
            await _send(call, held)


async def _send(call: Call, chunk: bytes) -> None:
    if call.client_gone_ms is None:
        sending = time.monotonic_ns()
        await call.reply.write(chunk)
        call.waited_ns += time.monotonic_ns() - sending


class Sampler:
    """Keeps the live picture and the journal's progress up to date while a stream runs."""

    __slots__ = ("_call", "_progress_ns", "due_ns")

    def __init__(self, call: Call) -> None:
        self._call = call
        now = time.monotonic_ns()
        self.due_ns = now + SAMPLE_NS // 5
        self._progress_ns = now + PROGRESS_NS

    def take(self, pipe: StreamPipe, now_ns: int) -> None:
        call = self._call
        observed = pipe.observed
        produced = max(observed.output_events, observed.output_chars // 4)
        self.due_ns = now_ns + SAMPLE_NS
        live = call.live
        if live is not None:
            live.output_tokens = produced
            if call.attempt is not None and call.attempt.price is not None:
                so_far = Tokens(input_tokens=call.input_estimate, output_tokens=produced)
                live.cost_nanodollars = pricing.cost(call.attempt.price, so_far)
        if now_ns >= self._progress_ns:
            self._progress_ns = now_ns + PROGRESS_NS
            usage = observed.usage
            call.services.write(
                Progress(
                    id=call.id,
                    at_ms=call.arrived_ms + int(call.offset_ms()),
                    output_tokens=produced,
                    input_tokens=usage.input_tokens if usage else None,
                )
            )


def answer_headers(call: Call, attempt: Attempt) -> dict[str, str]:
    """The headers every answer carries."""
    headers = {
        "x-request-id": call.id,
        "x-gatehouse-model": call.fell_back_to or call.facts.model,
        "x-gatehouse-deployment": attempt.step.deployment.name,
        "x-gatehouse-attempts": str(attempt.number),
        **call.limit_headers,
    }
    if call.facts.stream:
        headers["x-gatehouse-overhead-ms"] = _overhead(call)
    return headers


def _figures(call: Call) -> dict[str, str]:
    """What only a whole answer's headers can say."""
    figures = {"x-gatehouse-overhead-ms": _overhead(call)}
    if call.cost_nanodollars is not None:
        figures["x-gatehouse-cost"] = usd_string(call.cost_nanodollars)
    return figures


def _overhead(call: Call) -> str:
    return f"{max(call.offset_ms() - call.waited_ns / 1e6, 0.0):.2f}"


def _render_options(call: Call) -> RenderOptions:
    return RenderOptions(
        model=call.facts.model,
        answer_id=call.id,
        created=call.arrived_ms // 1000,
        include_usage=call.facts.wants_usage or not call.facts.stream,
    )


def _note_success(call: Call, attempt: Attempt) -> None:
    observed = attempt.observed
    if observed.finish is not None:
        call.finish_reason = observed.finish.value
    output = (observed.usage.output_tokens if observed.usage else None) or observed.output_events
    started_ms = attempt.first_content_ms if call.facts.stream else attempt.begun_ms
    generating_s = (call.offset_ms() - (started_ms or attempt.begun_ms)) / 1000
    call.services.health.succeeded(attempt.step.deployment.id, output, generating_s)


def _still_to_come(call: Call, attempt: Attempt) -> int:
    """Worst case of what the rest of the answer may cost, nanodollars."""
    if attempt.price is None:
        return 0
    named = call.facts.max_output_tokens or OUTPUT_WHEN_UNNAMED
    rest = max(named - attempt.observed.output_events, 0)
    return pricing.worst_case(attempt.price, 0, rest)


def _fingerprint(call: Call) -> tuple[str, int]:
    return call.principal.key.id, hash(call.raw)
