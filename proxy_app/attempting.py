"""Step 7, one try: translate, send, relay. A stream is committed at its first content.

Before that a failure is invisible to the caller and the next deployment may be tried; after it the
caller gets an error event. A client that leaves is drained while that is cheap, then cancelled.
"""

import asyncio
import time
from types import TracebackType

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamFailed
from proxy_app.abandoning import client_left, forget
from proxy_app.answering import answer_headers, figures, render_options
from proxy_app.call import Attempt, Call
from proxy_app.catalogue import Timeouts
from proxy_app.costing import add_cost
from proxy_app.formats import exchange
from proxy_app.formats.depth import refusing_depth
from proxy_app.guard import Guard
from proxy_app.hiding import hide_credential
from proxy_app.keeping import keep_answer
from proxy_app.operations import serving
from proxy_app.planning import Step, cooled_as
from proxy_app.preparing import content_type_of, open_pipe, prepare
from proxy_app.remembering import keep
from proxy_app.service_tiers import asked_tier, sent_tier
from proxy_app.streaming import relay_stream
from proxy_app.upstream import UpstreamAnswer, on_connected
from proxy_app.wire import Outgoing, Target
from usage_app.records import AttemptBegun


class Relay:
    """What one call's attempts share: the guard, and the answer on its way to the caller."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.guard = call.guard = Guard(call.reply.gone, lambda: client_left(call))
        self.body = b""
        self.headers: dict[str, str] = {}
        self.tail = b""
        self._finished = False

    def close(self) -> None:
        self.guard.close()
        self.call.guard = None
        forget(self.call)

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
        if call.client_gone_ms is not None or self._finished:
            return
        self._finished = True
        if call.facts.stream:
            if self.tail:
                await call.reply.write(self.tail)
            await call.reply.finish()
            return
        headers = {**self.headers, **figures(call)}
        is_json = headers.get("content-type", "application/json").startswith("application/json")
        body = add_cost(self.body, call.cost_nanodollars) if call.wants_cost and is_json else self.body
        await call.reply.whole(200, headers, body)


async def try_once(call: Call, relay: Relay, step: Step) -> None:
    """One attempt at one deployment; raises UpstreamFailed, or ClientGone and its kin."""
    guard = relay.guard
    guard.error = None
    guard.answer = None
    target, outgoing = await prepare(call, step)
    attempt = open_attempt(call, step, sent_tier(call, target, outgoing))
    attempt.keeps = call.facts.is_kept and target.format == call.body_format
    outgoing.headers["x-gatehouse-request-id"] = call.id
    outgoing.headers["x-gatehouse-attempt"] = str(attempt.number)
    timeouts = step.deployment.timeouts
    guard.total_at = guard.total_at or guard.last_s + timeouts.total_s
    # A plain answer may be thought over in silence: only the total bounds it.
    guard.expect("first_content", timeouts.first_content_s if call.facts.stream else 0.0)
    with Underway(call, attempt) as underway:
        answer = await underway.headers(outgoing, timeouts)
        if answer.status != 200:
            guard.expect("idle", timeouts.idle_s)
            raw = await answer.read()
            raise exchange.read_failure(target, answer.status, answer.headers, raw)
        with refusing_depth:
            pipe = open_pipe(call, answer, target)
            if pipe is not None:
                relay.tail = await relay_stream(call, guard, attempt, answer, pipe)
            else:
                await _take_whole(call, relay, attempt, answer, target)
    await _note_success(call, attempt)


def open_attempt(call: Call, step: Step, tier: str | None = None) -> Attempt:
    """The next attempt, in the journal before anything is sent, at the price of the tier that is sent (by
    default the one the caller asks for); raises JournalFull."""
    number = len(call.attempts) + 1
    deployment = step.deployment
    book = call.snapshot.sections["prices"]
    now = call.arrived_ms
    tier = asked_tier(call.body) if tier is None else tier
    price = book.find(deployment.priced_as, deployment.provider.price_kind, step.upstream_model, now, tier)
    begun_ms = call.mark("attempt")
    attempt = Attempt(
        number=number,
        step=step,
        begun_at_ms=call.arrived_ms + int(begun_ms),
        begun_ms=begun_ms,
        price=price,
        service_tier=tier,
    )
    call.price_id = price.id if price is not None else ""
    _write_begun(call, attempt)
    call.attempt = attempt
    live = call.live
    if live is not None:
        live.attempts = number
        live.held_nanodollars = call.held_nanodollars
        live.deployment = deployment.name
        live.provider = deployment.provider.name
        live.sandbox = deployment.provider.is_sandbox
        live.enter("connecting", begun_ms)
    return attempt


def _write_begun(call: Call, attempt: Attempt) -> None:
    deployment = attempt.step.deployment
    record = AttemptBegun(
        id=call.id,
        number=attempt.number,
        at_ms=attempt.begun_at_ms,
        deployment_id=deployment.id,
        deployment=deployment.name,
        provider_id=deployment.provider.id,
        provider=deployment.provider.name,
        upstream_model=attempt.step.upstream_model,
        price_id=call.price_id,
    )
    if call.begin is not None:
        call.services.journal.begin(call.begin, record)
        call.begin = None
    else:
        # Another deployment may have brought budgets of its own, or a higher hold.
        record.charges, record.held_nanodollars = call.charges, call.held_nanodollars
        call.services.write(record)


class Underway:
    """An attempt while it is upstream, under its call's guard.

    Whatever ends it, its answer is let go. A failure does not repeat the provider's credential; a
    cancellation by the guard becomes the error behind it.
    """

    __slots__ = ("_answer", "_attempt", "_call", "_guard")

    def __init__(self, call: Call, attempt: Attempt) -> None:
        assert call.guard is not None
        self._call = call
        self._attempt = attempt
        self._guard = call.guard
        self._answer: UpstreamAnswer | None = None

    def __enter__(self) -> "Underway":
        return self

    async def headers(self, outgoing: Outgoing, timeouts: Timeouts) -> UpstreamAnswer:
        """Send and wait for the response's headers."""
        call, attempt, guard = self._call, self._attempt, self._guard

        def connected() -> None:
            attempt.connected_ms = call.offset_ms()
            if call.live is not None:
                call.live.enter("waiting", attempt.connected_ms)

        on_connected.set(connected)
        waiting = time.monotonic_ns()
        try:
            answer = await call.services.upstream.open(attempt.step.deployment.provider, outgoing, timeouts)
        finally:
            on_connected.set(None)
            call.waited_ns += time.monotonic_ns() - waiting
        self._answer = guard.answer = answer
        attempt.headers_ms = call.mark("headers")
        attempt.http_status = answer.status
        if guard.error is not None:
            raise guard.error
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        guard = self._guard
        guard.limit_s = 0.0
        guard.answer = None
        if self._answer is not None:
            self._answer.release()
        if isinstance(error, UpstreamFailed):
            hide_credential(error, self._attempt.step.deployment.provider)
        elif isinstance(error, asyncio.CancelledError):
            raise guard.claim(error) from None


async def _take_whole(
    call: Call, relay: Relay, attempt: Attempt, answer: UpstreamAnswer, target: Target
) -> None:
    """A plain answer: read, convert, hold back until settled."""
    relay.guard.expect("idle", attempt.step.deployment.timeouts.idle_s)
    waiting = time.monotonic_ns()
    raw = await answer.read()
    call.waited_ns += time.monotonic_ns() - waiting
    call.mark("read")
    content_type = "application/json"
    if call.is_count:
        relay.body = raw
    elif call.operation is not None:
        converted = serving.convert(
            call.operation, target, raw, content_type_of(answer), call.asked, render_options(call)
        )
        relay.body, attempt.observed = converted.body, converted.observed
        content_type = serving.told_content_type(converted.content_type)
    else:
        relay.body, attempt.observed = exchange.convert_answer(
            call.format, target, raw, call.facts, render_options(call)
        )
    attempt.first_content_ms = attempt.headers_ms
    call.ttft_ms = call.offset_ms()
    call.answered = True
    relay.headers = answer_headers(call, attempt)
    relay.headers["content-type"] = content_type


async def _note_success(call: Call, attempt: Attempt) -> None:
    """What later calls may need of it: its answer, signatures, how fast the deployment is."""
    keep_answer(call, attempt)
    observed = attempt.observed
    if observed.signed:
        await keep(call, attempt)
    if observed.finish is not None:
        call.finish_reason = observed.finish_word or observed.finish.value
    cooled = cooled_as(attempt.step.deployment, attempt.step.upstream_model)
    if call.operation is not None:  # tells nothing about the speed of words
        call.services.health.succeeded(cooled, 0, 0.0)
        return
    output = (observed.usage.output_tokens if observed.usage else None) or observed.output_events
    started_ms = attempt.first_content_ms if call.facts.stream else attempt.begun_ms
    generating_s = (call.offset_ms() - (started_ms or attempt.begun_ms)) / 1000
    call.services.health.succeeded(cooled, output, generating_s)
