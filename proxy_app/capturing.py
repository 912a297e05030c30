"""Keeps what is said in calls of services that an admin lets keep it; everybody else's way is untouched.

A call is wrapped as it begins: what its caller is sent passes by here once more, up to a limit. When it
has ended, it is masked, encrypted and written by a thread; what comes faster than that is dropped.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keys_app.entries import ServiceEntry
from proxy_app.call import Call, Reply
from proxy_app.masking import masked, shown_headers
from proxy_app.metrics import Metrics
from usage_app.captured import BodyWriter, Said

log = logging.getLogger("gatehouse.bodies")

#: Bytes of a request, and of an answer, that are kept; the rest is cut off, and said so.
MOST_BYTES = 512 * 1024
#: Bytes of ended calls that wait to be written.
MOST_WAITING = 32 * 1024 * 1024
LOOK_S = 0.5
WISH = b"x-gatehouse-capture"  # a caller's: "off" keeps nothing of this call


class CapturingReply:
    """A reply that remembers what passed."""

    def __init__(self, reply: Reply, request: bytes) -> None:
        self._reply = reply
        self.request = request
        self._size = 0
        self.pieces: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.is_cut = False
        self.listeners: list[Callable[[bytes], None]] = []

    @property
    def started(self) -> bool:
        return self._reply.started

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.headers = dict(headers)
        self._note(body)
        await self._reply.whole(status, headers, body)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.headers = dict(headers)
        await self._reply.begin(status, headers)

    async def write(self, chunk: bytes) -> None:
        self._note(chunk)
        await self._reply.write(chunk)

    def write_now(self, chunk: bytes) -> bool:
        if not self._reply.write_now(chunk):
            return False
        self._note(chunk)
        return True

    async def finish(self) -> None:
        await self._reply.finish()

    async def gone(self) -> None:
        await self._reply.gone()

    def _note(self, piece: bytes) -> None:
        for listen in self.listeners:
            listen(piece)
        room = MOST_BYTES - self._size
        if len(piece) > room:
            self.is_cut = True
            piece = piece[: max(room, 0)]
        if piece:
            self.pieces.append(piece)
            self._size += len(piece)


@dataclass(frozen=True, slots=True)
class Capture:
    """One ended call, not yet masked."""

    call_id: str
    service: ServiceEntry
    at_ms: int
    request: bytes
    answer: bytes
    request_headers: dict[str, str]
    answer_headers: dict[str, str]
    is_cut: bool

    @property
    def size(self) -> int:
        return len(self.request) + len(self.answer)

    def said(self) -> Said:
        """Masked; bytes that are no text (sounds, images) by their size alone."""
        return Said(
            request=masked(_text(self.request)),
            answer=masked(_text(self.answer)),
            request_headers=shown_headers(self.request_headers),
            answer_headers=shown_headers(self.answer_headers),
            is_cut=self.is_cut,
        )


def wrapped(call: Call) -> CapturingReply | None:
    """Let what the caller is sent pass by here, where its service keeps it and the caller does not object."""
    service = call.principal.service
    if service is None or not service.keeps_bodies or call.services.capturer is None:
        return None
    if call.headers.get(WISH, b"").strip().lower() == b"off":
        return None
    reply = CapturingReply(call.reply, b"" if call.asked.form is not None else call.raw)
    call.reply = reply
    return reply


def keep_said(call: Call, passed: CapturingReply) -> None:
    """What passed of an ended call is to be kept."""
    if call.services.capturer is not None:
        call.services.capturer.file(call, passed)


@dataclass(slots=True)
class Capturer:
    """One worker's captures on their way to its files."""

    writer: BodyWriter
    metrics: Metrics
    _waiting: deque[Capture] = field(default_factory=deque)
    _waiting_bytes: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def file(self, call: Call, reply: CapturingReply) -> None:
        """Take an ended call; nothing that was refused before it began, for that is no call."""
        service = call.principal.service
        if service is None or not call.begun:
            return
        capture = Capture(
            call.id,
            service,
            call.arrived_ms,
            reply.request[:MOST_BYTES],
            b"".join(reply.pieces),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in call.headers.items()},
            {name.lower(): value for name, value in reply.headers.items()},
            reply.is_cut or len(reply.request) > MOST_BYTES,
        )
        if self._waiting_bytes + capture.size > MOST_WAITING:
            self.metrics.bodies_dropped += 1
            return
        self._waiting.append(capture)
        self._waiting_bytes += capture.size
        self._wake.set()

    async def run(self) -> None:
        """Write what waits until cancelled, then what is left."""
        try:
            while True:
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                if self._waiting or self.writer.is_due():
                    await asyncio.to_thread(self._write_waiting)
        finally:
            self._write_waiting(last=True)

    def _write_waiting(self, *, last: bool = False) -> None:
        """In a thread; at the end in the loop's own, while the other may still be at it."""
        with self._lock:
            self._write(last=last)

    def _write(self, *, last: bool) -> None:
        try:
            while self._waiting:
                capture = self._waiting.popleft()
                self._waiting_bytes -= capture.size
                service = capture.service
                if not self.writer.write(
                    capture.call_id, service.id, capture.at_ms, service.bodies_days, capture.said()
                ):
                    self.metrics.bodies_dropped += 1
            if last or self.writer.is_due():
                self.writer.hand_over()
        except OSError:
            self.metrics.bodies_dropped += 1
            log.exception("What was said in a call cannot be written down.")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(raw) - 4:  # cut in the middle of a letter
            return raw[: error.start].decode()
        return f"[{len(raw)} bytes]"
