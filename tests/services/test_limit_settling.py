"""The ledger process settles in Redis what a dead worker cannot."""

import asyncio
import uuid

import pytest

from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.services.test_redis_limits import open_redis, remove_keys
from usage_app.ledger_rows import SettledCall
from usage_app.limit_settling import LimitSettler
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
    settler = LimitSettler(open_redis(prefix))
    row = SettledCall("call-1", "interrupted", 250, 5, 5, (Charge("b1", "2026-11"),))
    settler([row])
    settler([row])
    assert asyncio.run(standing()) == (250, 0, 0)
    settler._loop.run_until_complete(remove_keys(settler._store))  # type: ignore[arg-type]
    settler.close()


def test_where_limits_live_in_the_worker_there_is_nothing_to_settle() -> None:
    from gateway_project.conf import config

    assert LimitSettler.for_shared_limits(config()) is None
