"""What the ledger process settles once more where limits are shared."""

import threading
from collections import deque
from collections.abc import Collection, Sequence

import pytest

from keys_app.limits import MemoryStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import an_end, call_id
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.ledger_rows import SettledCall
from usage_app.limit_settling import (
    LATE_AFTER_MS,
    LOST_AFTER_MS,
    LimitSettler,
    read_rows,
    settle_late,
    settle_waiting,
)
from usage_app.records import Charge, Tokens

ASKED = demand(budget(limit=1000), rate(parallel=1))
CHARGED = SettledCall("call-1", "ok", 250, 5, 5, (Charge("b1", "2026-11"),))


class Away(MemoryStore):
    """A store that does not answer the first few times it is told of an end."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.settled: list[str] = []
        self.answered = threading.Event()

    async def settle(
        self,
        call_id: str,
        nanodollars: int,
        tokens: int,
        now_ms: int,
        charges: Collection[tuple[str, str]] | None = None,
        output_tokens: int = 0,
    ) -> bool:
        if self.failures:
            self.failures -= 1
            return False
        self.settled.append(call_id)
        self.answered.set()
        return await super().settle(call_id, nanodollars, tokens, now_ms, charges, output_tokens)


async def held(store: MemoryStore, *calls: str) -> MemoryStore:
    await store.load({}, [])
    for call in calls:
        await store.reserve(call, demand(budget(limit=1000)), 100, 1, NOW)
    return store


async def test_what_the_store_missed_waits_for_it() -> None:
    store = Away(failures=1)
    waiting = deque([CHARGED, CHARGED])
    assert await settle_waiting(store, waiting) is False
    assert len(waiting) == 2
    assert await settle_waiting(store, waiting) is True
    assert not waiting


def test_a_store_that_was_away_is_told_without_another_batch() -> None:
    store = Away(failures=3)
    settler = LimitSettler(lambda: store, sweep_every_s=3600, retry_s=0.001)
    settler([CHARGED])
    assert store.answered.wait(5)
    settler.close()
    assert store.settled == ["call-1"]


def test_an_interrupted_call_is_settled_even_when_nothing_was_charged() -> None:
    store = Away(failures=0)
    settler = LimitSettler(lambda: store, sweep_every_s=3600)
    settler([SettledCall("plain", "ok", 1, 1, 1), SettledCall("cut", "interrupted", 1, 1, 1)])
    settler.close()
    assert store.settled == ["cut"]


async def test_a_late_hold_ends_by_its_row_and_one_that_is_younger_stays() -> None:
    store = await held(MemoryStore(), "call-1", "call-2")

    async def rows_of(ids: Sequence[str]) -> list[SettledCall]:
        return [call for call in [CHARGED] if call.id in ids]

    await settle_late(store, NOW + LATE_AFTER_MS - 1, rows_of)
    assert set(await store.open_calls(NOW + 1)) == {"call-1", "call-2"}
    await settle_late(store, NOW + LATE_AFTER_MS + 1, rows_of)
    assert await store.open_calls(NOW + 1) == ("call-2",)
    (money, *_) = await store.state(ASKED, NOW)
    assert money.spent == 250


async def test_only_time_drops_a_hold_whose_call_never_began() -> None:
    store = await held(MemoryStore(), "call-1")

    async def no_rows(ids: Sequence[str]) -> list[SettledCall]:
        return []

    await settle_late(store, NOW + LOST_AFTER_MS, no_rows)
    assert await store.open_calls(NOW + 1) == ("call-1",)
    await settle_late(store, NOW + LOST_AFTER_MS + 1, no_rows)
    assert await store.open_calls(NOW + 1) == ()
    (money, *_) = await store.state(ASKED, NOW)
    assert (money.spent, money.held) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_row_tells_what_its_call_cost(writer: JournalWriter, ledger: Ledger) -> None:
    written = call_id()
    writer.append(an_end(written, tokens=Tokens(7, 0, 0, 0, 3, 0), cost_nanodollars=42))
    read_all(ledger)
    assert read_rows([written, call_id()]) == [SettledCall(written, "ok", 42, 7, 3)]
