"""The ledger process's part in limits: every call it wrote is settled once more where limits are shared.

A worker that died holding a reservation cannot settle it; its call's row can. Settling twice changes
nothing, so nobody needs to know which came first. All of it runs on a thread of its own: a Redis that
is away delays no row. A sweep over what is still held finds whatever was missed.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from gateway_project.clock import now_ms
from gateway_project.conf import Config
from keys_app.connections import close_connections
from keys_app.limits import LimitStore, open_store
from usage_app import stored
from usage_app.ledger_rows import SettledCall
from usage_app.models import Request
from usage_app.records import later_cost
from usage_app.stored import Later

logger = logging.getLogger("gatehouse.ledger")
Found = TypeVar("Found")

SWEEP_EVERY_S = 15.0
RETRY_S = 1.0
CLOSE_S = 3.0  # for what is still waiting when the ledger process ends
MOST_WAITING = 100_000  # calls; what is dropped beyond is found by the sweep
#: A call has had the time to end and to be written.
LATE_AFTER_MS = 60_000
#: No call takes this long: one that is held and has no row never began, its worker died before.
LOST_AFTER_MS = 6 * 3_600_000

MOST_LATE = 5_000  # calls looked at in one sweep, the oldest first


class LimitSettler:
    """Told of written calls by the ledger's thread, it settles them on its own."""

    def __init__(
        self,
        open_limits: Callable[[], LimitStore],
        *,
        sweep_every_s: float = SWEEP_EVERY_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._open_limits = open_limits
        self._sweep_every_s = sweep_every_s
        self._retry_s = retry_s
        self._waiting: deque[SettledCall] = deque(maxlen=MOST_WAITING)
        self._told = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="limit settling", daemon=True)
        self._thread.start()

    @classmethod
    def for_shared_limits(cls, config: Config) -> "LimitSettler | None":
        """None where limits live in the worker itself: they are gone with it."""
        return cls(lambda: open_store(config)) if config.redis_url else None

    def __call__(self, calls: Iterable[SettledCall]) -> None:
        """Charged calls and those of dead workers at once; the sweep sees to whatever else is held."""
        self._waiting.extend(call for call in calls if call.charges or call.status == "interrupted")
        self._told.set()

    def close(self) -> None:
        """Settle what waits, for a moment at most, and end."""
        self._ending.set()
        self._told.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except Exception:
            logger.exception("Settling limits from the ledger ended; calls are still written.")

    async def _work(self) -> None:
        store = self._open_limits()
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        try:
            while True:
                ending = self._ending.is_set()
                self._told.clear()
                reached = await settle_waiting(store, self._waiting)
                if ending:
                    return
                if reached and loop.time() >= sweep_at:
                    sweep_at = loop.time() + self._sweep_every_s
                    await self._sweep(store)
                pause_s = sweep_at - loop.time() if reached else self._retry_s
                # The wait is a thread's: the loop goes on, and with it the store's own probes.
                await asyncio.to_thread(self._told.wait if reached else self._ending.wait, max(pause_s, 0.0))
        finally:
            await store.close()

    async def _sweep(self, store: LimitStore) -> None:
        try:
            at_ms = now_ms()
            await settle_late(store, at_ms, lambda ids: asyncio.to_thread(_here, read_rows, ids))
            await settle_later(store, at_ms, lambda ids: asyncio.to_thread(_here, read_over, ids))
        except Exception:
            logger.exception("Looking for calls that hold limits after their end failed; it is tried again.")


async def settle_waiting(store: LimitStore, waiting: deque[SettledCall]) -> bool:
    """Settle in turn; False as soon as the store is away, and what is left stays waiting."""
    at_ms = now_ms()
    while waiting:
        call = waiting[0]
        if not await _settle(store, call, at_ms):
            return False
        # The deque may have dropped this one meanwhile, for want of room.
        if waiting and waiting[0] is call:
            waiting.popleft()
    return True


async def settle_late(
    store: LimitStore, at_ms: int, rows_of: Callable[[Sequence[str]], Awaitable[list[SettledCall]]]
) -> None:
    """Calls that the store holds for long: end those with a row by it, drop those that never began."""
    late = [each for each in await store.open_calls(at_ms - LATE_AFTER_MS) if not _is_later(each)][:MOST_LATE]
    if not late:
        return
    found = await rows_of(late)
    for call in found:
        await _settle(store, call, at_ms)
    written = {call.id for call in found}
    lost = set(await store.open_calls(at_ms - LOST_AFTER_MS))
    for call_id in late:
        if call_id in lost and call_id not in written:
            logger.warning("Call %s held limits and never began; its hold is dropped.", call_id)
            await store.settle(call_id, 0, 0, at_ms)


async def settle_later(
    store: LimitStore, at_ms: int, over_of: Callable[[Sequence[str]], Awaitable[list[Later]]]
) -> None:
    """What is held for costs to come: end it where the ledger says that none is to come any more."""
    held = [each for each in await store.open_calls(at_ms - LATE_AFTER_MS) if _is_later(each)][:MOST_LATE]
    for later in await over_of(held) if held else ():
        if later.cost_nanodollars is None:
            await store.settle(later.id, 0, 0, at_ms)
        else:
            await store.adjust(later.id, later.charges, later.cost_nanodollars)


def _is_later(hold_id: str) -> bool:
    return "/" in hold_id


async def _settle(store: LimitStore, call: SettledCall, at_ms: int) -> bool:
    tokens = (call.input_tokens or 0) + (call.output_tokens or 0)
    cost, output_tokens = call.cost_nanodollars or 0, call.output_tokens or 0
    return await store.settle(call.id, cost, tokens, at_ms, output_tokens=output_tokens, later=call.later)


def read_rows(ids: Sequence[str]) -> list[SettledCall]:
    """The ledger's rows of these calls."""
    rows = Request.objects.filter(pk__in=ids).values_list(
        "pk", "status", "cost_nanodollars", "input_tokens", "output_tokens"
    )
    waiting = stored.waiting_among(ids)
    return [
        SettledCall(
            *(str(pk), status, cost, read, made), later=later_cost(str(pk)) if str(pk) in waiting else ""
        )
        for pk, status, cost, read, made in rows
    ]


def read_over(hold_ids: Sequence[str]) -> list[Later]:
    """Those whose batch is done, or was lost; one that the ledger has not heard of is not among them."""
    return stored.over_among([each.partition("/")[0] for each in hold_ids])


def _here(read: Callable[[Sequence[str]], list[Found]], ids: Sequence[str]) -> list[Found]:
    """On a connection of this thread, which may never be asked again."""
    try:
        return read(ids)
    finally:
        close_connections()
