"""Upstreams on a loop and a thread of their own, for tests whose server is another process.

`MockThread` is the scripted mock. `OwnUpstream` answers by a function of the test's, which may wait
for the test between two pieces of a stream.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Self

from aiohttp import web

from tests.upstream.recording import Seen
from tests.upstream.server import MockUpstream

PATIENCE_S = 20.0


async def end_connections() -> None:
    """What was accepted at the last moment becomes a connection first, and none is left behind: a socket that
    nobody closed is a warning amid some later test."""
    await asyncio.sleep(0.01)
    for transport in list(getattr(asyncio.get_running_loop(), "_transports", {}).values()):
        if transport.get_extra_info("peername"):
            transport.abort()
    await asyncio.sleep(0.01)


class LoopThread:
    """An event loop in a thread. `call` runs a coroutine there and gives its result."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="upstream", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.call(self.open(self._stack))
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._stack.aclose())
        self.call(end_connections())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    async def open(self, stack: AsyncExitStack) -> None:
        raise NotImplementedError


class MockThread(LoopThread):
    """The scripted mock; `seen` and `urls` may be read from any thread."""

    async def open(self, stack: AsyncExitStack) -> None:
        self.mock = await stack.enter_async_context(MockUpstream())

    @property
    def urls(self) -> dict[str, str]:
        return self.mock.urls

    @property
    def credentials(self) -> dict[str, str]:
        return self.mock.credentials

    def seen_for(self, request_id: str) -> list[Seen]:
        """What arrived for one of our requests, in order."""
        return [seen for seen in self.mock.seen if seen.request_id == request_id]


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OwnUpstream(LoopThread):
    """Every path is answered by the test's function, on this upstream's own loop."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def open(self, stack: AsyncExitStack) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answering)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
