"""Events of a stream, as the strictest of the official SDKs take them: see `wire-formats`."""

import json
from typing import Any


def data_of(raw: bytes) -> list[Any]:
    """The events of a format whose events have data alone; comments are left out."""
    found = []
    for block in raw.decode().split("\n\n"):
        line = block.strip("\n")
        if not line or line.startswith(":"):
            continue
        assert line.startswith("data: ") and "\n" not in line, line
        found.append("[DONE]" if line == "data: [DONE]" else json.loads(line[6:]))
    return found


def events_of(raw: bytes) -> list[dict[str, Any]]:
    """The events of a format whose events bear their type twice."""
    found = []
    for block in raw.decode().split("\n\n"):
        if not block.strip("\n"):
            continue
        name, data = block.strip("\n").split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}", block
        found.append(event)
    return found
