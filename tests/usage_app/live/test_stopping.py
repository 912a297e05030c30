import asyncio
from collections.abc import AsyncIterator

import pytest
from channels.layers import InMemoryChannelLayer

from tests.usage_app.live.calls import live_call
from usage_app.live import LiveCall, Registry
from usage_app.live_publisher import LivePublisher
from usage_app.live_stopping import Wish, ask_workers, stop_calls
from usage_app.sight import EVERYTHING, Sight


class Worker:
    """A worker's registry and its voice; keeps what it was made to stop."""

    def __init__(self, layer: InMemoryChannelLayer, name: str) -> None:
        self.registry = Registry()
        self.stopped: list[str] = []
        self.publisher = LivePublisher(self.registry, layer, name, self._stop)

    def _stop(self, wish: dict) -> int:
        def end(call: LiveCall) -> bool:
            self.stopped.append(call.id)
            return True

        return stop_calls(Wish(**wish), self.registry.calls.values(), end)

    def open(self, **fields: object) -> LiveCall:
        call = live_call(**fields)
        self.registry.open(call)
        return call


@pytest.fixture
def layer() -> InMemoryChannelLayer:
    return InMemoryChannelLayer()


@pytest.fixture
async def workers(layer: InMemoryChannelLayer) -> AsyncIterator[list[Worker]]:
    both = [Worker(layer, "one"), Worker(layer, "two")]
    tasks = [asyncio.create_task(worker.publisher.run()) for worker in both]
    while len(layer.groups.get("live.workers", {})) < 2:
        await asyncio.sleep(0)
    yield both
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_worker_that_holds_a_call_ends_it_and_no_other(
    workers: list[Worker], layer: InMemoryChannelLayer
):
    wanted, _other = workers[1].open(), workers[0].open()
    assert await ask_workers(Wish.within(EVERYTHING, call_id=wanted.id), layer) == 1
    assert (workers[0].stopped, workers[1].stopped) == ([], [wanted.id])


async def test_all_calls_of_a_service_end_on_every_worker(workers: list[Worker], layer: InMemoryChannelLayer):
    for worker in workers:
        worker.open(service_id="shop"), worker.open(service_id="search")
    assert await ask_workers(Wish.within(EVERYTHING, service_id="shop"), layer) == 2


async def test_what_is_not_in_flight_is_not_stopped(workers: list[Worker], layer: InMemoryChannelLayer):
    assert await ask_workers(Wish.within(EVERYTHING, call_id="gone"), layer) == 0


@pytest.mark.parametrize(
    ("sight", "may"),
    [
        (EVERYTHING, True),
        (Sight(user_id="bob"), True),
        (Sight(service_ids=frozenset({"shop"})), True),
        (Sight(key_id="key-1"), True),
        (Sight(user_id="carol", service_ids=frozenset({"search"})), False),
        (Sight(key_id="key-2"), False),
        (Sight(), False),
    ],
)
def test_a_worker_ends_no_call_that_who_asks_may_not_see(sight: Sight, may: bool):
    call = live_call(user_id="bob", service_id="shop")
    for meant in ({"call_id": call.id}, {"key_id": call.key_id}, {"service_id": "shop"}):
        assert Wish.within(sight, **meant).covers(call) is may


def test_an_empty_wish_means_nothing():
    assert not Wish.within(EVERYTHING).covers(live_call())
    assert not Wish.within(Sight(user_id="")).covers(live_call())
