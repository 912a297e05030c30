"""A call whose cost nobody can tell is counted as such until somebody can: once, in every sum and list."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db.models import Sum
from django.http import QueryDict

from tests.usage_app.conftest import read_all
from tests.usage_app.test_ledger import assert_balanced, sums
from tests.usage_app.workload import MONTH, NOON_MS, a_begin, an_attempt, an_end
from usage_app.filters import RequestFilter
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.ledger_batching import Batcher
from usage_app.models import ClaimRollup, DayRollup, LedgerSettings, Request, Rollup
from usage_app.records import BATCH_CAUSE, Adjust

pytestmark = pytest.mark.django_db(transaction=True)


def unpriced_calls() -> tuple[int, int]:
    """By the sums, and by the list that the banner opens."""
    found = Rollup.objects.aggregate(n=Sum("unpriced_requests"))["n"] or 0
    for days in (DayRollup.objects.filter(zone="UTC"), ClaimRollup.objects.filter(zone="UTC", kind="client")):
        assert (days.aggregate(n=Sum("unpriced_requests"))["n"] or 0) == found
    listed = RequestFilter(QueryDict("unpriced=1"), queryset=Request.objects.all()).qs.count()
    return found, listed


@pytest.mark.parametrize("reads", ["at once", "one by one", "killed"])
@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"cost_nanodollars": 3_500_000}, 0),
        ({"cost_nanodollars": 0}, 0),
        ({"cost_nanodollars": None}, 1),
        ({"cost_nanodollars": None, "status": "error", "usage_source": "none"}, 0),  # it cost nothing
    ],
)
def test_an_interrupted_call_leaves_the_unpriced_once_its_late_end_tells_what_it_cost(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path, reads: str, told: dict[str, Any], left: int
) -> None:
    LedgerSettings.objects.create(pk=1, reporting_zone="UTC")
    begin = a_begin()
    writer.append(begin)
    writer.append(an_attempt(begin.id))
    writer.close()
    if reads != "at once":
        read_all(ledger)
        assert unpriced_calls() == (1, 1)
    other = JournalWriter(journal_dir, "worker-2", spare_bytes=0, minimum_free_bytes=0)
    other.open()
    for _ in range(3):
        other.append(an_end(begin.id, **told))
        if reads == "one by one":
            read_all(ledger)
    other.close()
    if reads == "killed":
        with (
            patch.object(Batcher, "_move_offset", side_effect=OSError("killed")),
            pytest.raises(OSError, match="killed"),
        ):
            read_all(ledger)
        assert unpriced_calls() == (1, 1)
        ledger.unlock()
        ledger = Ledger(journal_dir, "here")
        ledger.lock()
    read_all(ledger)
    ledger.unlock()
    assert unpriced_calls() == (left, left)
    assert sums() == (1, told["cost_nanodollars"] or 0)
    assert_balanced()


@pytest.mark.parametrize("order", ["before", "with", "after"])
def test_an_unpriced_batch_leaves_the_unpriced_when_its_cost_comes(
    writer: JournalWriter, ledger: Ledger, order: str
) -> None:
    LedgerSettings.objects.create(pk=1, reporting_zone="UTC")
    end = an_end(cost_nanodollars=None)
    records = [end, Adjust(end.id, NOON_MS + 9, BATCH_CAUSE, 500, (MONTH,))]
    for record in records[::-1] if order == "before" else records:
        writer.append(record)
        if order != "with":
            read_all(ledger)
    for record in [records[1], Adjust(end.id, NOON_MS + 9, "invoice", 70, (MONTH,))]:
        writer.append(record)
    read_all(ledger)
    assert unpriced_calls() == (0, 0)
    assert sums() == (1, 570)


def test_what_tells_no_cost_leaves_a_call_unpriced(writer: JournalWriter, ledger: Ledger) -> None:
    LedgerSettings.objects.create(pk=1, reporting_zone="UTC")
    end = an_end(cost_nanodollars=None)
    writer.append(end)
    writer.append(Adjust(end.id, NOON_MS + 9, "invoice", 70, (MONTH,)))
    read_all(ledger)
    assert unpriced_calls() == (1, 1)


@pytest.mark.parametrize("reads", ["at once", "one by one"])
@pytest.mark.parametrize("first", ["correction", "end"])
def test_a_late_end_and_a_correction_of_one_call_charge_what_the_end_tells(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path, first: str, reads: str
) -> None:
    """The correction was computed from what was known before the end, whichever is read first."""
    LedgerSettings.objects.create(pk=1, reporting_zone="UTC")
    begin = a_begin()
    writer.append(begin)
    writer.append(an_attempt(begin.id))
    writer.close()
    read_all(ledger)
    other = JournalWriter(journal_dir, "worker-2", spare_bytes=0, minimum_free_bytes=0)
    other.open()
    told = [
        Adjust(begin.id, NOON_MS + 9, "price:1", 900_000, (MONTH,)),
        an_end(begin.id, cost_nanodollars=3_500_000),
    ]
    for record in told if first == "correction" else told[::-1]:
        other.append(record)
        if reads == "one by one":
            read_all(ledger)
    read_all(ledger)
    other.close()
    assert unpriced_calls() == (0, 0)
    assert sums() == (1, 3_500_000)
    assert_balanced()
