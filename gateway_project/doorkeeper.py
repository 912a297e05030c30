"""A worker's connections: how many each address holds, and the one sweep that looks at them all."""

import asyncio
from typing import Protocol


class Connection(Protocol):
    """What the doorkeeper knows of a connection."""

    client: tuple[str, int] | None

    def check(self, now: float) -> None:
        """End this connection if it is over one of its times."""
        ...


class Doorkeeper:
    """One worker's connections: how many each address holds, and the sweep that ends the late ones."""

    def __init__(self, sweep_s: float) -> None:
        self.sweep_s = sweep_s
        self.open: set[Connection] = set()
        self._by_address: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> int:
        """Count a connection in; how many its address holds now (0 where it has no address)."""
        self.open.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(self.sweep_s, self._sweep, loop)
        if connection.client is None:
            return 0
        held = self._by_address.get(connection.client[0], 0) + 1
        self._by_address[connection.client[0]] = held
        return held

    def leave(self, connection: Connection) -> None:
        """Count a connection out, once, however it ended."""
        if connection not in self.open:
            return
        self.open.discard(connection)
        if connection.client is not None:
            left = self._by_address.get(connection.client[0], 0) - 1
            if left > 0:
                self._by_address[connection.client[0]] = left
            else:
                self._by_address.pop(connection.client[0], None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self.open):
            connection.check(now)
        self._timer = loop.call_later(self.sweep_s, self._sweep, loop) if self.open else None
