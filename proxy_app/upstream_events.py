"""An answer that comes as an AWS event stream, read as server-sent events like any other."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gateway_project.errors import GatehouseError
from proxy_app.event_stream import CONTENT_TYPE, EventStreamDecoder, to_sse

if TYPE_CHECKING:
    from proxy_app.upstream import UpstreamAnswer


def as_server_sent(answer: "UpstreamAnswer") -> "UpstreamAnswer":
    """The same answer, with binary frames made text events; any other answer as it is."""
    if answer.headers.get("content-type", "").startswith(CONTENT_TYPE):
        return EventStreamAnswer(answer)
    return answer


class EventStreamAnswer:
    """A stream that ends within a frame simply ends: without its last event it is told as cut."""

    __slots__ = ("_answer", "_decoder", "headers", "status")

    def __init__(self, answer: "UpstreamAnswer") -> None:
        self._answer = answer
        self._decoder = EventStreamDecoder()
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers

    async def next_chunk(self) -> bytes:
        while chunk := await self._answer.next_chunk():
            if events := b"".join([to_sse(message) for message in self._decoder.feed(chunk)]):
                return events
        return b""

    async def pass_to(self, take: Callable[[bytes], bool]) -> bool:
        def take_events(chunk: bytes) -> bool:
            events = b"".join([to_sse(message) for message in self._decoder.feed(chunk)])
            return not events or take(events)

        return await self._answer.pass_to(take_events)

    async def read(self) -> bytes:
        parts = []
        while chunk := await self.next_chunk():
            parts.append(chunk)
        return b"".join(parts)

    def abort(self, error: GatehouseError) -> None:
        self._answer.abort(error)

    def release(self) -> None:
        self._answer.release()
