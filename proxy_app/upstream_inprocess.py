"""Providers without a connection of ours: the built-in sandbox, and any httpx transport.

httpx's `AsyncBaseTransport` is the seam at which tests inject a provider.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
from yarl import URL

from gateway_project.errors import (
    GatehouseError,
    UpstreamCut,
    UpstreamFailed,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from keys_app.tasks import Tasks
from proxy_app.providers import sandbox
from proxy_app.upstream import UpstreamAnswer, UpstreamRequest, body_of, headers_of, on_connected, pull


class IteratedAnswer:
    """An answer whose bytes come from an async iterator; reads can be aborted from outside."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        map_error: Callable[[Exception], UpstreamFailed],
        close: Callable[[], Awaitable[None]],
        closing: Tasks,
    ) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks
        self._map_error = map_error
        self._close = close
        self._closing = closing
        self._step: asyncio.Future[bytes] | None = None
        self._ended = False
        self._aborted: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def next_chunk(self) -> bytes:
        if self._aborted.done():
            self._aborted.result()
        step = self._step = asyncio.ensure_future(anext(self._chunks, b""))
        try:
            await asyncio.wait((step, self._aborted), return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                return self._aborted.result()
            chunk = step.result()
            self._ended = not chunk
            return chunk
        except GatehouseError:
            raise
        except Exception as error:  # noqa: BLE001 - third-party failures become ours here
            raise self._map_error(error) from None
        finally:
            if not step.done():
                step.cancel()

    async def pass_to(self, take: Callable[[bytes], bool]) -> bool:
        return await pull(self, take)

    async def read(self) -> bytes:
        parts = []
        while chunk := await self.next_chunk():
            parts.append(chunk)
        return b"".join(parts)

    def abort(self, error: GatehouseError) -> None:
        if not self._aborted.done():
            self._aborted.set_exception(error)
            self._aborted.exception()  # retrieved: nobody may be reading any more

    def release(self) -> None:
        if not self._ended:
            self._ended = True
            self._closing.start(self._end(), "in-process answer")

    async def _end(self) -> None:
        """Close what was not read to its end; a cancelled read must be over first."""
        if self._step is not None:
            await asyncio.wait((self._step,))
        await self._close()


class SandboxSender:
    """The built-in sandbox answers in this process, through the same doors as a provider.

    Files and batches it keeps below `data`, or has none.
    """

    def __init__(self, data: Path | None = None) -> None:
        self._closing = Tasks()
        self._shelf = sandbox.Shelf(data / "sandbox") if data is not None else None

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        if hook := on_connected.get():
            hook()
        path = URL(request.url).path
        try:
            reply = await sandbox.answer(
                request.method, path, request.headers, request.body, shelf=self._shelf
            )
        except sandbox.SandboxCut:
            raise UpstreamCut() from None
        return IteratedAnswer(
            reply.status,
            reply.headers,
            reply.chunks,
            map_error=lambda _error: UpstreamCut(),
            close=reply.chunks.aclose,
            closing=self._closing,
        )

    async def aclose(self) -> None:
        await self._closing.finish()


class HttpxSender:
    """Any httpx transport as the way out: the seam at which tests inject a provider."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._closing = Tasks()

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        outgoing = httpx.Request(
            request.method,
            request.url,
            headers=headers_of(request),
            content=body_of(request),
            extensions={"timeout": {"connect": request.connect_s}},
        )
        try:
            response = await self._transport.handle_async_request(outgoing)
        except httpx.HTTPError as error:
            raise _map_httpx(error) from None
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return IteratedAnswer(
            response.status_code,
            response.headers,
            aiter(response.stream),
            map_error=_map_httpx,
            close=response.aclose,
            closing=self._closing,
        )

    async def aclose(self) -> None:
        await self._closing.finish()
        await self._transport.aclose()


def _map_httpx(error: Exception) -> UpstreamFailed:
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return UpstreamTimeout("The provider could not be connected in time.", phase="connect")
    if isinstance(error, httpx.TimeoutException):
        return UpstreamTimeout(phase="idle")
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol):
        return UpstreamUnreachable()
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return UpstreamCut()
    return UpstreamInvalid()
