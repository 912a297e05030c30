"""Whatever is written, read twice, adjusted or interrupted: sums of roll-ups are sums of rows."""

import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase

from gateway_project.clock import from_ms, now, uuid7_at
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import (
    MONTH,
    NOON_MS,
    OTHER_DEPLOYMENT,
    a_begin,
    a_progress,
    a_refusal,
    after_failures,
    an_attempt,
    an_end,
    failed_tries,
)
from usage_app.histograms import BOUNDS_MS, BUCKETS, bucket_of, percentile
from usage_app.journal import JournalWriter, new_worker_id
from usage_app.ledger import Ledger
from usage_app.ledger_audit import Difference, budget_differences, check_everything, check_quarters
from usage_app.ledger_series import UTC_ZONE, reporting_zone, series_since
from usage_app.ledger_upkeep import Auditor, Upkeep
from usage_app.models import (
    Adjustment,
    Alert,
    Attempt,
    BudgetSpend,
    DayRollup,
    LedgerSettings,
    LedgerStatus,
    Request,
    Rollup,
)
from usage_app.records import Adjust, Caller
from usage_app.reports import balance
from usage_app.rollups import FAILURES, microseconds

CALLS = 12


def call(number: int) -> tuple[str, int]:
    """A few calls over two days, so that they meet again in the generated journals."""
    at_ms = NOON_MS + number * 4 * 3_600_000 + number
    return str(uuid7_at(at_ms, number)), at_ms


def record(kind: str, number: int, cost: int | None, status: str) -> Any:
    call_id, at_ms = call(number)
    match kind:
        case "begin":
            return a_begin(call_id, at_ms=at_ms)
        case "attempt":
            return an_attempt(call_id, at_ms=at_ms)
        case "progress":
            return a_progress(call_id, number, at_ms=at_ms)
        case "end":
            caller = Caller(key_id=f"key-{number % 2}", tags=("a", "b")[: number % 3])
            end = an_end(call_id, at_ms=at_ms, cost_nanodollars=cost, status=status, caller=caller)
            return after_failures(end, failed_tries(number % 4, at_ms))
        case "refusal":
            return a_refusal(at_ms=at_ms, repeated=number + 1)
        case _:
            return Adjust(call_id, at_ms, f"cause {number % 2}", cost or 0, (MONTH,))


RECORDS = st.builds(
    record,
    st.sampled_from(["begin", "attempt", "progress", "end", "end", "refusal", "adjust"]),
    st.integers(0, CALLS - 1),
    st.one_of(st.none(), st.integers(-(10**6), 10**12)),
    st.sampled_from(["ok", "error", "cancelled", "truncated"]),
)
#: What happens between records: the ledger reads, is killed (its memory is lost), or a worker dies.
STEPS = st.one_of(RECORDS, RECORDS, RECORDS, st.sampled_from(["read", "restart", "worker dies"]))


def differences() -> list[Difference]:
    since = series_since()
    zones = [(zone, since[zone.key]) for zone in {reporting_zone(), UTC_ZONE} if zone.key in since]
    return [d for d in (*check_everything(zones), *budget_differences()) if not d.is_zero]


@pytest.mark.django_db(transaction=True)  # on PostgreSQL too
class SumsEqualRows(TransactionTestCase):
    """Each example has a database of its own."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEPS, max_size=40), zone=st.sampled_from(["UTC", "Asia/Kolkata"]))
    def test_for_any_workload(self, steps: list[Any], zone: str) -> None:
        LedgerSettings.objects.create(pk=1, reporting_zone=zone)
        with tempfile.TemporaryDirectory() as folder:
            self.play(Path(folder), steps)
        assert differences() == []
        rows = Request.objects.aggregate(n=Sum("repeated"), cost=Sum("cost_nanodollars"))
        late = Adjustment.objects.filter(is_applied=True).aggregate(cost=Sum("cost_nanodollars"))["cost"] or 0
        for table in (Rollup.objects.all(), DayRollup.objects.filter(zone=zone)):
            sums = table.aggregate(n=Sum("requests"), cost=Sum("cost_nanodollars"))
            assert (sums["n"] or 0) == (rows["n"] or 0)
            assert (sums["cost"] or 0) == (rows["cost"] or 0) + late
            speed = table.aggregate(tokens=Sum("timed_output_tokens"), time=Sum("timed_us"))
            assert (speed["tokens"] or 0, speed["time"] or 0) == self.timed()
            tried = table.filter(failed_attempts__gt=0).values_list("deployment_id")
            assert dict(tried.annotate(n=Sum("failed_attempts"))) == self.failed_before()
            assert not any(table.filter(deployment_id=OTHER_DEPLOYMENT).aggregate(Sum("requests")).values())
        begun = {r.id for r in steps if not isinstance(r, str) and type(r).__name__ == "Begin"}
        ended = {r.id for r in steps if not isinstance(r, str) and type(r).__name__ == "End"}
        assert {str(pk) for pk in Request.objects.values_list("pk", flat=True)} == begun | ended
        assert not Alert.objects.exists()

    def timed(self) -> tuple[int, int]:
        """From the rows: output tokens, and how long these calls took in microseconds."""
        rows = Request.objects.exclude(status="refused").exclude(latency_ms=None).filter(output_tokens__gt=0)
        found = list(rows.values_list("output_tokens", "latency_ms"))
        return sum(tokens for tokens, _ in found), sum(microseconds(took) for _, took in found)

    def failed_before(self) -> dict[str, int]:
        """By deployment, from the rows: attempts that failed and are not their call's own failure."""
        found: Counter[str] = Counter()
        for row in Request.objects.all():
            tries = list(Attempt.objects.filter(request_id=row.pk).order_by("number"))
            failed = [each for each in tries if each.status in FAILURES]
            if row.status in FAILURES and failed and failed[-1] is tries[-1]:
                failed.pop()
            found.update(each.deployment_id for each in failed)
        return dict(found)

    def play(self, folder: Path, steps: list[Any]) -> None:
        writer = self.worker(folder)
        ledger = self.ledger(folder)
        for step in steps:
            if step == "read":
                read_all(ledger)
            elif step == "restart":
                ledger.unlock()
                ledger = self.ledger(folder)
            elif step == "worker dies":
                writer.close()
                writer = self.worker(folder)
            else:
                writer.append(step)
        writer.close()
        read_all(ledger)
        ledger.unlock()

    @staticmethod
    def worker(folder: Path) -> JournalWriter:
        writer = JournalWriter(
            folder, new_worker_id(), segment_bytes=4_000, spare_bytes=0, minimum_free_bytes=0
        )
        writer.open()
        return writer

    @staticmethod
    def ledger(folder: Path) -> Ledger:
        ledger = Ledger(folder, "here")
        ledger._limit = 3  # many small batches
        ledger.lock()
        return ledger


@pytest.mark.django_db(transaction=True)
def test_the_self_audit_stores_a_balance_and_alarms(writer: JournalWriter, ledger: Ledger) -> None:
    at_ms = int(now().timestamp() * 1000)
    writer.append(an_end(at_ms=at_ms))
    read_all(ledger)
    clock = iter(range(0, 10_000, 100))
    auditor = Auditor("here")
    assert auditor.run(ledger._zones, lambda: float(next(clock)))
    found = balance()
    assert (found.difference_requests, found.difference_nanodollars) == (0, 0)
    assert found.checked_at is not None
    Rollup.objects.update(cost_nanodollars=1)
    auditor.note(1)
    assert auditor.run(ledger._zones, lambda: float(next(clock)) + 10_000)
    # The quarter differs from its row, and the day from its quarter.
    assert balance().difference_nanodollars == 2 * 7_499_999
    assert Alert.objects.filter(kind="ledger_difference", resolved_at=None).count() == 2
    Rollup.objects.update(cost_nanodollars=7_500_000)
    assert auditor.run(ledger._zones, lambda: float(next(clock)) + 90_000)
    assert balance().difference_nanodollars == 0
    assert not Alert.objects.filter(resolved_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_ledger_that_fell_silent_shows_as_lag() -> None:
    LedgerStatus.objects.create(host="here", seen_at=now() - timedelta(minutes=5))
    assert balance().lag_s == pytest.approx(300, abs=5)


@pytest.mark.django_db(transaction=True)
def test_retention_takes_rows_in_batches_and_leaves_the_sums(writer: JournalWriter, ledger: Ledger) -> None:
    LedgerSettings.objects.create(pk=1, keep_requests_days=30, price_list_version="as installed")
    old_ms = int((now() - timedelta(days=75)).timestamp() * 1000)
    new_ms = int((now() - timedelta(days=2)).timestamp() * 1000)
    for number in range(1_100):
        writer.append(an_end(str(uuid7_at(old_ms + number, number)), at_ms=old_ms + number))
    writer.append(an_end(str(uuid7_at(new_ms)), at_ms=new_ms))
    read_all(ledger)
    before = Rollup.objects.aggregate(n=Sum("requests"))["n"], DayRollup.objects.count()
    upkeep = Upkeep(clock_s=iter(range(0, 10**6, 1000)).__next__)
    upkeep.prices = Mock()
    upkeep.run()
    assert Request.objects.count() == 1
    assert Attempt.objects.count() == 1
    assert (Rollup.objects.aggregate(n=Sum("requests"))["n"], DayRollup.objects.count()) == before
    assert BudgetSpend.objects.get().spent_nanodollars > 7_500_000
    assert [d for d in check_everything([(UTC_ZONE, series_since()["UTC"])]) if not d.is_zero] == []
    start = from_ms(new_ms - new_ms % 900_000)
    assert check_quarters(start, start + timedelta(minutes=15)).is_zero


@given(st.lists(st.floats(0, 900_000), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(durations: list[float], percent: int) -> None:
    counts = [0] * BUCKETS
    for duration in durations:
        counts[bucket_of(duration)] += 1
    true = sorted(durations)[-(-percent * len(durations) // 100) - 1]
    bucket = bucket_of(true)
    low = BOUNDS_MS[bucket - 1] if bucket else 0.0
    high = BOUNDS_MS[bucket] if bucket < BUCKETS - 1 else 1_000_000.0
    found = percentile(counts, percent / 100)
    assert found is not None
    assert low * 0.999 <= found <= high * 1.001
    assert percentile([0] * BUCKETS, percent / 100) is None
    bounded = percentile(counts, percent / 100, min(durations), max(durations))
    assert bounded is not None
    assert min(durations) <= bounded <= max(durations)
