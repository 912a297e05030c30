"""AWS event streams: binary frames to messages, and messages to server-sent events. Pure.

A frame is total length, headers' length, CRC-32 of those eight bytes, headers, payload, CRC-32 of all
before it (integers big-endian). Source: the Smithy specification of `application/vnd.amazon.eventstream`.
Written here, since a Bedrock key works without the library that signs requests.
"""

import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any, NamedTuple

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.lenient import load
from proxy_app.sse import encode

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MAX_FRAME_BYTES = 24 * 1024 * 1024
_PRELUDE = 12
_AROUND = 16  # bytes of a frame with neither headers nor payload
#: Widths of header values by type; 6 and 7 (bytes, text) carry their own length.
_WIDTHS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_TEXT = 7
#: An exception of the stream -> the word both readers of these streams know it by.
ERROR_TYPES = {
    "throttlingexception": "rate_limit_error",
    "servicequotaexceededexception": "rate_limit_error",
    "serviceunavailableexception": "overloaded_error",
    "modelnotreadyexception": "overloaded_error",
    "modeltimeoutexception": "timeout_error",
    "validationexception": "invalid_request_error",
    "accessdeniedexception": "permission_error",
}


class EventMessage(NamedTuple):
    """One frame's content; of its headers those whose value is text."""

    headers: dict[str, str]
    payload: bytes


class EventStreamDecoder:
    """Bytes cut anywhere in, whole messages out. Raises UpstreamInvalid for a frame that is broken."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_between(self) -> bool:
        """Whether every frame begun has come to its end."""
        return not self._buffer

    def feed(self, chunk: bytes) -> list[EventMessage]:
        buffer = self._buffer
        buffer += chunk
        messages = []
        while len(buffer) >= _PRELUDE:
            length = _check_prelude(buffer)
            if len(buffer) < length:
                break
            messages.append(_read_frame(bytes(buffer[:length])))
            del buffer[:length]
        return messages


def _check_prelude(buffer: bytearray) -> int:
    """The frame's length, once its first twelve bytes prove themselves."""
    length, headers = int.from_bytes(buffer[:4]), int.from_bytes(buffer[4:8])
    if zlib.crc32(buffer[:8]) != int.from_bytes(buffer[8:_PRELUDE]):
        raise UpstreamInvalid("The provider's event stream is corrupt.")
    if not _AROUND + headers <= length <= MAX_FRAME_BYTES:
        raise UpstreamInvalid("The provider sent an event of an impossible size.")
    return length


def _read_frame(frame: bytes) -> EventMessage:
    if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:]):
        raise UpstreamInvalid("The provider's event stream is corrupt.")
    end = _PRELUDE + int.from_bytes(frame[4:8])
    return EventMessage(_read_headers(frame[_PRELUDE:end]), frame[end:-4])


def _read_headers(raw: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    place = 0
    try:
        while place < len(raw):
            name_end = place + 1 + raw[place]
            name, kind = raw[place + 1 : name_end].decode(), raw[name_end]
            start, width = name_end + 1, _WIDTHS.get(kind)
            if width is None:
                width = int.from_bytes(raw[start : start + 2])
                start += 2
            place = start + width
            if kind == _TEXT:
                headers[name] = raw[start:place].decode()
    except (IndexError, UnicodeDecodeError) as error:
        raise UpstreamInvalid("The provider sent an event with unreadable headers.") from error
    return headers


def to_sse(message: EventMessage) -> bytes:
    """The event as the rest of the gateway reads streams. A `chunk` holds a model's own event, in base64;
    any other event is named by its type; an exception becomes an `error` event in Anthropic's shape."""
    headers = message.headers
    if headers.get(":message-type") not in (None, "event"):
        return _error_event(headers, message.payload)
    name = headers.get(":event-type", "")
    if name != "chunk":
        return encode(message.payload, name or None)
    try:
        inner = b64decode(_object(message.payload)["bytes"], validate=True)
    except (KeyError, TypeError, NotBase64) as error:
        raise UpstreamInvalid("The provider sent an event that cannot be read.") from error
    kind = _object(inner).get("type")
    return encode(inner, kind if isinstance(kind, str) else None)


def _error_event(headers: dict[str, str], payload: bytes) -> bytes:
    told: Any = {}
    try:
        told = _object(payload)
    except UpstreamInvalid:
        pass  # the headers say enough
    name = headers.get(":exception-type") or headers.get(":error-code") or ""
    words = told.get("message") or told.get("Message") or headers.get(":error-message") or name
    kind = ERROR_TYPES.get(name.lower(), "api_error")
    return encode(orjson.dumps({"type": "error", "error": {"type": kind, "message": str(words)}}), "error")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = load(raw)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
    if not isinstance(found, dict):
        raise UpstreamInvalid("The provider sent a stream event that is not an object.")
    return found
