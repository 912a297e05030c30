"""The ledger process settles in Redis what a dead worker cannot."""

import asyncio
import uuid
from collections.abc import Sequence

import pytest

from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.services.test_redis_limits import open_redis, remove_keys
from usage_app.ledger_rows import SettledCall
from usage_app.limit_settling import LATE_AFTER_MS, LimitSettler, settle_late
from usage_app.records import Charge

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
