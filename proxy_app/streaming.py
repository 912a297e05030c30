"""A stream on its way: provider bytes in, caller bytes out, until the provider's own end.

Most pieces pass within `Passage.take`, called as they come; what has to wait for somebody (the first content,
a client that is slow, a budget that wants more) is done between, in the call's own turn.
"""

from time import monotonic_ns

from gateway_project.errors import UpstreamFailed
from proxy_app.answering import answer_headers, with_cost
from proxy_app.brake import Brake
from proxy_app.call import Attempt, Call
from proxy_app.formats import exchange
from proxy_app.formats.contract import StreamPipe
from proxy_app.guard import Guard
from proxy_app.keeping import keep_answer
from proxy_app.operations import serving
from proxy_app.preparing import content_type_of
from proxy_app.sampling import Sampler
from proxy_app.upstream import UpstreamAnswer

LINGER_S = 1.0  # how long a provider may keep a connection open after the end of its answer


async def relay_stream(
    call: Call, guard: Guard, attempt: Attempt, answer: UpstreamAnswer, pipe: StreamPipe
) -> bytes:
    """Pass a stream on; what its end came with is given back, to be sent once the call is settled: a client
    may leave as soon as it has it. Raises UpstreamFailed, BudgetExceeded."""
    attempt.observed = pipe.observed
    call.pipe = pipe
    passage = Passage(call, guard, attempt, pipe, content_type_of(answer))
    try:
        while await answer.pass_to(passage.take):
            await passage.catch_up()
    except UpstreamFailed:
        if not pipe.observed.ended:
            raise
    return await passage.end()


class Passage:
    """The state of one stream between its pieces."""

    __slots__ = (
        "_attempt",
        "_brake",
        "_call",
        "_content_type",
        "_guard",
        "_held",
        "_is_braked",
        "_lingers",
        "_observed",
        "_pipe",
        "_sample",
        "_since_ns",
        "_unsent",
        "_wants_cost",
        "_write_now",
    )

    def __init__(
        self, call: Call, guard: Guard, attempt: Attempt, pipe: StreamPipe, content_type: str
    ) -> None:
        self._call = call
        self._guard = guard
        self._attempt = attempt
        self._pipe = pipe
        self._observed = pipe.observed
        self._content_type = content_type  # the provider's
        self._write_now = call.reply.write_now
        self._wants_cost = call.wants_cost and not call.is_binary
        self._sample = Sampler(call)
        self._brake = Brake(call, attempt)
        self._is_braked = self._brake.is_needed and call.operation is None
        self._held = b""  # before the first content, and from the end on
        self._unsent = b""  # what the client could not be sent at once
        self._lingers = False
        self._since_ns = monotonic_ns()

    def take(self, chunk: bytes) -> bool:
        """Pass a piece on; False when something has to wait: `catch_up`."""
        call, observed = self._call, self._observed
        came_ns = monotonic_ns()
        call.waited_ns += came_ns - self._since_ns
        self._guard.last_s = came_ns / 1e9
        out = self._pipe.feed(chunk)
        if self._wants_cost and out:
            out = with_cost(call, self._attempt, out)
        passes = True
        if observed.ended:
            self._held += out
            if not self._lingers:
                self._lingers = True
                self._guard.expect("idle", LINGER_S)
        elif call.committed:
            if out:
                self._guard.sent_s = came_ns / 1e9
                if call.client_gone_ms is None and not self._write_now(out):
                    self._unsent = out
                    passes = False
        else:
            self._held += out
            passes = not observed.content_started
        if came_ns >= self._sample.due_ns:
            self._sample.take(self._pipe, came_ns)
        if self._is_braked and self._brake.is_due(observed):
            passes = False
        self._since_ns = monotonic_ns()
        return passes

    async def catch_up(self) -> None:
        """What `take` had to leave."""
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            await self._send(unsent)
        elif not self._call.committed and self._observed.content_started and not self._observed.ended:
            held, self._held = self._held, b""
            await self._commit(held)
        if self._is_braked and self._brake.is_due(self._observed):
            await self._brake.look(self._observed)
        self._since_ns = monotonic_ns()

    async def end(self) -> bytes:
        """The provider is done: what is still to be sent."""
        tail = self._pipe.finish()
        if not self._call.committed:
            await self._commit(b"")
        self._call.answered = True
        return self._held + (with_cost(self._call, self._attempt, tail) if self._wants_cost else tail)

    async def _commit(self, held: bytes) -> None:
        """First content: from here on the caller has this attempt's answer and no other."""
        call, attempt = self._call, self._attempt
        call.committed = True
        keep_answer(call, attempt)
        attempt.first_content_ms = call.ttft_ms = call.mark("first_content")
        self._guard.expect("idle", attempt.step.deployment.timeouts.idle_s)
        if call.live is not None:
            call.live.ttft_ms = call.ttft_ms
            call.live.enter("streaming", call.ttft_ms)
        if call.client_gone_ms is None:
            headers = answer_headers(call, attempt)
            headers["content-type"] = (
                serving.told_content_type(self._content_type)
                if call.operation is not None
                else exchange.stream_content_type(call.format, call.facts)
            )
            await call.reply.begin(200, headers)
            if held:
                await self._send(held)
            if call.is_binary:
                return
            quiet = exchange.keep_alive(call.format)
            self._guard.keep_alive(lambda: call.client_gone_ms is None and call.reply.write_now(quiet))

    async def _send(self, chunk: bytes) -> None:
        if self._call.client_gone_ms is None:
            sending_ns = monotonic_ns()
            await self._call.reply.write(chunk)
            self._call.waited_ns += monotonic_ns() - sending_ns
