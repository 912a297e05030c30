"""Reports against brute force: every figure of a page is the sum of the rows it stands for."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway_project.clock import now, uuid7
from keys_app.models import Membership, Service, User, VirtualKey
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import (
    ALICE,
    BOB,
    CALLER,
    CHAT,
    KEY,
    OTHER_KEY,
    SEARCH,
    a_refusal,
    an_end,
    call_id,
)
from usage_app import reports
from usage_app.charts import MEASURES
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.models import DayRollup, LedgerSettings, Request, Rollup
from usage_app.records import End, Tokens
from usage_app.reports import Filters, Totals
from usage_app.reports_grid import grid
from usage_app.reports_names import names_of
from usage_app.reports_ranges import spans_over_time
from usage_app.reports_spans import snap
from usage_app.rollups import microseconds
from usage_app.selection import LONGEST, span
from usage_app.sight import EVERYTHING, Sight, sight_of

pytestmark = pytest.mark.django_db(transaction=True)
NOW = now().replace(minute=0, second=0, microsecond=0)
ALL = Filters()


def some_calls(count: int, days: float, seed: int = 1) -> list[End]:
    dice = random.Random(seed)
    ends = []
    for _ in range(count):
        at = NOW - timedelta(seconds=dice.randrange(int(days * 86_400)))
        at_ms = int(at.timestamp() * 1000) + dice.randrange(1000)
        caller = msgspec.structs.replace(
            CALLER,
            key_id=dice.choice([KEY, OTHER_KEY]),
            user_id=dice.choice([ALICE, BOB]),
            service_id=dice.choice([SEARCH, CHAT, ""]),
            environment=dice.choice(["production", "test"]),
        )
        if dice.random() < 0.2:
            ends.append(a_refusal(at_ms=at_ms, caller=caller, repeated=dice.choice([1, 7])))
            continue
        status = dice.choice(["ok", "ok", "ok", "error", "cancelled", "truncated", "interrupted"])
        ends.append(
            an_end(
                call_id(at_ms),
                at_ms=at_ms,
                caller=caller,
                status=status,
                model=dice.choice(["gpt-4o", "claude-sonnet-4-5", "sandbox/fast"]),
                cost_nanodollars=None if dice.random() < 0.1 else dice.randrange(10**9),
                usage_source="provider" if dice.random() < 0.8 else "estimate",
                tokens=Tokens(dice.randrange(9_000), dice.randrange(100), 5, 0, dice.randrange(900), 3),
                latency_ms=float(dice.randrange(5, 60_000)),
                ttft_ms=float(dice.randrange(5, 6_000)),
            )
        )
    return ends


def write(writer: JournalWriter, ledger: Ledger, ends: list[End]) -> None:
    for end in ends:
        writer.append(end)
    read_all(ledger)


def brute(rows: Any) -> Totals:
    """The same figures from the rows; percentiles apart."""
    out: dict[str, int] = defaultdict(int)
    for row in rows:
        out["requests"] += row.repeated
        if row.status in ("error", "truncated", "interrupted"):
            out["errors"] += row.repeated
        for status in ("refused", "cancelled"):
            out[status] += row.repeated if row.status == status else 0
        for kind in ("input", "cache_read", "cache_write", "output", "reasoning"):
            out[f"{kind}_tokens"] += getattr(row, f"{kind}_tokens") or 0
        if row.status != "refused" and row.output_tokens and row.latency_ms is not None:
            out["timed_output_tokens"] += row.output_tokens
            out["timed_us"] += microseconds(row.latency_ms)
        out["cost_nanodollars"] += row.cost_nanodollars or 0
        if row.usage_source == "estimate":
            out["estimated_cost_nanodollars"] += row.cost_nanodollars or 0
            finished = row.status != "interrupted"
            out["estimated_finished_nanodollars"] += (row.cost_nanodollars or 0) * finished
        if row.status == "interrupted":
            out["interrupted_cost_nanodollars"] += row.cost_nanodollars or 0
        if row.cost_nanodollars is None and row.status != "refused":
            out["unpriced_requests"] += row.repeated
    return Totals(**out)


def plain(totals: Totals) -> Totals:
    """Without the percentiles, which are compared apart."""
    figures = {name: value for name, value in vars(totals).items() if not name.endswith("_ms")}
    return Totals(**figures)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York", "Asia/Kathmandu"])
def test_every_range_breakdown_and_series_equals_the_rows(
    writer: JournalWriter, ledger: Ledger, zone: str
) -> None:
    LedgerSettings.objects.create(pk=1, reporting_zone=zone)
    write(writer, ledger, some_calls(400, days=6))
    dice = random.Random(zone)
    here = ZoneInfo(zone)
    midnight = NOW.astimezone(here).replace(hour=0)
    ranges = [(midnight - timedelta(days=4), midnight), (NOW - timedelta(days=30), NOW + timedelta(days=1))]
    for _ in range(6):
        since = NOW - timedelta(minutes=15 * dice.randrange(1, 24 * 4 * 6))
        ranges.append((since, since + timedelta(minutes=15 * dice.randrange(1, 24 * 4 * 6))))
    for since, until in ranges:
        rows = list(Request.objects.filter(started_at__gte=since, started_at__lt=until))
        assert plain(reports.totals(since, until, ALL, EVERYTHING)) == brute(rows)
        for dimensions in [("model",), ("service", "environment"), ("key", "user", "status"), ("provider",)]:
            lines = reports.breakdown(dimensions, since, until, ALL, EVERYTHING)
            attributes = [reports.DIMENSION_COLUMNS[name] for name in dimensions]
            groups = defaultdict(list)
            for row in rows:
                groups[tuple(getattr(row, name) for name in attributes)].append(row)
            assert {line.ids: plain(line.totals) for line in lines} == {
                k: brute(v) for k, v in groups.items()
            }
        for interval in ("quarter", "hour", "day"):
            if interval == "quarter" and until - since > timedelta(days=8):
                continue
            found = reports.series(since, until, interval, "model", ALL, EVERYTHING, zone=here)
            widened = rows
            for place, start in enumerate(found.buckets):
                end = found.buckets[place + 1] if place + 1 < len(found.buckets) else until
                inside = [row for row in widened if start <= row.started_at < max(end, start)]
                total = sum(line.totals[place].cost_nanodollars for line in found.lines)
                assert total == brute(inside).cost_nanodollars, (interval, start)
                count = sum(line.totals[place].requests for line in found.lines)
                assert count == brute(inside).requests
            for measure in MEASURES.values():
                scope = (since, until, interval, ALL, EVERYTHING)
                drawn = grid(("model", "key"), measure.figures, *scope, zone=here)
                assert (drawn.buckets, drawn.unfinished_from) == (found.buckets, found.unfinished_from)
                wanted = {(line.id,): [measure.of(part) for part in line.totals] for line in found.lines}
                assert drawn.by_first().values == wanted
                assert grid(("model",), measure.figures, *scope, zone=here).values == wanted


def test_filters_and_sight_narrow_to_exactly_their_rows(writer: JournalWriter, ledger: Ledger) -> None:
    write(writer, ledger, some_calls(200, days=2))
    since, until = NOW - timedelta(days=3), NOW + timedelta(hours=1)
    rows = list(Request.objects.all())
    cases = [
        (Filters(model="gpt-4o"), EVERYTHING, lambda r: r.model == "gpt-4o"),
        (
            Filters(environment="test", key_id=KEY),
            EVERYTHING,
            lambda r: r.environment == "test" and r.key_id == KEY,
        ),
        (Filters(status="refused"), EVERYTHING, lambda r: r.status == "refused"),
        (ALL, Sight(user_id=ALICE), lambda r: r.user_id == ALICE),
        (
            ALL,
            Sight(user_id=ALICE, service_ids=frozenset({CHAT})),
            lambda r: r.user_id == ALICE or r.service_id == CHAT,
        ),
        (
            Filters(service_id=SEARCH),
            Sight(user_id=BOB),
            lambda r: r.user_id == BOB and r.service_id == SEARCH,
        ),
        (ALL, Sight(key_id=OTHER_KEY), lambda r: r.key_id == OTHER_KEY),
        (ALL, Sight(), lambda r: False),
    ]
    for filters, sight, wanted in cases:
        expected = brute([row for row in rows if wanted(row)])
        assert plain(reports.totals(since, until, filters, sight)) == expected
        lines = reports.breakdown(("model",), since, until, filters, sight)
        assert sum(line.totals.requests for line in lines) == expected.requests
        drawn = grid(("key",), ("requests",), since, until, "hour", filters, sight, zone=ZoneInfo("UTC"))
        assert sum(map(sum, drawn.values.values())) == expected.requests


def test_the_number_of_queries_does_not_grow(writer: JournalWriter, ledger: Ledger) -> None:
    since, until = NOW - timedelta(days=5), NOW + timedelta(hours=1)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            reports.breakdown(("key", "user", "service", "deployment"), since, until, ALL, EVERYTHING)
            reports.series(since, until, "day", "key", ALL, EVERYTHING, zone=ZoneInfo("UTC"))
            grid(("key", "user"), ("errors",), since, until, "day", ALL, EVERYTHING, zone=ZoneInfo("UTC"))
        return len(caught)

    write(writer, ledger, some_calls(5, days=4))
    few = queries()
    write(writer, ledger, some_calls(150, days=4, seed=2))
    assert queries() == few <= 24


def test_a_name_is_todays_name_and_the_deleted_keep_their_last(writer: JournalWriter, ledger: Ledger) -> None:
    service = Service.objects.create(name="Renamed since")
    caller = msgspec.structs.replace(CALLER, service_id=str(service.pk), service_name="As it was")
    write(writer, ledger, [an_end(at_ms=int(NOW.timestamp() * 1000), caller=caller)])
    since, until = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    (line,) = reports.breakdown(("service", "key"), since, until, ALL, EVERYTHING)
    assert line.names == ("Renamed since", "backend")
    service.delete()
    (line,) = reports.breakdown(("service", "key"), since, until, ALL, EVERYTHING)
    assert line.names == ("As it was", "backend")


def test_percentiles_lie_within_a_bucket_of_the_truth(writer: JournalWriter, ledger: Ledger) -> None:
    at_ms = int(NOW.timestamp() * 1000)
    ends = [
        an_end(call_id(at_ms), at_ms=at_ms, latency_ms=float(10 * number), ttft_ms=float(number))
        for number in range(1, 201)
    ]
    write(writer, ledger, ends)
    found = reports.totals(NOW, NOW + timedelta(minutes=15), ALL, EVERYTHING)
    assert found.latency_p50_ms == pytest.approx(1000, rel=0.2)
    assert found.latency_p95_ms == pytest.approx(1900, rel=0.2)
    assert found.ttft_p50_ms == pytest.approx(100, rel=0.2)
    recent = reports.recent_percentiles("gpt-4o")
    assert (recent.requests, recent.latency_p50_ms) == (200, found.latency_p50_ms)
    assert reports.recent_percentiles("gpt-nope").latency_p50_ms is None


def test_no_percentile_is_beyond_the_calls_there_were(writer: JournalWriter, ledger: Ledger) -> None:
    """The first call's are that call's own, wherever they are read; of several they lie among them, whenever
    the ledger read which."""
    at_ms = int(NOW.timestamp() * 1000)

    def read(number: int, latency_ms: float, ttft_ms: float) -> tuple[Totals, Totals, Totals]:
        end = an_end(call_id(at_ms + number), at_ms=at_ms, latency_ms=latency_ms, ttft_ms=ttft_ms)
        write(writer, ledger, [end])
        span, rest = (NOW - timedelta(days=40), NOW + timedelta(minutes=15)), (ALL, EVERYTHING)
        line = reports.breakdown(("model",), *span, *rest)[0].totals
        over_time = reports.series(*span, "day", "model", *rest, zone=ZoneInfo("UTC"))
        return reports.totals(*span, *rest), line, over_time.lines[0].whole

    for found in read(1, 1900.0, 300.0):
        assert (found.latency_p50_ms, found.latency_p95_ms) == (1900.0, 1900.0)
        assert (found.ttft_p50_ms, found.ttft_p95_ms) == (300.0, 300.0)
    for latency_ms in (1650.0, 2100.0):
        whole = read(int(latency_ms), latency_ms, 290.0)
    for found in whole:
        assert found.latency_p50_ms is not None and found.latency_p95_ms is not None
        assert 1650.0 <= found.latency_p50_ms <= found.latency_p95_ms <= 2100.0
        assert (found.ttft_p50_ms, found.ttft_p95_ms) == pytest.approx((290.0, 300.0), abs=10.0)
    assert reports.recent_percentiles("gpt-4o").latency_p95_ms == whole[0].latency_p95_ms


def test_a_changed_reporting_zone_begins_a_series_and_the_sums_stay_true(
    writer: JournalWriter, ledger: Ledger
) -> None:
    write(writer, ledger, some_calls(60, days=3))
    LedgerSettings.objects.create(pk=1, reporting_zone="Asia/Tokyo")
    ledger._due.clear()
    write(writer, ledger, some_calls(60, days=3, seed=3))
    since, until = NOW - timedelta(days=4), NOW + timedelta(hours=1)
    expected = brute(Request.objects.filter(started_at__gte=since, started_at__lt=until))
    assert reports.reporting_zone().key == "Asia/Tokyo"
    assert plain(reports.totals(since, until, ALL, EVERYTHING)) == expected
    tokyo = reports.series(since, until, "day", None, ALL, EVERYTHING, zone=ZoneInfo("Asia/Tokyo"))
    assert sum(t.requests for t in tokyo.lines[0].totals) == expected.requests


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_of_the_longest_range_all_days_but_today_are_read_as_days(
    writer: JournalWriter, ledger: Ledger, zone: str
) -> None:
    LedgerSettings.objects.create(pk=1, reporting_zone=zone)
    write(writer, ledger, some_calls(1, days=1))
    here, at = ZoneInfo(zone), now()
    spans = spans_over_time(*snap(*span(LONGEST, at, here)), "day", here)
    assert (spans.zone, spans.last_day) == (zone, at.astimezone(here).date())
    assert (spans.last_day - spans.first_day).days == 90
    assert spans.quarter_time <= timedelta(hours=25)


def test_what_is_older_than_the_quarters_is_whole_days(writer: JournalWriter, ledger: Ledger) -> None:
    old = (NOW - timedelta(days=200)).replace(hour=13)
    at_ms = int(old.timestamp() * 1000)
    write(writer, ledger, [an_end(call_id(at_ms), at_ms=at_ms)])
    Rollup.objects.all().delete()
    found = reports.totals(old - timedelta(hours=2), NOW, ALL, EVERYTHING)
    assert found.requests == 1
    day = old.replace(hour=0)
    cut = (old - timedelta(hours=2), old + timedelta(hours=2))
    assert reports.counted(*cut) == (day, day + timedelta(days=1))
    assert reports.totals(*cut, ALL, EVERYTHING).requests == 1
    recent = (NOW - timedelta(days=3, minutes=7), NOW)
    assert reports.counted(*recent) == recent


def test_the_unfinished_bucket_is_marked(writer: JournalWriter, ledger: Ledger) -> None:
    write(writer, ledger, [an_end(at_ms=int(now().timestamp() * 1000))])
    found = reports.series(
        NOW - timedelta(hours=3), now(), "hour", None, ALL, EVERYTHING, zone=ZoneInfo("UTC")
    )
    assert found.unfinished_from == found.buckets[-1]
    past = reports.series(
        NOW - timedelta(days=3), NOW - timedelta(days=2), "day", None, ALL, EVERYTHING, zone=ZoneInfo("UTC")
    )
    assert past.unfinished_from is None


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("interval", ["quarter", "hour", "day", "week", "month"])
def test_every_quarter_of_a_year_belongs_to_a_bucket_of_the_series(zone: str, interval: Any) -> None:
    here = ZoneInfo(zone)  # Lord Howe's clock changes by half an hour
    since = datetime(2026, 1, 1, tzinfo=UTC)
    quarters = [since + n * timedelta(minutes=15) for n in range(365 * 96)]
    starts = [
        at.astimezone(UTC) for at in reports.buckets(since, since + timedelta(days=365), interval, here)
    ]
    assert starts == sorted(set(starts))
    assert {reports.bucket_of(at, interval, here).astimezone(UTC) for at in quarters} == set(starts)


def test_a_local_hour_that_comes_twice_is_two_buckets() -> None:
    since = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    found = reports.series(
        since, since + timedelta(hours=3), "hour", None, ALL, EVERYTHING, zone=ZoneInfo("Europe/Berlin")
    )
    assert [(at.hour, at.fold) for at in found.buckets] == [(2, 0), (2, 1), (3, 0)]


@pytest.mark.parametrize(
    ("table", "first"), [(Rollup, ["id", "bucket_at"]), (DayRollup, ["id", "day", "zone"])]
)
def test_the_time_of_a_row_stands_before_its_sums(table: Any, first: list[str]) -> None:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, table._meta.db_table)
    assert [column.name for column in columns][: len(first)] == first


def test_who_sees_what() -> None:
    admin = User.objects.create_user("admin", role=User.Role.ADMIN)
    manager = User.objects.create_user("manager", role=User.Role.MANAGER)
    member = User.objects.create_user("member")
    gone = User.objects.create_user("gone", role=User.Role.ADMIN, is_active=False)
    service = Service.objects.create(name="Search")
    Membership.objects.create(user=manager, service=service, role=Membership.Role.MANAGER)
    Membership.objects.create(user=member, service=service, role=Membership.Role.MEMBER)
    VirtualKey.objects.create(name="k", user=member, secret_hash="0" * 64)
    assert sight_of(admin) == EVERYTHING
    assert sight_of(manager) == Sight(service_ids=frozenset({str(service.pk)}), user_id=str(manager.pk))
    assert sight_of(member) == Sight(user_id=str(member.pk))
    assert sight_of(gone) == Sight()


@pytest.mark.django_db
def test_names_are_found_for_more_ids_than_a_query_takes() -> None:
    key = VirtualKey.objects.create(
        name="the last one", secret_hash="f" * 64, prefix="sk-gh-", last_four="zzzz"
    )
    ids = [str(uuid7()) for _ in range(1_200)]
    with CaptureQueriesContext(connection) as queries:
        names = names_of("key", [*ids, str(key.pk)])
    assert names[str(key.pk)] == "the last one"
    assert names[ids[0]] == ids[0]
    assert max(each["sql"].count(",") for each in queries) < 520
