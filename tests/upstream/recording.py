"""What the mock saw: every request in memory, and as one JSON line each in a file."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CREDENTIALS = ("authorization", "x-api-key", "x-goog-api-key")


@dataclass
class Seen:
    """One request. `ended` is set when the mock is done with it, however that came about."""

    number: int
    provider: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    model: str = ""
    stream: bool = False
    authorised: bool = True
    closed_early: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-gatehouse-request-id")

    @property
    def attempt(self) -> int | None:
        number = self.headers.get("x-gatehouse-attempt", "")
        return int(number) if number.isdigit() else None

    def line(self) -> str:
        """The log's line: no credential, no body."""
        shown = {name: value for name, value in self.headers.items() if name not in _CREDENTIALS}
        return json.dumps(
            {
                "number": self.number,
                "provider": self.provider,
                "path": self.path,
                "model": self.model,
                "stream": self.stream,
                "authorised": self.authorised,
                "request_id": self.request_id,
                "attempt": self.attempt,
                "headers": shown,
            }
        )


class Recorder:
    def __init__(self, log: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self._file = log.open("a", encoding="utf-8") if log else None
        self._arrived = asyncio.Condition()

    async def add(self, seen: Seen) -> None:
        """Written and flushed before the answer begins: what was answered was logged."""
        if self._file:
            self._file.write(seen.line() + "\n")
            self._file.flush()
        async with self._arrived:
            self.seen.append(seen)
            self._arrived.notify_all()

    async def wait_for(self, count: int, timeout_s: float = 10.0) -> list[Seen]:
        """The requests so far, once there are at least `count`."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.seen) >= count)
        return self.seen

    def close(self) -> None:
        if self._file:
            self._file.close()
