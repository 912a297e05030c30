"""Adds a call's cost to the usage object of its answer, for callers that ask for it. Pure."""

import orjson

from gateway_project.money import usd_string
from proxy_app.wire import JSON

#: Where the formats keep their usage object: at the top, or inside what an event carries.
_PLACES = (("usage",), ("response", "usage"), ("usageMetadata",))
_MARKS = (b'"usage"', b'"usageMetadata"')
#: What stands before an object at the beginning of a line.
_STARTS = (b"data: ", b"[", b",")


def add_cost(body: bytes, cost_nanodollars: int | None) -> bytes:
    """A whole answer with `cost` (US dollars; null when unknown) beside its token counts. One that is
    nested too deeply to be written again stays as it is, here and below."""
    try:
        answer = orjson.loads(body)
        return orjson.dumps(answer) if _put(answer, cost_nanodollars) else body
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body


def add_cost_to_events(out: bytes, cost_nanodollars: int | None) -> bytes:
    """A stream's pieces with `cost` in each usage object; bytes without one come back as they are."""
    if not any(mark in out for mark in _MARKS):
        return out
    return b"\n".join(_line(line, cost_nanodollars) for line in out.split(b"\n"))


def _line(line: bytes, cost_nanodollars: int | None) -> bytes:
    """One line: an event's data, or an element of Gemini's array."""
    for start in _STARTS:
        if not line.startswith(start + b"{"):
            continue
        try:
            data = orjson.loads(line[len(start) :])
            if _put(data, cost_nanodollars):
                return start + orjson.dumps(data) + (b"\r" if line.endswith(b"\r") else b"")
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            continue
    return line


def _put(data: JSON, cost_nanodollars: int | None) -> bool:
    for place in _PLACES:
        usage = data
        for name in place:
            usage = usage.get(name) if isinstance(usage, dict) else None  # type: ignore[assignment]
        if isinstance(usage, dict):
            usage["cost"] = None if cost_nanodollars is None else float(usd_string(cost_nanodollars))
            return True
    return False
