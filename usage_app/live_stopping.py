"""Ending calls in flight from outside: the wish goes to every worker, whoever holds the call ends it.

What may be stopped travels with the wish, as the sight of who asks: a worker never ends a call that
this person may not see, whatever id was named.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from channels.layers import get_channel_layer

from gateway_project import clock
from usage_app.live import LiveCall
from usage_app.live_publisher import WORKERS_GROUP
from usage_app.sight import Sight

logger = logging.getLogger("gatehouse.live")

STOP, STOPPED = "live.stop", "live.stopped"
#: A worker answers at once; who has none to stop stays silent, so the absence of an answer takes this.
PATIENCE_S = 1.0
#: After the first answer for many calls, other workers get this long to answer too.
GATHER_S = 0.3


@dataclass(frozen=True, slots=True)
class Wish:
    """One call by id, or all calls of a key or a service, within what the wisher may see."""

    call_id: str = ""
    key_id: str = ""
    service_id: str = ""
    everything: bool = False
    services: list[str] = field(default_factory=list)
    user: str = ""
    key: str = ""

    @classmethod
    def within(cls, sight: Sight, *, call_id: str = "", key_id: str = "", service_id: str = "") -> "Wish":
        return cls(
            call_id,
            key_id,
            service_id,
            sight.everything,
            sorted(str(one) for one in sight.service_ids),
            sight.user_id,
            sight.key_id,
        )

    def covers(self, call: LiveCall) -> bool:
        """Whether this very call is meant, and may be stopped by who asks."""
        wanted = (
            (bool(self.call_id) and call.id == self.call_id)
            or (bool(self.key_id) and call.key_id == self.key_id)
            or (bool(self.service_id) and call.service_id == self.service_id)
        )
        return wanted and (
            self.everything
            or (bool(call.service_id) and call.service_id in self.services)
            or (bool(self.user) and call.user_id == self.user)
            or (bool(self.key) and call.key_id == self.key)
        )


def stop_calls(wish: Wish, calls: Iterable[LiveCall], stop: Callable[[LiveCall], bool]) -> int:
    """A worker's part: end what is meant. Returns how many it ended."""
    return sum(stop(call) for call in list(calls) if wish.covers(call))


async def ask_workers(wish: Wish, layer: Any = None) -> int:
    """Send the wish to all workers; how many calls were ended. 0: none was in flight (any more)."""
    layer = layer or get_channel_layer()
    channel = await layer.new_channel("live.stopping")
    await layer.group_send(WORKERS_GROUP, {"type": STOP, "wish": asdict(wish), "reply": channel})
    count, until = 0, clock.monotonic_ns() / 1e9 + PATIENCE_S
    while (left_s := until - clock.monotonic_ns() / 1e9) > 0:
        try:
            async with asyncio.timeout(left_s):
                answer = await layer.receive(channel)
        except TimeoutError:
            break
        count += int(answer["count"])
        if wish.call_id:
            break
        until = min(until, clock.monotonic_ns() / 1e9 + GATHER_S)
    return count
