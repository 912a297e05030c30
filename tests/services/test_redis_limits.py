"""The limit store of many workers, on a real Redis."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from gateway_project.errors import LimitsUnavailable
from keys_app.limits import NO_DEMAND, UNLIMITED, LimitStore
from keys_app.limits.contract import UNCHECKED
from keys_app.limits.redis import RedisStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.keys_app.limits.machine import StoreMachine
from tests.keys_app.limits.store_suite import StoreSuite, admitted, spent_and_held

pytestmark = pytest.mark.services

URL = os.environ.get("GATEHOUSE_TEST_REDIS_URL", "redis://127.0.0.1:6379/7")


def open_redis(prefix: str | None = None, *, fail_open: bool = False, url: str = URL) -> RedisStore:
    return RedisStore.connect(url, prefix=prefix or f"{{test-{uuid.uuid4()}}}", fail_open=fail_open)


async def remove_keys(store: RedisStore) -> None:
    async for key in store._client.scan_iter(f"{store._prefix}:*", count=1000):
        await store._client.unlink(key)


@pytest.fixture
async def fresh_store() -> AsyncIterator[RedisStore]:
    store = open_redis()
    yield store
    await remove_keys(store)
    await store.close()


@pytest.fixture
async def store(fresh_store: RedisStore) -> RedisStore:
    await fresh_store.load({}, [])
    return fresh_store


class TestRedisStore(StoreSuite):
    pass


class RedisMachine(StoreMachine):
    def make_store(self) -> LimitStore:
        return open_redis()

    def clean(self) -> None:
        self.run(remove_keys(self.store))


TestRedisMachine = RedisMachine.TestCase
TestRedisMachine.pytestmark = [pytest.mark.services]
TestRedisMachine.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


async def test_two_workers_share_every_count(store: RedisStore) -> None:
    other = open_redis(store._prefix)
    await other.load({("b1", "2026-11"): 10**9}, [])  # an epoch is in use: this is not taken
    wanted = demand(budget(limit=1000), rate(requests=3))
    await store.reserve("a", wanted, 400, 1, NOW)
    assert await spent_and_held(other, wanted) == [(0, 400), (1, 0)]
    await other.settle("a", 300, 1, NOW)
    assert await spent_and_held(store, wanted) == [(300, 0), (1, 0)]
    await other.close()


async def test_a_flushed_redis_refuses_limited_calls_until_it_is_loaded_again(store: RedisStore) -> None:
    wanted = demand(budget(limit=1000))
    await store.reserve("a", wanted, 400, 1, NOW)
    await remove_keys(store)
    with pytest.raises(LimitsUnavailable):
        await store.reserve("b", wanted, 1, 1, NOW)
    assert store.needs_load
    assert not await store.settle("a", 100, 1, NOW)
    await store.load({("b1", "2026-11"): 900}, [])
    assert not store.needs_load
    assert await spent_and_held(store, wanted) == [(900, 0)]


async def test_counts_of_another_server_process_are_not_trusted(store: RedisStore) -> None:
    wanted = demand(budget(limit=1000))
    await store.reserve("a", wanted, 400, 1, NOW)
    await store._client.hset(store._epoch, "run", "the process before the restart")
    later = open_redis(store._prefix)
    with pytest.raises(LimitsUnavailable):
        await later.reserve("b", wanted, 1, 1, NOW)
    await later.load({("b1", "2026-11"): 500}, [])
    assert await spent_and_held(later, wanted) == [(500, 0)]
    epochs = {key.split(":")[1] async for key in later._client.scan_iter(f"{store._prefix}:*")}
    assert len(epochs) == 2  # 'epoch' itself and the one in use: nothing is left of the ended one
    await later.close()


async def test_of_two_that_load_at_once_one_is_taken_whole(fresh_store: RedisStore) -> None:
    other = open_redis(fresh_store._prefix)
    run = await fresh_store._server()
    await fresh_store._fill(run, {("b1", "2026-11"): 1}, [])
    await other._fill(run, {("b1", "2026-11"): 2}, [])
    await other.load({}, [])
    assert await spent_and_held(other, demand(budget())) == [(1, 0)]
    keys = [key async for key in other._client.scan_iter(f"{fresh_store._prefix}:*:b:*")]
    assert len(keys) == 1
    await other.close()


class Line:
    """A way to Redis that can go dead: it still accepts and takes, and answers nothing."""

    def __init__(self) -> None:
        self.alive = asyncio.Event()
        self.alive.set()
        self.accepted = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"redis://127.0.0.1:{port}{urlsplit(URL).path}"

    async def close(self) -> None:
        self.alive.set()
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        target = urlsplit(URL)
        theirs, ours = await asyncio.open_connection(target.hostname, target.port)
        self._writers += [writer, ours]
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, ours))
                both.create_task(self._pass(theirs, writer))
        finally:
            writer.close()
            ours.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self.alive.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    await line.close()


async def test_a_redis_that_never_answers_holds_up_a_few_calls_and_no_more(line: Line) -> None:
    store = open_redis(url=await line.open())
    wanted = demand(budget())
    await store.load({}, [])
    line.alive.clear()
    for number in range(3):
        with pytest.raises(LimitsUnavailable):
            await store.reserve(f"c{number}", wanted, 1, 1, NOW)
    began, tried = time.monotonic(), line.accepted
    for number in range(100):
        with pytest.raises(LimitsUnavailable):
            await store.reserve(f"d{number}", wanted, 1, 1, NOW)
    assert time.monotonic() - began < 0.1
    assert line.accepted == tried
    assert await store.reserve("unlimited", NO_DEMAND, 1, 1, NOW) is UNLIMITED

    line.alive.set()
    await asyncio.wait(store._breaker._tasks._running, timeout=10)
    await store.reserve("again", wanted, 1, 1, NOW)
    # What reached Redis without an answer to us holds nothing.
    assert await store.open_calls(NOW + 1) == ("again",)
    await remove_keys(store)
    await store.close()


async def test_limited_calls_are_served_during_an_outage_when_that_is_asked_for() -> None:
    store = open_redis(url="redis://127.0.0.1:1/0", fail_open=True)
    for number in range(5):
        assert await store.left(demand(budget())) is None
        assert await store.reserve(f"c{number}", demand(budget()), 1, 1, NOW) is UNCHECKED
        assert not await store.settle(f"c{number}", 1, 1, NOW)
    await store.close()


async def test_fifty_calls_over_several_connections_cannot_pass_a_budget_of_ten(store: RedisStore) -> None:
    stores = [open_redis(store._prefix) for _ in range(4)]
    counts = await asyncio.gather(
        *(
            admitted(each, demand(budget(limit=1000)), 25, 100, NOW, f"w{index}-")
            for index, each in enumerate(stores)
        )
    )
    assert sum(counts) == 10
    for each in stores:
        await each.close()
