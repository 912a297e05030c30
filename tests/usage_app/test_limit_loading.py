"""What a fresh limit store is filled with, and what a vanished call is charged to: also after a fallback."""

from pathlib import Path
from threading import Thread

import msgspec
import pytest
from django.db import connection

from gateway_project.clock import now_ms
from keys_app.limits.contract import OpenHold
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import (
    BUDGET,
    MONTH,
    a_batch,
    a_begin,
    a_progress,
    an_attempt,
    an_end,
    call_id,
)
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.limit_loading import read_standing
from usage_app.models import BudgetSpend, Price
from usage_app.records import Adjust, Charge, Stored, later_cost
from usage_app.stored import HELD_FOR

pytestmark = pytest.mark.django_db(transaction=True)

DEARER = "01a00000-0000-7000-8000-0000000000bb"
DEARER_CHARGE = Charge(DEARER, MONTH.period)
BOTH = (MONTH, DEARER_CHARGE)


def fallen_back(writer: JournalWriter, call: str, charges: tuple[Charge, ...], held: int) -> None:
    """A call whose second deployment brought budgets of its own and a higher hold."""
    writer.append(a_begin(call))
    writer.append(an_attempt(call))
    second = an_attempt(call, number=2)
    second.charges, second.held_nanodollars = charges, held
    writer.append(second)


def test_a_fallbacks_hold_and_budgets_are_those_of_its_last_attempt(writer: JournalWriter) -> None:
    call = call_id()
    fallen_back(writer, call, BOTH, 9_000)
    begun_ms = a_begin(call).at_ms
    pairs = ((BUDGET, MONTH.period), (DEARER, MONTH.period))
    assert read_standing(writer.folder.parent)[1] == [OpenHold(call, pairs, 9_000, begun_ms)]


def test_a_stream_holds_what_its_slices_grew_to(writer: JournalWriter) -> None:
    call = call_id()
    fallen_back(writer, call, BOTH, 9_000)
    for held in (20_000, 15_000):
        progress = a_progress(call, 100)
        progress.held_nanodollars = held
        writer.append(progress)
    (hold,) = read_standing(writer.folder.parent)[1]
    assert hold.nanodollars == 20_000


def test_what_has_ended_or_has_no_budget_any_more_holds_nothing(writer: JournalWriter) -> None:
    over, free = call_id(), call_id()
    fallen_back(writer, over, BOTH, 9_000)
    writer.append(an_end(over))
    fallen_back(writer, free, (), 0)
    assert read_standing(writer.folder.parent)[1] == []


def test_a_vanished_call_is_charged_to_the_budgets_of_its_last_attempt(
    writer: JournalWriter, ledger: Ledger
) -> None:
    price = Price.objects.create(
        provider_kind="openai", model="gpt-4o", input_nanodollars=10**9, output_nanodollars=4 * 10**9
    )
    call = call_id()
    writer.append(a_begin(call))
    writer.append(an_attempt(call))
    second = an_attempt(call, number=2, price_id=str(price.id))
    second.charges = (DEARER_CHARGE,)
    writer.append(second)
    writer.close()
    read_all(ledger)
    spent = BudgetSpend.objects.values_list("budget_id", "spent_nanodollars")
    assert [(str(budget), amount) for budget, amount in spent] == [(DEARER, 1_000_000)]


PAIR = (BUDGET, MONTH.period)


def made_batch(writer: JournalWriter, *, is_over: bool = True, **changes: object) -> Stored:
    """What a worker writes of a call that makes a batch."""
    batch = a_batch(**changes)
    writer.append(a_begin(batch.id, endpoint="batches", held_nanodollars=5_000))
    writer.append(an_attempt(batch.id))
    writer.append(batch)
    if is_over:
        writer.append(an_end(batch.id, endpoint="batches", cost_nanodollars=0))
    return batch


def standing(writer: JournalWriter) -> tuple[int, list[OpenHold], list[str]]:
    spend, holds, adjusted, _newest = read_standing(Path(writer.folder.parent))
    return spend.get(PAIR, 0), holds, adjusted


@pytest.mark.parametrize("is_over", [True, False])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_batch_under_way_is_held_once_for_its_later_cost(
    writer: JournalWriter, ledger: Ledger, is_over: bool, is_written: bool
) -> None:
    batch = made_batch(writer, is_over=is_over)
    if is_written:
        ledger.step()
    name = later_cost(batch.id)
    assert standing(writer) == (0, [OpenHold(name, (PAIR,), 5_000, batch.at_ms, is_later=True)], [])


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_batch_that_is_charged_and_not_noted_so_is_counted_once_and_holds_nothing(
    writer: JournalWriter, ledger: Ledger, written: int
) -> None:
    batch = made_batch(writer)
    ledger.step()
    for told in range(2):  # two workers found it done
        if written == told:
            ledger.step()
        writer.append(Adjust(batch.id, now_ms(), "batch", 3_000, (MONTH,)))
    if written == 2:
        ledger.step()
    assert standing(writer) == (3_000, [], [later_cost(batch.id)])


@pytest.mark.parametrize("state", ["kept", "gone"])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_batch_that_is_done_or_gone_holds_nothing_in_whichever_journal_that_stands(
    writer: JournalWriter, ledger: Ledger, state: str, is_written: bool
) -> None:
    earlier = JournalWriter(writer.folder.parent, "worker-0", spare_bytes=0, minimum_free_bytes=0)
    earlier.open()
    batch = made_batch(writer)
    earlier.append(msgspec.structs.replace(batch, state=state))
    # The files of its result bear the id of its call too.
    earlier.append(msgspec.structs.replace(batch, state="kept", kind="file", object_id="file-1"))
    if is_written:
        ledger.step()
    earlier.close()
    assert standing(writer)[1] == []


def test_a_batch_that_nobody_could_look_at_for_too_long_holds_nothing(
    writer: JournalWriter, ledger: Ledger
) -> None:
    made_batch(writer, at_ms=now_ms() - round(HELD_FOR.total_seconds() * 1000))
    ledger.step()
    assert standing(writer)[1] == []


@pytest.mark.services
def test_sums_and_positions_are_of_one_moment_while_the_ledger_goes_on(
    writer: JournalWriter, ledger: Ledger
) -> None:
    """On PostgreSQL, where each question by itself sees what was committed before it."""
    writer.append(an_end(cost_nanodollars=700))
    written: list[str] = []

    def write_meanwhile(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        if "journaloffset" in sql and not written:
            written.append(sql)
            thread = Thread(target=step)
            thread.start()
            thread.join()
        return execute(sql, params, many, context)

    def step() -> None:
        ledger.step()
        connection.close()

    with connection.execute_wrapper(write_meanwhile):
        assert standing(writer)[0] == 700
    assert written
    assert standing(writer)[0] == 700
