"""Server-sent events: an incremental decoder that may be fed bytes cut anywhere, and an encoder.

Lines end in LF, CR or CRLF and in nothing else (U+2028 is text). `Framer` finds whole events and
leaves their bytes alone, for relays; `Decoder` reads them too. Data stay bytes: whoever parses the
JSON checks the UTF-8. Source of the grammar: the WHATWG HTML standard, section "Server-sent events".
"""

from typing import NamedTuple

from gateway_project.errors import UpstreamInvalid
from proxy_app.elements import Elements

MAX_EVENT_BYTES = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event. `event` is empty when the stream named none; lines of data are joined by LF."""

    event: str
    data: bytes


class Framer:
    """Cuts a byte stream into event blocks: their lines with LF, without the closing blank line.

    A block may be a comment only. Stray blank lines may stand at a block's ends. Raises
    UpstreamInvalid when an event grows past `MAX_EVENT_BYTES`. A stream that is one JSON array in place
    of events is cut into its objects, each as the data of one.
    """

    __slots__ = ("_after_cr", "_buffer", "_elements", "_scanned", "_started")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._started = False
        self._after_cr = False
        self._elements: Elements | None = None

    def take_rest(self) -> bytes:
        """What has come since the last whole event, for when the stream is over."""
        if self._elements is not None:
            return self._elements.take_rest()
        rest = bytes(self._buffer).strip(b"\n")
        self._buffer.clear()
        self._scanned = 0
        return rest

    def is_one_event(self, chunk: bytes) -> bool:
        """Whether the next chunk, which is not empty, is just one whole event: how most of them come."""
        return (
            chunk.find(b"\n\n") == len(chunk) - 2
            and self._started
            and not self._buffer
            and not self._after_cr
            and b"\r" not in chunk
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """Blocks completed by `chunk`, in order."""
        if b"\r" in chunk or self._after_cr:
            chunk = self._with_line_feeds(chunk)
        if self._started and not self._buffer and chunk.endswith(b"\n\n") and len(chunk) <= MAX_EVENT_BYTES:
            return chunk[:-2].split(b"\n\n")
        return self._feed_slowly(chunk)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """CR and CRLF as LF; a CRLF cut in its middle is one line end, and does not wait for its LF."""
        if not self._after_cr and chunk.endswith(b"\r\n\r\n") and chunk.count(b"\r") == 2:
            return chunk[:-4] + b"\n\n"  # one event in CRLF, the usual thing, at a third of the cost
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _feed_slowly(self, chunk: bytes) -> list[bytes]:
        if self._elements is not None:
            return self._feed_elements(self._elements, chunk)
        buffer = self._buffer
        buffer += chunk
        if not self._started:
            if not self._skip_bom():
                return []
            if self._is_array():
                self._elements = Elements()
                return self._feed_elements(self._elements, bytes(buffer))
        end = buffer.rfind(b"\n\n", max(self._scanned - 1, 0))
        if end < 0:
            self._scanned = len(buffer)
            self._check_size(len(buffer))
            return []
        blocks = bytes(buffer[:end]).split(b"\n\n")
        del buffer[: end + 2]
        self._scanned = len(buffer)
        self._check_size(max(len(buffer), *map(len, blocks)))
        return blocks

    def _feed_elements(self, elements: Elements, chunk: bytes) -> list[bytes]:
        blocks = [b"data: " + found.replace(b"\n", b" ") for found in elements.feed(chunk)]
        self._check_size(max(elements.size, *map(len, blocks)) if blocks else elements.size)
        return blocks

    def _skip_bom(self) -> bool:
        """False while it cannot be told yet whether the stream begins with a byte order mark."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        return True

    def _is_array(self) -> bool:
        """Known with the first byte that is no space. Of an array, every byte comes here again."""
        begun = self._buffer.lstrip()
        self._started = bool(begun) and not begun.startswith(b"[")
        return begun.startswith(b"[")

    @staticmethod
    def _check_size(size: int) -> None:
        if size > MAX_EVENT_BYTES:
            raise UpstreamInvalid("The provider sent an event larger than 8 MiB.")


def read_block(block: bytes) -> ServerSentEvent | None:
    """The event a block holds; None for one without data (a comment, a bare event name)."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return ServerSentEvent("", block[6:])
    if block.startswith(b"event: "):  # the usual two lines, at half the cost
        end = block.find(b"\n")
        if block.startswith(b"data: ", end + 1) and block.find(b"\n", end + 1) < 0:
            return ServerSentEvent(block[7:end].decode("utf-8", "replace"), block[end + 7 :])
    name = ""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        label, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if label == b"data":
            data.append(value)
        elif label == b"event":
            name = value.decode("utf-8", "replace")
    return ServerSentEvent(name, b"\n".join(data)) if data else None


class Decoder:
    """Bytes cut anywhere in, whole events out. An event without its blank line never comes out."""

    __slots__ = ("_framer",)

    def __init__(self) -> None:
        self._framer = Framer()

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Events completed by `chunk`. Raises UpstreamInvalid past `MAX_EVENT_BYTES`."""
        return [event for block in self._framer.feed(chunk) if (event := read_block(block)) is not None]


def encode(data: bytes | str, event: str | None = None) -> bytes:
    """One event's bytes; data of several lines become several data fields."""
    raw = data.encode() if isinstance(data, str) else data
    if b"\n" in raw or b"\r" in raw:
        raw = b"\ndata: ".join(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    if event is None:
        return b"data: " + raw + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + raw + b"\n\n"
