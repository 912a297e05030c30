"""What the ledger process settles once more where limits are shared."""

import threading
from collections import deque
from collections.abc import Collection, Sequence

import msgspec
import pytest

from gateway_project.clock import now_ms
from keys_app.limits import MemoryStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import MONTH, a_batch, a_begin, an_attempt, an_end, call_id
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.ledger_rows import SettledCall
from usage_app.limit_settling import (
    LATE_AFTER_MS,
    LOST_AFTER_MS,
    LimitSettler,
    read_over,
    read_rows,
    settle_late,
    settle_later,
    settle_waiting,
)
from usage_app.records import Adjust, Charge, Tokens, later_cost
from usage_app.stored import HELD_FOR, Later

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
        later: str = "",
    ) -> bool:
        if self.failures:
            self.failures -= 1
            return False
        self.settled.append(call_id)
        self.answered.set()
        return await super().settle(call_id, nanodollars, tokens, now_ms, charges, output_tokens, later)


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_together", [True, False])
@pytest.mark.parametrize("is_killed", [True, False])
def test_a_call_that_made_a_batch_goes_on_holding_for_it_however_its_worker_ended(
    writer: JournalWriter, ledger: Ledger, is_together: bool, is_killed: bool
) -> None:
    told: list[SettledCall] = []
    ledger.after_commit.append(told.extend)
    batch = a_batch()
    writer.append(a_begin(batch.id, endpoint="batches"))
    writer.append(an_attempt(batch.id))
    writer.append(batch)
    if not is_together:
        ledger.step()
    if not is_killed:
        writer.append(an_end(batch.id, endpoint="batches", cost_nanodollars=0))
    writer.close()
    read_all(ledger)
    [call] = told
    assert (call.id, call.later) == (batch.id, later_cost(batch.id))
    assert call.status == ("interrupted" if is_killed else "ok")
    assert [row.later for row in read_rows([batch.id])] == [later_cost(batch.id)]


async def test_settling_such_a_call_by_its_row_keeps_what_it_holds() -> None:
    store = await held(MemoryStore(), "call-1")
    row = SettledCall("call-1", "interrupted", 30, 5, 5, later="call-1/batch")
    assert await settle_waiting(store, deque([row, row]))
    assert await store.open_calls(NOW + 1) == ("call-1/batch",)
    (money, *_) = await store.state(ASKED, NOW)
    assert (money.spent, money.held) == (30, 100)


async def test_the_sweep_ends_only_holds_whose_batch_is_over() -> None:
    store = await held(MemoryStore(), "a", "b", "c", "plain")
    for call in "abc":
        await store.settle(call, 0, 0, NOW, later=f"{call}/batch")
    asked: list[str] = []

    async def over(ids: Sequence[str]) -> list[Later]:
        asked.extend(ids)
        charges = (("b1", "2026-11"),)
        return [Later("a/batch", charges, 70), Later("b/batch", charges, None)]

    async def no_rows(ids: Sequence[str]) -> list[SettledCall]:
        assert list(ids) == ["plain"]
        return []

    at_ms = NOW + LOST_AFTER_MS + 1
    await settle_late(store, at_ms, no_rows)
    for _ in range(2):
        await settle_later(store, at_ms, over)
    assert asked == ["a/batch", "b/batch", "c/batch", "c/batch"]
    assert await store.open_calls(NOW + 1) == ("c/batch",)
    (money, *_) = await store.state(ASKED, NOW)
    assert (money.spent, money.held) == (70, 100)


@pytest.mark.django_db(transaction=True)
def test_what_is_over_is_read_from_the_ledger(writer: JournalWriter, ledger: Ledger) -> None:
    waiting, done, gone, lost, told = (a_batch(object_id=f"batch_{number}") for number in range(5))
    lost = msgspec.structs.replace(lost, at_ms=now_ms() - round(HELD_FOR.total_seconds() * 1000))
    for batch in (waiting, done, gone, lost):
        writer.append(batch)
    writer.append(Adjust(done.id, now_ms(), "batch", 3_000, (MONTH,)))
    for batch, state in ((done, "kept"), (gone, "gone")):
        writer.append(msgspec.structs.replace(batch, state=state))
    read_all(ledger)
    pairs = ((MONTH.budget_id, MONTH.period),)
    ids = [later_cost(batch.id) for batch in (waiting, done, gone, lost, told)]
    assert sorted(read_over(ids)) == sorted(
        [
            Later(later_cost(done.id), pairs, 3_000),
            Later(later_cost(gone.id), pairs, None),
            Later(later_cost(lost.id), pairs, None),
        ]
    )
