"""Writes the counts of a new epoch, which nobody reads before it has begun: sums, holds, causes told."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from keys_app.limits.contract import OpenHold

_BATCH = 500
_LOADED_FOR_S = 90 * 86_400  # a period that nobody uses any more
_ADJUSTED_FOR_S = 8 * 86_400  # as in adjust.lua

Fields = Mapping[str, str | int]
Item = TypeVar("Item")


async def write_counts(
    client: Any,
    base: str,
    spend: Mapping[tuple[str, str], int],
    holds: Iterable[OpenHold],
    adjusted: Iterable[str],
) -> None:
    """Under the epoch's keys, which begin with `base`; see `contract.LimitStore.load`."""
    holds = list(holds)
    for hashes in _batches([*_counters(base, spend, holds), *_records(base, holds)]):
        async with client.pipeline(transaction=False) as batch:
            for key, fields, lifetime_s in hashes:
                batch.hset(key, mapping=dict(fields))
                if lifetime_s is not None:
                    batch.expire(key, lifetime_s)
            await batch.execute()
    if holds:
        await client.zadd(f"{base}:open", {hold.call_id: hold.at_ms for hold in holds})
    for names in _batches([f"{base}:a:{cause_id}" for cause_id in adjusted]):
        async with client.pipeline(transaction=False) as batch:
            for name in names:
                batch.set(name, 1, ex=_ADJUSTED_FOR_S)
            await batch.execute()


def _counters(
    base: str, spend: Mapping[tuple[str, str], int], holds: Iterable[OpenHold]
) -> Iterator[tuple[str, Fields, int | None]]:
    """Of each budget in its period: spent, held, calls, and of what is held that for later costs."""
    counters: dict[str, dict[str, int]] = defaultdict(lambda: {"s": 0, "h": 0, "n": 0, "w": 0})
    for (budget, period), spent in spend.items():
        counters[f"{budget}/{period}"]["s"] += spent
    for hold in holds:
        for budget, period in hold.charges:
            counter = counters[f"{budget}/{period}"]
            counter["h"] += hold.nanodollars
            counter["n"] += 1
            counter["w"] += hold.nanodollars if hold.is_later else 0
    for name, counter in counters.items():
        yield f"{base}:b:{name}", counter, _LOADED_FOR_S


def _records(base: str, holds: Iterable[OpenHold]) -> Iterator[tuple[str, Fields, int | None]]:
    """What each open call holds."""
    for hold in holds:
        record: dict[str, str | int] = {"at": hold.at_ms}
        if hold.is_later:
            record["w"] = 1
        for budget, period in hold.charges:
            record[f"b:{budget}/{period}"] = f"{hold.nanodollars}|"
        yield f"{base}:c:{hold.call_id}", record, None


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
