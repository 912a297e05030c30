"""AWS event-stream frames for tests, written from the specification and not by the reader under test."""

import base64
import json
import struct
import zlib
from typing import Any


def frame(payload: bytes, **headers: str) -> bytes:
    """One frame; header names are written with a colon before them, as AWS does."""
    named = b"".join(
        bytes([len(name) + 1])
        + b":"
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in ((name.replace("_", "-"), value) for name, value in headers.items())
    )
    prelude = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + named + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


def event(name: str, body: Any) -> bytes:
    return frame(
        json.dumps(body).encode(), event_type=name, content_type="application/json", message_type="event"
    )


def chunk(body: Any) -> bytes:
    """A model's own event inside InvokeModelWithResponseStream's."""
    return event("chunk", {"bytes": base64.b64encode(json.dumps(body).encode()).decode(), "p": "abcd"})


def exception(name: str, message: str) -> bytes:
    return frame(
        json.dumps({"message": message}).encode(),
        exception_type=name,
        content_type="application/json",
        message_type="exception",
    )
