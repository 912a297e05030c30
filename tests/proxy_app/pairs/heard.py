"""One shape for what callers of all four formats make of an answer."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Heard:
    """`usage` is input (caches included), cache reads, output (thoughts included), thoughts. `finish` is one
    of stop, length, tool_calls, content_filter; None while the answer has not told it."""

    status: int = 200
    text: str = ""
    thoughts: str = ""
    ids: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments as JSON text
    finish: str | None = None
    usage: tuple[int, int, int, int] | None = None
    cost: float | None = None
    error: dict[str, Any] | None = None
    starts: int = 0
    ended: bool = False  # the format's own end of a stream was seen
    said: list[Any] = field(default_factory=list)  # turns that the caller sends back to go on

    @property
    def arguments(self) -> list[tuple[str, Any]]:
        return [(name, json.loads(text or "{}")) for name, text in self.calls]
