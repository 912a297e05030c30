"""The first thing a connection meets: limits that uvicorn does not have.

Heads are bounded in size and time, bodies in how long they pause, readers in how long they stall,
addresses in how many connections they hold. One sweep a second looks at every connection of a
worker, so a request costs two float assignments here and no timer.
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gateway_project.conf import Network
from gateway_project.doorkeeper import Doorkeeper
from gateway_project.forwarded import is_within
from gateway_project.refusal import (
    BODY_TOO_SLOW,
    HEAD_TOO_LARGE,
    HEAD_TOO_SLOW,
    NOT_HTTP,
    TOO_MANY_CONNECTIONS,
    refusal,
)
from gateway_project.upgrades import without_offer


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, durations in seconds."""

    head_bytes: int = 65_536
    head_s: float = 10.0
    body_pause_s: float = 30.0
    write_stall_s: float = 60.0
    unread_body_s: float = 5.0  # how long a client may go on sending after it was answered
    connections_per_address: int = 1024
    sweep_s: float = 1.0


#: Key of the ASGI extension that writes a whole answer at once.
WHOLE_ANSWER = "gatehouse.whole_answer"
PIECE = "gatehouse.piece"
_IDLE, _HEAD, _BODY = 0, 1, 2


class FrontDoorProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the front door's limits."""

    limits: ClassVar[Limits] = Limits()
    trusted: ClassVar[tuple[Network, ...]] = ()
    _doorkeepers: ClassVar[WeakKeyDictionary[ServerState, Doorkeeper]] = WeakKeyDictionary()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.server_state not in self._doorkeepers:
            self._doorkeepers[self.server_state] = Doorkeeper(self.limits.sweep_s)
        self._doorkeeper = self._doorkeepers[self.server_state]
        self._phase = _HEAD
        self._deadline = 0.0
        self._chunk_bytes = 0
        self._head_bytes = 0  # of the chunks that carry the present head, whole
        self._head_slack = 0  # how much of that may belong to the message before
        self._stalled_at = 0.0
        self._answered_at = 0.0
        self._refused = False
        self._again = b""  # a head that is read once more, without the offer of another protocol

    # A connection's life

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.limits.head_s
        # Without it a small chunk waits for the acknowledgement of the one before: 40 ms.
        with suppress(OSError, AttributeError):  # a Unix socket has no such option
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = self._doorkeeper.enter(self, self.loop)
        if held > self.limits.connections_per_address and not self._is_trusted():
            self._refuse(*TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._doorkeeper.leave(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        # From here on another protocol owns the transport and this one hears no connection_lost.
        self._doorkeeper.leave(self)
        super().handle_websocket_upgrade()

    def _is_trusted(self) -> bool:
        return self.client is not None and is_within(self.client[0], self.trusted)

    # Reading

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._chunk_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self._again:
                self._read_again(memoryview(data)[offer.args[0] :])
            else:
                self._change_protocol()
        except httptools.HttpParserError:
            self._refuse(*NOT_HTTP)
        else:
            if self._phase == _HEAD:
                self._count_head(len(data))

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes - self._head_slack > self.limits.head_bytes:
            self._refuse(*HEAD_TOO_LARGE)

    def _change_protocol(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        else:
            self._unsupported_upgrade_warning()

    def _read_again(self, rest: memoryview) -> None:
        """The head without its offer, then the `rest` of what came: any number of requests that offer too."""
        try:
            while self._again and not self._refused:
                head, self._again = self._again, b""
                self.parser = httptools.HttpRequestParser(self)
                with suppress(AttributeError):  # as uvicorn makes it: not in httptools before 0.6.3
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
                try:
                    self.parser.feed_data(rest)
                except httptools.HttpParserUpgrade as offer:
                    rest = rest[offer.args[0] :]
                    if not self._again:
                        self._change_protocol()
                        return
        except httptools.HttpParserUpgrade:  # a CONNECT is one without any offer
            self._change_protocol()
        except httptools.HttpParserError:
            self._refuse(*NOT_HTTP)
        else:
            if self._phase == _HEAD:
                self._count_head(len(rest))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._phase != _HEAD:  # the first head's time runs from the connection's start
            self._phase = _HEAD
            self._deadline = self.loop.time() + self.limits.head_s
            self._head_bytes = 0
            self._head_slack = self._chunk_bytes
            self._answered_at = 0.0

    def on_headers_complete(self) -> None:
        # Only a chunk that could have carried too large a head is measured exactly.
        if self._refused:
            return
        if self._head_bytes + self._chunk_bytes > self.limits.head_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.limits.head_bytes:
                self._refuse(*HEAD_TOO_LARGE)
                return
        if self.parser.should_upgrade() and self._get_upgrade() and not self._should_upgrade():
            parser = self.parser
            version = parser.get_http_version()
            self._again = without_offer(parser.get_method(), self.url, version, self.headers)
            return
        self._phase = _BODY
        self._deadline = self.loop.time() + self.limits.body_pause_s
        super().on_headers_complete()
        if self.cycle is not None:
            # The protocol's own method: one of the cycle's would tie cycle and scope into a circle.
            ways: Any = {WHOLE_ANSWER: self.write_whole, PIECE: self.write_piece}
            self.scope["extensions"] = ways

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._deadline = self.loop.time() + self.limits.body_pause_s
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._again:
            return
        self._phase = _IDLE
        if not self._refused:
            super().on_message_complete()

    # Writing

    def pause_writing(self) -> None:
        self._stalled_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stalled_at = 0.0
        super().resume_writing()

    def write_whole(self, extensions: Mapping[str, Any], status: int, head: bytes, body: bytes) -> bool:
        """An ASGI extension: status line, headers and body in one write; False: use `send`.

        `head` holds finished header lines, content-length among them. Two writes would be two system
        calls and wake the client twice, and the stock way checks each header with two expressions.
        """
        cycle = self.cycle
        if cycle is None or cycle.scope.get("extensions") is not extensions:
            return False  # a pipelined request came meanwhile: this answer is not the newest one's
        if cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
            return False
        parts = [STATUS_LINE[status]]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (head, b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        if cycle.scope["method"] != "HEAD":
            parts.append(body)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join(parts))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True

    def write_piece(self, extensions: Mapping[str, Any], body: bytes) -> bool:
        """An ASGI extension: one more piece of an answer that has begun, without an await; False: use `send`.

        Only while the client keeps up: whoever has to wait for it does so in `send`.
        """
        cycle = self.cycle
        if cycle is None or cycle.scope.get("extensions") is not extensions or not cycle.chunked_encoding:
            return False
        if not cycle.response_started or cycle.response_complete or cycle.disconnected:
            return False
        if cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    # Ending what is late

    def check(self, now: float) -> None:
        """Called by the sweep: end this connection if it is over one of its times."""
        if self.transport.is_closing():
            # Closed, but the peer reads nothing of what is still to be sent: a close waits for ever.
            self._stalled_at = self._stalled_at or now
        if self._stalled_at and now - self._stalled_at > self.limits.write_stall_s:
            self.transport.abort()
            return
        if self._phase == _IDLE or self.transport.is_closing():
            return
        if self._phase == _BODY and self.cycle is not None and self.cycle.response_complete:
            # Answered before the body was read, a 413 for instance: no reason to listen for long.
            self._answered_at = self._answered_at or now
            if now - self._answered_at > self.limits.unread_body_s:
                self.transport.close()
                return
        if now > self._deadline and not self.flow.read_paused:
            self._end_late_request()

    def _end_late_request(self) -> None:
        answering = self.cycle is not None and self.cycle.response_started
        if self._phase == _HEAD:
            if self.cycle is not None and not self.cycle.response_complete:
                return  # the next request's head may take its time while this one is answered
            if self._head_bytes == 0:
                self.transport.close()
            else:
                self._refuse(*HEAD_TOO_SLOW)
        elif answering:
            self.transport.close()
        else:
            self._refuse(*BODY_TOO_SLOW)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer for the application, tell it that its client is gone, and close."""
        if self._refused:
            return
        self._refused = True
        current = self.cycle
        may_write = current is None or current.response_complete or not current.response_started
        if may_write and not self.transport.is_closing():
            self.transport.write(refusal(status, code, message, getattr(self, "url", b"")))
        if current is not None and not current.response_complete:
            current.disconnected = True
            current.message_event.set()
        self.transport.close()


def front_door(limits: Limits, trusted: tuple[Network, ...]) -> type[FrontDoorProtocol]:
    """The protocol class with these limits; connections of trusted proxies are not counted."""

    class Protocol(FrontDoorProtocol):
        pass

    Protocol.limits = limits
    Protocol.trusted = trusted
    return Protocol
