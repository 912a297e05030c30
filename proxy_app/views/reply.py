"""The way back to the caller over ASGI: whole answers and pieces, through the front door's extensions."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

WHOLE_ANSWER = "gatehouse.whole_answer"  # the front door's extensions: see gateway_project.frontdoor
PIECE = "gatehouse.piece"
#: Bytes that no header's value may hold (RFC 9110, 5.5): a server refuses to send it, or ends its line.
_CONTROLS = bytes(set(range(32)) - {9} | {127})
_HARMLESS = bytes.maketrans(_CONTROLS, b"?" * len(_CONTROLS))


class ASGIReply:
    """The way back to the caller over ASGI."""

    __slots__ = ("_cors", "_extensions", "_piece", "_receive", "_send", "started")

    def __init__(self, receive: Receive, send: Send, extensions: Mapping[str, Any] | None = None) -> None:
        self._receive = receive
        self._send = send
        self._extensions = extensions or {}
        self._piece = self._extensions.get(PIECE, _never)
        self._cors: tuple[tuple[bytes, bytes], ...] = ()
        self.started = False

    def allow_origin(self, origin: bytes) -> None:
        """Let a browser page of this origin read the answer."""
        self._cors = (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"*"),
            (b"vary", b"origin"),
        )

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.started = True
        sent = {"content-type": "application/json", **headers, "content-length": str(len(body))}
        if self._at_once(status, sent, body):
            return
        start = {"type": "http.response.start", "status": status, "headers": self._raw(sent)}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    def _at_once(self, status: int, headers: Mapping[str, str], body: bytes) -> bool:
        """Through the front door's extension, where the server offers it and nothing is unusual."""
        write_whole = self._extensions.get(WHOLE_ANSWER)
        if write_whole is None or self._cors or "connection" in headers:
            return False
        lines = "\r\n".join(map(": ".join, headers.items())) + "\r\n"
        head = lines.encode("latin-1", "replace")
        if len(head) - len(head.translate(None, _CONTROLS)) != 2 * len(headers):
            return False  # a value holds a line end, or its like, of its own
        return bool(write_whole(self._extensions, status, head, body))

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.started = True
        start = {"type": "http.response.start", "status": status, "headers": self._raw(headers)}
        await self._send(start)

    def _raw(self, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        raw = [(name.encode("latin-1"), _safe(value)) for name, value in headers.items()]
        raw.extend(self._cors)
        return raw

    async def write(self, chunk: bytes) -> None:
        if chunk:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    def write_now(self, chunk: bytes) -> bool:
        """Write without waiting, where the server offers it and the client keeps up; else False."""
        return bool(self._piece(self._extensions, chunk))

    async def finish(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def gone(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return


def _never(_extensions: Mapping[str, Any], _chunk: bytes) -> bool:
    return False


def _safe(value: str) -> bytes:
    """A header value as bytes: what latin-1 cannot say, and what no header may hold, becomes '?'."""
    return value.encode("latin-1", "replace").translate(_HARMLESS)
