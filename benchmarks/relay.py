"""The unit of every figure: a bare relay, raw ASGI and aiohttp, that checks, counts and knows nothing."""

import os
from typing import Any

import aiohttp

UPSTREAM = os.environ.get("RELAY_UPSTREAM", "")


class Relay:
    """Same worker class, same upstream, no gateway: what a call costs at the very least."""

    def __init__(self) -> None:
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "http":
            await self.call(scope, receive, send)

    async def lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self.session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.session.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def call(self, scope: Any, receive: Any, send: Any) -> None:
        assert self.session is not None
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {"content-type": "application/json", "authorization": "Bearer k"}
        async with self.session.post(UPSTREAM + scope["path"], data=body, headers=headers) as answer:
            kind = answer.headers["content-type"].encode()
            length = answer.headers.get("content-length")
            start = [(b"content-type", kind)] + ([(b"content-length", length.encode())] if length else [])
            await send({"type": "http.response.start", "status": answer.status, "headers": start})
            async for part in answer.content.iter_any():
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})


app = Relay()
