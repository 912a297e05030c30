"""Ends a call's upstream from outside: timeouts, a client that left, a worker that drains.

One timer a call looks at plain numbers that the relay loop writes, so a chunk costs nothing here.
Whoever fires first decides the error; the pending read, or the wait for headers, raises it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway_project.errors import ClientGone, GatehouseError, UpstreamTimeout
from proxy_app.upstream import UpstreamAnswer

KEEP_ALIVE_S = 15.0  # longest silence towards a client that is being sent a stream
WATCH_AFTER_S = 0.02  # most calls on a fast provider end before a watcher for the client is worth it


class Guard:
    """Watches one call from its first attempt to its end."""

    __slots__ = (
        "_client",
        "_gone",
        "_loop",
        "_on_gone",
        "_on_quiet",
        "_task",
        "_timer",
        "answer",
        "error",
        "give_up_at",
        "last_s",
        "limit_s",
        "phase",
        "sent_s",
        "total_at",
    )

    def __init__(self, gone: Callable[[], Awaitable[None]], on_gone: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._gone = gone
        self._on_gone = on_gone
        self._client: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.answer: UpstreamAnswer | None = None
        self.error: GatehouseError | None = None
        self.phase = "first_content"
        self.limit_s = 0.0  # longest silence in this phase; 0: none
        self.last_s = time.monotonic()  # when something last came
        self.sent_s = 0.0  # when the client was last sent something
        self._on_quiet: Callable[[], object] | None = None
        self.total_at = 0.0  # end of the whole call
        self.give_up_at = 0.0  # end of draining for a client that left
        self._timer = self._loop.call_later(WATCH_AFTER_S, self._tick)

    def expect(self, phase: str, limit_s: float) -> None:
        """A new phase begins now, with its own longest silence."""
        self.phase = phase
        self.limit_s = limit_s
        self.last_s = time.monotonic()
        if self._timer is None and self._task is not None:  # it rests once it has ended an attempt
            self._look_again(self.last_s)

    def keep_alive(self, write: Callable[[], object]) -> None:
        """Call `write` whenever the client has been sent nothing for a while, from now on. It is called
        between two writes of whole events, never within one."""
        self._on_quiet = write
        self.sent_s = time.monotonic()

    def fire(self, error: GatehouseError) -> None:
        """End the upstream with this error, once."""
        if self.error is not None:
            return
        self.error = error
        if self.answer is not None:
            self.answer.abort(error)
        elif self._task is not None:
            self._task.cancel()

    def claim(self, cancelled: asyncio.CancelledError) -> GatehouseError:
        """The error behind a cancellation; re-raises one that came from somewhere else."""
        if self.error is None or self._task is None:
            raise cancelled
        self._task.uncancel()
        return self.error

    def close(self) -> None:
        """The call has ended. Task and callback are let go: they lead back here, in a cycle."""
        self._task = None
        self._on_gone = _nothing
        self._on_quiet = None
        self.answer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._client is not None:
            self._client.cancel()
            self._client = None

    def _tick(self) -> None:
        if self._client is None:
            self._client = self._loop.create_task(self._watch_client())
        now = time.monotonic()
        if self.give_up_at and now >= self.give_up_at:
            self.fire(ClientGone())
        elif self.total_at and now >= self.total_at:
            self.fire(
                UpstreamTimeout("The provider's answer took longer than allowed in all.", phase="total")
            )
        elif self.limit_s and now - self.last_s >= self.limit_s:
            self.fire(_silence(self.phase, self.limit_s))
        elif self._on_quiet is not None and now - self.sent_s >= KEEP_ALIVE_S:
            self._on_quiet()
            self.sent_s = now
        self._timer = None
        if self.error is None:
            self._look_again(now)

    def _look_again(self, now: float) -> None:
        self._timer = self._loop.call_later(max(self._next_look(now) - now, 0.001), self._tick)

    def _next_look(self, now: float) -> float:
        due = [at for at in (self.give_up_at, self.total_at) if at]
        if self.limit_s:
            due.append(self.last_s + self.limit_s)
        if self._on_quiet is not None:
            due.append(self.sent_s + KEEP_ALIVE_S)
        # A phase may change to a shorter limit before the timer fires: never sleep past a second.
        return min([*due, now + 1.0])

    async def _watch_client(self) -> None:
        await self._gone()
        self._on_gone()
        if self.give_up_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(0, self._tick)


def _nothing() -> None:
    """Stands for a callback that has been let go."""


def _silence(phase: str, limit_s: float) -> UpstreamTimeout:
    if phase == "idle":
        return UpstreamTimeout(f"The provider fell silent for {limit_s:g} s.", phase="idle")
    return UpstreamTimeout(f"The provider sent no content within {limit_s:g} s.", phase="first_content")
