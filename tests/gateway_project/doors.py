"""A front door on an ephemeral port with small limits, and raw sockets to knock with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from uvicorn.config import Config
from uvicorn.server import Server

from gateway_project.conf import Network
from gateway_project.frontdoor import Limits, front_door
from gateway_project.handshake import HandshakeProtocol

App = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]
]

GET = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body, then answers with its length."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = f"{size} bytes".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def a_door(
    app: App = hello, limits: Limits | None = None, trusted: tuple[Network, ...] = ()
) -> AsyncIterator[int]:
    """Serve `app` behind the front door; gives the port."""
    config = Config(
        app,
        host="127.0.0.1",
        port=0,
        http=front_door(limits or Limits(sweep_s=0.01), trusted),
        ws=HandshakeProtocol,
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        await server.on_tick(0)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
        await asyncio.sleep(0.01)  # what was accepted at the last moment becomes a connection, and ends


class Knock:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def at(cls, port: int, **options: Any) -> "Knock":
        return cls(*await asyncio.open_connection("127.0.0.1", port, **options))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """One response: status and body (by length or chunked)."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        headers = dict(
            line.lower().split(b": ", 1) for line in head.rstrip(b"\r\n").split(b"\r\n")[1:] if b": " in line
        )
        if headers.get(b"transfer-encoding") == b"chunked":
            return status, await self._chunks()
        return status, await self.reader.readexactly(int(headers.get(b"content-length", b"0")))

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body

    async def rest(self) -> bytes:
        """Everything until the peer closes."""
        return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass
