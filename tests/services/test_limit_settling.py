"""The ledger process settles in Redis what a dead worker cannot."""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway_project.clock import now
from keys_app.connections import close_connections
from keys_app.limits import Demand, OpenHold
from keys_app.limits.redis import RedisStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.services.test_redis_limits import open_redis, remove_keys
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import BUDGET, a_batch, a_begin, an_attempt
from usage_app import limit_loading
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.ledger_rows import SettledCall
from usage_app.limit_correcting import CorrectionTeller
from usage_app.limit_loading import Spend, keep_loaded, read_standing
from usage_app.limit_settling import LATE_AFTER_MS, LimitSettler, settle_late, settle_waiting
from usage_app.models import Adjustment, BudgetSpend
from usage_app.records import Charge, later_cost

pytestmark = pytest.mark.services


def test_a_call_whose_worker_died_is_settled_by_its_row_and_only_once() -> None:
    prefix = f"{{test-{uuid.uuid4()}}}"
    asked = demand(budget(limit=1000), rate(parallel=1))

    async def reserve() -> None:
        store = open_redis(prefix)
        await store.load({}, [])
        await store.reserve("call-1", asked, 600, 10, NOW)
        await store.close()  # the worker dies without settling

    async def standing() -> tuple[int, int, int]:
        store = open_redis(prefix)
        await store.load({}, [])
        money, parallel = await store.state(asked, NOW)
        await store.close()
        return money.spent, money.held, parallel.spent

    asyncio.run(reserve())
    assert asyncio.run(standing()) == (0, 600, 1)
    row = SettledCall("call-1", "interrupted", 250, 5, 5, (Charge("b1", "2026-11"),))
    settler = LimitSettler(lambda: open_redis(prefix), sweep_every_s=3600)
    settler([row])
    settler([row])
    settler.close()
    assert asyncio.run(standing()) == (250, 0, 0)
    asyncio.run(clean(prefix))


async def clean(prefix: str) -> None:
    store = open_redis(prefix)
    await remove_keys(store)
    await store.close()


async def test_a_hold_of_requests_alone_is_found_by_the_sweep() -> None:
    store = open_redis()
    asked = demand(rate(parallel=1))
    await store.load({}, [])
    await store.reserve("call-1", asked, 0, 10, NOW)

    async def rows_of(ids: Sequence[str]) -> list[SettledCall]:
        assert list(ids) == ["call-1"]
        return [SettledCall("call-1", "ok", None, 5, 5)]

    await settle_late(store, NOW + LATE_AFTER_MS + 1, rows_of)
    (parallel,) = await store.state(asked, NOW)
    assert parallel.spent == 0
    await remove_keys(store)
    await store.close()


def test_where_limits_live_in_the_worker_there_is_nothing_to_settle() -> None:
    from gateway_project.conf import config

    assert LimitSettler.for_shared_limits(config()) is None


@pytest.mark.django_db(transaction=True)
async def test_a_batchs_hold_survives_its_worker_and_a_flushed_redis_and_is_told_once(tmp_path: Path) -> None:
    """Made by a worker that dies, held through a reload, charged by two workers that both find it done."""
    asked = demand(budget(BUDGET, limit=10_000), rate(parallel=1))
    prefix = f"{{test-{uuid.uuid4()}}}"
    store, batch = open_redis(prefix), a_batch()
    await store.load({}, [])
    await store.reserve(batch.id, asked, batch.held_nanodollars, 10, NOW)
    writer = JournalWriter(tmp_path, "worker-1", spare_bytes=0, minimum_free_bytes=0)
    writer.open()
    for record in (a_begin(batch.id, endpoint="batches"), an_attempt(batch.id), batch):
        writer.append(record)
    writer.close()  # killed before the call's end
    rows: list[SettledCall] = []
    await asyncio.to_thread(read_ledger, tmp_path, rows)
    for _ in range(2):
        assert await settle_waiting(store, deque(rows))
    assert await standing(store, asked) == (0, batch.held_nanodollars, 0)

    await remove_keys(store)  # flushed: the counts are those of the ledger again
    other = open_redis(prefix)
    await other.load(*await asyncio.to_thread(read_counts, tmp_path))
    assert await standing(other, asked) == (0, batch.held_nanodollars, 0)
    for worker in (store, other):
        await worker.settle(batch.id, 0, 0, NOW, later=later_cost(batch.id))
        assert await worker.adjust(later_cost(batch.id), asked.charges, 3_000)
    assert await standing(other, asked) == (3_000, 0, 0)
    await remove_keys(other)
    await store.close()
    await other.close()


@pytest.mark.django_db(transaction=True)
async def test_a_correction_of_prices_counts_once_whoever_tells_it(tmp_path: Path) -> None:
    """One is among the sums that were loaded, one came later; told by who loaded them and by others."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # one connection to close
    asked = demand(budget(BUDGET, limit=10_000), rate(parallel=1))
    store = open_redis()
    await asyncio.to_thread(enter, 700, is_summed=True)
    *counts, teller = await asyncio.to_thread(read_all_counts, tmp_path)
    await store.load(*counts)
    await asyncio.to_thread(enter, 50)
    for each in (CorrectionTeller(), teller, CorrectionTeller()):
        await each.tell(store)
    assert await standing(store, asked) == (750, 0, 0)
    await remove_keys(store)
    await store.close()
    await asyncio.to_thread(close_connections)


@pytest.mark.django_db(transaction=True)
async def test_a_correction_that_its_worker_did_not_live_to_tell_is_told_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next finds counters in use: what it read itself is not what these began with."""
    monkeypatch.setattr(limit_loading, "LOOK_S", 0.01)
    monkeypatch.setattr(limit_loading, "CORRECTIONS_EVERY_S", 0.01)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # one connection to close
    asked = demand(budget(BUDGET, limit=10_000), rate(parallel=1))
    prefix = f"{{test-{uuid.uuid4()}}}"
    first = open_redis(prefix)
    async with keeping(first, tmp_path):
        await until(lambda: not first.needs_load)
    await asyncio.to_thread(enter, 50, is_summed=True)
    for _ in range(2):
        following = open_redis(prefix)
        async with keeping(following, tmp_path):
            for _ in range(500):
                if not following.needs_load and await standing(following, asked) == (50, 0, 0):
                    break
                await asyncio.sleep(0.01)
        assert await standing(following, asked) == (50, 0, 0)
        await following.close()
    await remove_keys(first)
    await first.close()
    await asyncio.to_thread(close_connections)


@asynccontextmanager
async def keeping(store: RedisStore, journals: Path) -> AsyncIterator[None]:
    """The part of a worker that loads the limits and tells them of corrections."""
    task = asyncio.create_task(keep_loaded(store, journals, "worker-2", alone=False))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to be")


def enter(amount: int, *, is_summed: bool = False) -> None:
    charge = {"budget_id": BUDGET, "period": "2026-11"}
    fields = {"request_id": uuid.uuid4(), "cost_nanodollars": amount, "at": now(), "charges": [charge]}
    Adjustment.objects.create(cause="price:1", is_applied=True, **fields)
    if is_summed:
        BudgetSpend.objects.create(**charge, spent_nanodollars=amount)


async def standing(store: RedisStore, asked: Demand) -> tuple[int, int, int]:
    money, parallel = await store.state(asked, NOW)
    return money.spent, money.held, parallel.spent


def read_counts(folder: Path) -> tuple[Spend, list[OpenHold], list[str]]:
    return read_all_counts(folder)[:3]


def read_all_counts(folder: Path) -> tuple[Spend, list[OpenHold], list[str], CorrectionTeller]:
    try:
        return read_standing(folder)
    finally:
        close_connections()  # this thread's, which may never be asked again


def read_ledger(folder: Path, rows: list[SettledCall]) -> None:
    ledger = Ledger(folder, "here", after_commit=[rows.extend])
    ledger.lock()
    read_all(ledger)
    ledger.unlock()
    close_connections()
