"""The limit store of one worker."""

import pytest

from keys_app.limits import MemoryStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.keys_app.limits.store_suite import StoreSuite


@pytest.fixture
def fresh_store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def store(fresh_store: MemoryStore) -> MemoryStore:
    await fresh_store.load({}, [])
    return fresh_store


class TestMemoryStore(StoreSuite):
    pass


async def test_ended_periods_and_quiet_windows_are_forgotten(store: MemoryStore) -> None:
    store._until_sweep = 2
    await store.reserve("old", demand(budget("old", resets_at_ms=NOW), rate("quiet", requests=5)), 1, 1, NOW)
    await store.settle("old", 1, 1, NOW)
    await store.reserve("open", demand(budget("kept", resets_at_ms=NOW)), 1, 1, NOW + 2 * 86_400_000)
    assert set(store._counters) == {("kept", "2026-11")}
    assert not store._windows
