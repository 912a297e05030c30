"""Attempts that failed and whose calls others served are counted where they were made, and disturb no sum."""

from collections import Counter
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.usage_app.conftest import read_all
from tests.usage_app.workload import (
    NOON_MS,
    OTHER_DEPLOYMENT,
    OTHER_PROVIDER,
    a_begin,
    after_failures,
    an_attempt,
    an_end,
    call_id,
    failed_tries,
)
from usage_app.histograms import NO_BOUNDS
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.ledger_audit import check_everything
from usage_app.ledger_rows import countable
from usage_app.ledger_series import UTC_ZONE, series_since
from usage_app.models import DayRollup, KnownName, Rollup
from usage_app.models.rollup import DIMENSIONS
from usage_app.records import AttemptEnded, End
from usage_app.rollups import FAILURES, SUM_COLUMNS, ClaimValues, Sums

STATUSES = st.sampled_from(["ok", "error", "cancelled", "truncated", "interrupted", "refused"])
PLACE, COLUMN = DIMENSIONS.index("deployment_id"), SUM_COLUMNS.index("failed_attempts")


def tried(statuses: list[str], ended: str, at_ms: int) -> End:
    """A call whose attempts, each at a deployment of its own, ended so; the last is the call's."""
    end = an_end(at_ms=at_ms, status=ended)
    attempts: list[AttemptEnded] = []
    for number, status in enumerate(statuses, 1):
        (attempt,) = failed_tries(1, at_ms)
        attempt.number, attempt.status = number, status  # type: ignore[assignment]
        attempt.deployment_id = f"deployment-{number % 3}"
        attempts.append(attempt)
    end.attempts = attempts
    end.deployment_id = attempts[-1].deployment_id if attempts else ""
    return end


INSTANTS = st.integers(NOON_MS, NOON_MS + 10**7)
ENDS = st.lists(
    st.builds(tried, st.lists(STATUSES, max_size=4), STATUSES, INSTANTS),
    max_size=12,
)


def added_up(ends: list[End]) -> Sums:
    sums = Sums((UTC_ZONE,), Mock(spec=ClaimValues, admit=lambda _zone, _day, _kind, value: value))
    for end in ends:
        sums.add(countable(end))
    return sums


@given(ENDS)
def test_failed_attempts_add_up_by_deployment_and_change_no_other_sum(ends: list[End]) -> None:
    wanted: Counter[str] = Counter()
    for end in ends:
        for attempt in end.attempts:
            is_calls_own = attempt is end.attempts[-1] and end.status in FAILURES
            if attempt.status in FAILURES and not is_calls_own:
                wanted[attempt.deployment_id] += 1
    sums = added_up(ends)
    found: Counter[str] = Counter()
    others = {}
    for (at, keys), columns in sums.quarters.items():
        found[keys[PLACE]] += columns[COLUMN]
        rest = columns[:COLUMN] + columns[COLUMN + 1 :]
        if any(rest[: -len(NO_BOUNDS)]):
            others[at, keys] = rest
    for end in ends:
        end.attempts = []
    plain = added_up(ends)
    assert +found == wanted
    assert others == {key: row[:COLUMN] + row[COLUMN + 1 :] for key, row in plain.quarters.items()}
    assert sums.claims == plain.claims


@pytest.mark.django_db(transaction=True)
def test_the_audit_knows_failed_attempts(writer: JournalWriter, ledger: Ledger) -> None:
    for status in ("ok", "error"):
        writer.append(after_failures(an_end(status=status), failed_tries(2)))
    read_all(ledger)
    spans = [(UTC_ZONE, series_since()["UTC"])]
    assert [each for each in check_everything(spans) if not each.is_zero] == []
    for table in (Rollup, DayRollup):
        rows = table._default_manager.filter(deployment_id=OTHER_DEPLOYMENT)
        assert {row.status: row.failed_attempts for row in rows} == {"ok": 2, "error": 2}
    assert KnownName.objects.get(kind="provider", ref=OTHER_PROVIDER).name == "gemini"
    assert KnownName.objects.get(kind="deployment", ref=OTHER_DEPLOYMENT).name == "gemini/gemini-2.5-pro"
    Rollup.objects.filter(deployment_id=OTHER_DEPLOYMENT, status="ok").update(failed_attempts=3)
    assert {each.attempts for each in check_everything(spans) if not each.is_zero} == {1, -1}


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_vanished_leaves_its_earlier_attempts_counted(
    writer: JournalWriter, ledger: Ledger
) -> None:
    name = call_id()
    for record in (a_begin(name), an_attempt(name, 1), an_attempt(name, 2)):
        writer.append(record)
    writer.close()
    read_all(ledger)
    row = Rollup.objects.get()
    assert (row.status, row.requests, row.failed_attempts) == ("interrupted", 1, 1)
    assert all(each.is_zero for each in check_everything([(UTC_ZONE, series_since()["UTC"])]))
