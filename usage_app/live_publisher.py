"""Publishes one worker's calls in flight to whoever watches: whole pictures first, then what changed.

Viewers announce the groups they watch in `live.workers` and renew that; a group nobody renews is
dropped, and without groups nothing is read or sent. Frames of a group carry the worker's epoch and
a sequence number. Each watched group gets at most five frames a second, whatever the load.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway_project import clock
from usage_app.live import LiveCall, Registry
from usage_app.live_groups import groups_of
from usage_app.live_words import READ, LiveWords, Words, send_if_room

logger = logging.getLogger(__name__)

WORKERS_GROUP = "live.workers"
COUNT, COUNTED = "live.count", "live.counted"
TICK_S = 0.2
#: A quiet group still gets a frame so often: 3 s of silence tells a viewer that the worker is gone.
HEARTBEAT_S = 1.0
#: A group is watched for so long after it was last announced; viewers renew every 5 s.
LEASE_S = 12.0
#: Rows of one frame; a flood is counted beyond that, not listed.
MAX_OPEN, MAX_ENDED, MAX_MOVED = 600, 100, 600
REJOIN_S = 600.0
_RETRY_S = 1.0


def row_of(call: LiveCall) -> dict[str, Any]:
    """A call as viewers get it: everything they show, nothing they may not."""
    return {
        "id": call.id,
        "at": call.started_at_ms,
        "model": call.model,
        "stream": call.stream,
        "key": call.key_name,
        "hint": call.key_hint,
        "user": call.user_name,
        "service": call.service_name,
        "environment": call.environment,
        "client": call.client,
        "sandbox": call.sandbox,
        "heard": call.is_heard,
        **changing(call),
    }


def changing(call: LiveCall) -> dict[str, Any]:
    """What moves while a call lives, and how it ended."""
    return {
        "phase": call.phase,
        "phases": call.phase_ms,
        "deployment": call.deployment,
        "provider": call.provider,
        "attempts": call.attempts,
        "ttft": call.ttft_ms,
        **counting(call),
        "held": call.held_nanodollars,
        "status": call.status,
        "error": call.error_code,
        "ended": call.finished_at_ms,
    }


def counting(call: LiveCall) -> dict[str, Any]:
    """What moves with every piece of an answer."""
    return {"tokens": call.output_tokens, "cost": call.cost_nanodollars}


@dataclass(slots=True)
class Watched:
    """A group somebody watches."""

    until: float
    sequence: int = 0
    sent_at: float = 0.0


@dataclass(slots=True)
class Changes:
    """What happened to a group's calls since the last tick."""

    opened: list[LiveCall] = field(default_factory=list)
    moved: list[LiveCall] = field(default_factory=list)
    counted: list[LiveCall] = field(default_factory=list)  # nothing but its figures moved
    ended: list[LiveCall] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.opened or self.moved or self.counted or self.ended)


class LivePublisher:
    """One worker's voice. `channel_layer` is Channels' (memory or Redis)."""

    def __init__(
        self,
        registry: Registry,
        channel_layer: Any,
        worker_id: str,
        stop: Callable[[dict[str, Any]], int] | None = None,
        words: Callable[[str], Words | None] = lambda _call_id: None,
    ) -> None:
        """`stop` ends the calls that a wish of `live_stopping` means; returns how many. `words` finds
        those of a call that may be read."""
        self.registry = registry
        self._stop = stop
        self.layer = channel_layer
        self.epoch = worker_id
        self.watched: dict[str, Watched] = {}
        self._waker = asyncio.Event()
        self._known: dict[str, tuple[Any, ...]] = {}
        self._ended_seen = registry.ended_count
        self.words = LiveWords(channel_layer, words, self._is_in)

    async def run(self) -> None:
        """Publish until cancelled. A channel layer that fails is tried again, never given up."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen())
                    group.create_task(self._publish())
            except* Exception as failures:  # noqa: BLE001 - the loop must not die with its layer
                logger.warning("live updates pause: %s", failures.exceptions[0])
            await asyncio.sleep(_RETRY_S)

    # ------------------------------------------------------------ hearing

    async def _listen(self) -> None:
        channel = await self.layer.new_channel("live.worker")
        await self.layer.group_add(WORKERS_GROUP, channel)
        try:
            while True:
                try:
                    async with asyncio.timeout(REJOIN_S):
                        await self.hear(await self.layer.receive(channel))
                except TimeoutError:
                    # Layers forget members after a while; joining again keeps this one.
                    await self.layer.group_add(WORKERS_GROUP, channel)
        finally:
            await self.layer.group_discard(WORKERS_GROUP, channel)

    async def hear(self, message: dict[str, Any]) -> None:
        """A viewer's announcement: {"groups": […], "reply": channel, "whole": wants the picture}.

        Or a wish to end calls: {"type": "live.stop", "wish": …, "reply": channel}; or to read one
        (`live_words`); or the question how many of some groups there are: {"type": "live.count", …}.
        """
        now = clock.monotonic_ns() / 1e9
        if message.get("type") == READ:
            self.words.hear(message, now)
            return
        if message.get("type") == COUNT:
            count = self._count(frozenset(message["groups"]))
            await send_if_room(
                self.layer, message["reply"], {"type": COUNTED, "epoch": self.epoch, "count": count}
            )
            return
        if message.get("type") == "live.stop":
            count = self._stop(message["wish"]) if self._stop is not None else 0
            if count:
                await send_if_room(self.layer, message["reply"], {"type": "live.stopped", "count": count})
            return
        if not self.watched:
            self._start_over()
        for name in message["groups"]:
            watched = self.watched.setdefault(name, Watched(until=0.0, sent_at=now))
            watched.until = now + LEASE_S
            if message.get("whole"):
                await self._send_picture(message["reply"], name, watched)
        self._waker.set()

    def _is_in(self, call_id: str, groups: frozenset[str]) -> bool:
        """Whether a call in flight here is in one of the groups."""
        call = self.registry.calls.get(call_id)
        return call is not None and not groups.isdisjoint(groups_of(call))

    def _count(self, groups: frozenset[str]) -> int:
        return sum(not groups.isdisjoint(groups_of(call)) for call in self.registry.calls.values())

    def _start_over(self) -> None:
        self._known = {call.id: _moving(call) for call in self.registry.calls.values()}
        self._ended_seen = self.registry.ended_count

    async def _send_picture(self, channel: str, name: str, watched: Watched) -> None:
        mine = [call for call in self.registry.calls.values() if name in groups_of(call)]
        ended = [call for call in self.registry.ended if name in groups_of(call)]
        shown = mine[-MAX_OPEN:]
        frame = {
            "whole": True,
            "open": [row_of(call) for call in shown],
            "end": [row_of(call) for call in ended[-MAX_ENDED:]],
            "hidden": len(mine) - len(shown),
            "from": self._whole_from(shown if len(shown) < len(mine) else [], ended),
        }
        await send_if_room(self.layer, channel, self._message(name, watched.sequence, frame))

    def _whole_from(self, newest: list[LiveCall], ended: list[LiveCall]) -> int:
        """Since when a picture has every call that began, in Unix milliseconds; 0 where it always had.

        `newest` are those in flight that are shown, where others are not.
        """
        kept = self.registry.ended
        lost = [kept[0].finished_at_ms] if len(kept) == kept.maxlen else []
        lost += [ended[-MAX_ENDED].finished_at_ms] if len(ended) > MAX_ENDED else []
        lost += [newest[0].started_at_ms] if newest else []
        return max(lost, default=0)

    # ------------------------------------------------------------ speaking

    async def _publish(self) -> None:
        while True:
            if not self.watched:
                self._waker.clear()
                await self._waker.wait()
            await self.tick(clock.monotonic_ns() / 1e9)
            await asyncio.sleep(TICK_S)

    async def tick(self, now: float) -> None:
        """Send each watched group what changed since the last tick."""
        for name in [name for name, watched in self.watched.items() if watched.until < now]:
            del self.watched[name]
        await self.words.tell(now)
        if not self.watched:
            return
        by_group = self._changes()
        for name, watched in list(self.watched.items()):
            changes = by_group.get(name)
            if not changes and now - watched.sent_at < HEARTBEAT_S:
                continue
            watched.sequence += 1
            watched.sent_at = now
            frame = self._frame(changes or Changes())
            await self.layer.group_send(name, self._message(name, watched.sequence, frame))

    def _changes(self) -> dict[str, Changes]:
        by_group: dict[str, Changes] = {name: Changes() for name in self.watched}
        known = self._known
        for call in self.registry.calls.values():
            moving = _moving(call)
            before = known.get(call.id)
            if before != moving:
                known[call.id] = moving
                kind = "opened" if before is None else "counted" if before[0] == moving[0] else "moved"
                _file(by_group, call, kind)
        count = self.registry.ended_count - self._ended_seen
        self._ended_seen = self.registry.ended_count
        for call in list(self.registry.ended)[-count:] if count else ():
            known.pop(call.id, None)
            _file(by_group, call, "ended")
        if len(known) > len(self.registry.calls):
            # More ended between two ticks than the registry keeps: forget those it dropped.
            for call_id in known.keys() - self.registry.calls.keys():
                del known[call_id]
        return by_group

    def _frame(self, changes: Changes) -> dict[str, Any]:
        return {
            "open": [row_of(call) for call in changes.opened[-MAX_OPEN:]],
            "move": [
                *([call.id, changing(call)] for call in changes.moved[-MAX_MOVED:]),
                *([call.id, counting(call)] for call in changes.counted[-MAX_MOVED:]),
            ],
            "end": [row_of(call) for call in changes.ended[-MAX_ENDED:]],
            "hidden": max(0, len(changes.opened) - MAX_OPEN) + max(0, len(changes.ended) - MAX_ENDED),
        }

    def _message(self, name: str, sequence: int, frame: dict[str, Any]) -> dict[str, Any]:
        text = orjson.dumps(
            {"epoch": self.epoch, "group": name, "seq": sequence, "now": clock.now_ms(), **frame}
        ).decode()
        return {"type": "live.frame", "text": text}


def _moving(call: LiveCall) -> tuple[Any, ...]:
    """(where it is, its figures)"""
    return (
        (call.phase, call.ttft_ms, call.attempts, call.deployment, call.held_nanodollars),
        (call.output_tokens, call.cost_nanodollars),
    )


def _file(by_group: dict[str, Changes], call: LiveCall, kind: str) -> None:
    for name in groups_of(call):
        if name in by_group:
            getattr(by_group[name], kind).append(call)
