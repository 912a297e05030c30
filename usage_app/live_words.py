"""The words of calls in flight on their way to who reads them: each reader gets what is new, by itself.

A reader names a call and the groups it may see; the worker that holds the call gives its words, where they
are kept at all. Whether a person may read any is the consumer's to ask, with every renewal again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from channels.exceptions import ChannelFull

READ, SAID = "live.read", "live.said"
#: A reader is served for so long after it was last announced; viewers renew every 5 s.
LEASE_S = 12.0
#: Calls that are read at once in one worker; whoever comes later waits until one is left.
MOST_READINGS = 32


class Words(Protocol):
    """The words of one call."""

    @property
    def is_over(self) -> bool: ...

    def shown(self) -> Mapping[str, str]:
        """Heading -> what may be seen so far; masked."""
        ...

    def close(self) -> None:
        """Nobody reads on."""
        ...


@dataclass(slots=True)
class Reading:
    """One viewer who reads one call."""

    words: Words
    until: float
    shown: dict[str, str] = field(default_factory=dict)
    number: int = 0  # of the next frame
    is_ending: bool = False


class LiveWords:
    """One worker's readings. `find` gives the words of a call that may be read; `sees` tells whether it is in
    one of some groups."""

    def __init__(
        self,
        layer: Any,
        find: Callable[[str], Words | None],
        sees: Callable[[str, frozenset[str]], bool],
    ) -> None:
        self._layer = layer
        self._find = find
        self._sees = sees
        self.readings: dict[tuple[str, str], Reading] = {}

    def hear(self, message: Mapping[str, Any], now: float) -> None:
        """A viewer reads a call, goes on reading it, wants all of it again, or has left it:
        {"call": id, "groups": […], "reply": channel, "on": bool, "again": bool}."""
        where = (message["reply"], message["call"])
        reading = self.readings.get(where)
        if not message["on"] or (reading and not self._may(message)):
            self._leave(where)
        elif reading is not None:
            reading.until = now + LEASE_S
            if message["again"]:
                reading.shown, reading.number = {}, 0
        elif message["again"] and len(self.readings) < MOST_READINGS and self._may(message):
            words = self._find(message["call"])
            if words is not None:
                self.readings[where] = Reading(words, now + LEASE_S)

    def _may(self, message: Mapping[str, Any]) -> bool:
        reading = self.readings.get((message["reply"], message["call"]))
        is_over = reading is not None and reading.words.is_over
        return is_over or self._sees(message["call"], frozenset(message["groups"]))

    def _leave(self, where: tuple[str, str]) -> None:
        reading = self.readings.pop(where, None)
        if reading is not None:
            reading.words.close()

    async def tell(self, now: float) -> None:
        """Send each reader what came since it was last told."""
        for where, reading in list(self.readings.items()):
            if reading.until < now:
                self._leave(where)
                continue
            # A call is settled before its last bytes go out: they are told with the next round.
            is_over, reading.is_ending = reading.is_ending, reading.words.is_over
            said = dict(reading.words.shown())
            is_due = said != reading.shown or is_over or not reading.number
            if is_due and await self._send(where, reading, said, is_over=is_over) and is_over:
                self._leave(where)

    async def _send(
        self, where: tuple[str, str], reading: Reading, said: dict[str, str], *, is_over: bool
    ) -> bool:
        """Whether it was taken; what was not is told with the next round."""
        channel, call_id = where
        changes: dict[str, list[Any]] = {}
        for name, text in said.items():
            before = reading.shown.get(name, "")
            kept = len(before) if text.startswith(before) else 0
            if before != text:
                changes[name] = [kept, text[kept:]]
        frame = {"call": call_id, "n": reading.number, "said": changes, "over": is_over}
        message = {"type": SAID, "call": call_id, "text": orjson.dumps(frame).decode()}
        if not await send_if_room(self._layer, channel, message):
            return False
        reading.shown, reading.number = said, reading.number + 1
        return True


async def send_if_room(layer: Any, channel: str, message: dict[str, Any]) -> bool:
    """A viewer who is stuck has a full channel: that one misses the message, and nobody else does."""
    try:
        await layer.send(channel, message)
    except ChannelFull:
        return False
    return True
