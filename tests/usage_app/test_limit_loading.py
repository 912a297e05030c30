"""What a fresh limit store is filled with, and what a vanished call is charged to: also after a fallback."""

import pytest

from keys_app.limits.contract import OpenHold
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import BUDGET, MONTH, a_begin, a_progress, an_attempt, an_end, call_id
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.limit_loading import read_standing
from usage_app.models import BudgetSpend, Price
from usage_app.records import Charge

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
