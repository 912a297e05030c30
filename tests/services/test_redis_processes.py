"""Worker processes that share their limits through Redis."""

import asyncio
import multiprocessing
import os
import uuid
from concurrent.futures import ProcessPoolExecutor

import pytest

from gateway_project.errors import BudgetExceeded, RateLimited
from keys_app.limits.redis import RedisStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.keys_app.limits.store_suite import spent_and_held

pytestmark = pytest.mark.services

URL = os.environ.get("GATEHOUSE_TEST_REDIS_URL", "redis://127.0.0.1:6379/7")
MONEY = demand(budget("shared", 1000))
RATE = demand(rate("shared", requests=10))


async def _work(prefix: str, worker: int) -> tuple[int, int]:
    """25 calls at once under a budget, and 25 under a rate limit; how many of each were admitted."""
    store = RedisStore.connect(URL, prefix=prefix)
    counts = []
    for name, wanted in (("money", MONEY), ("rate", RATE)):
        calls = [store.reserve(f"{name}-{worker}-{number}", wanted, 100, 1, NOW) for number in range(25)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        assert all(isinstance(error, BudgetExceeded | RateLimited) for error in refused), refused
        counts.append(25 - len(refused))
    await store.close()
    return counts[0], counts[1]


def work(prefix: str, worker: int) -> tuple[int, int]:
    return asyncio.run(_work(prefix, worker))


async def test_four_processes_admit_ten_of_a_hundred() -> None:
    prefix = f"{{test-{uuid.uuid4()}}}"
    store = RedisStore.connect(URL, prefix=prefix)
    await store.load({}, [])
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        loop = asyncio.get_running_loop()
        counts = await asyncio.gather(
            *(loop.run_in_executor(processes, work, prefix, worker) for worker in range(4))
        )
    assert sum(money for money, _ in counts) == 10
    assert sum(admitted for _, admitted in counts) == 10
    assert await spent_and_held(store, MONEY) == [(0, 1000)]
    for call in await store.open_calls(NOW + 1):
        await store.settle(call, 90, 1, NOW)
    assert await spent_and_held(store, MONEY) == [(900, 0)]
    async for key in store._client.scan_iter(f"{prefix}:*"):
        await store._client.unlink(key)
    await store.close()
