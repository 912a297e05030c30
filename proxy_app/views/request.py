"""A request on the data plane as ASGI gave it: its headers, and its body read within its limits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from gateway_project.clock import uuid7_text
from gateway_project.errors import BodyTooLarge, SlowBody
from keys_app.entries import Principal
from proxy_app.call import Services
from proxy_app.compressed import unpacker
from proxy_app.views.reply import ASGIReply, Receive, Send

Scope = dict[str, Any]

BODY_PAUSE_S = 30.0  # longest wait for the next piece of a body


#: What some clients send in several lines, one for each word, as Anthropic's Go SDK does with betas
#: (RFC 9110, 5.3).
_LISTS = frozenset({b"anthropic-beta", b"openai-beta", b"x-gatehouse-tags", b"x-litellm-tags"})


def gather(lines: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name: of one that comes again the last line counts, of a list all of them."""
    headers = dict(lines)
    if len(headers) < len(lines):
        for name in _LISTS & headers.keys():
            headers[name] = b",".join([value for each, value in lines if each == name])
    return headers


class ClientLeft(Exception):
    """The client closed the connection before its request was whole: nobody to answer."""


class Request:
    """One HTTP request on the data plane, as ASGI gave it."""

    __slots__ = (
        *("headers", "id", "is_granted", "principal", "receive", "reply", "scope", "services", "snapshot"),
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, services: Services) -> None:
        self.scope = scope
        self.receive = receive
        self.headers = gather(scope["headers"])
        self.reply = ASGIReply(receive, send, scope.get("extensions"))
        self.services = services
        self.id = uuid7_text()
        self.snapshot = services.keeper.current
        self.principal: Principal | None = None
        self.is_granted = False  # to somebody signed in, not to a program

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    async def read_body(self, limit: int) -> bytes:
        """The whole body, unpacked; BodyTooLarge before reading when it says so, SlowBody when it pauses."""
        self._check_told_size(limit)
        encoding = self.headers.get(b"content-encoding")
        if encoding is None:
            return await self._received(limit)
        unpack = unpacker(encoding.decode("latin-1"))
        return unpack(await self._received(limit), limit)

    def _check_told_size(self, limit: int) -> None:
        told = self.headers.get(b"content-length")
        if told is not None and told.isdigit() and int(told) > limit:
            raise BodyTooLarge(f"The request body may have {limit} bytes; this one has {int(told)}.")

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes, as it was sent; raises as `read_body` does."""
        self._check_told_size(limit)
        message = await self.receive()  # the front door bounds the wait for a body's first byte
        if message["type"] == "http.disconnect":
            raise ClientLeft
        size = 0
        while True:
            piece = bytes(message.get("body", b""))
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(f"The request body may have {limit} bytes.")
            yield piece
            if not message.get("more_body", False):
                return
            message = await self._receive_piece()

    async def _received(self, limit: int) -> bytes:
        message = await self.receive()  # the front door bounds the wait for a body's first byte
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body = message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
        parts = [body]
        size = len(body)
        while message.get("more_body", False):
            message = await self._receive_piece()
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > limit:
                raise BodyTooLarge(f"The request body may have {limit} bytes.")
        return b"".join(parts)

    async def _receive_piece(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(BODY_PAUSE_S):
                message = await self.receive()
        except TimeoutError:
            raise SlowBody from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return message
