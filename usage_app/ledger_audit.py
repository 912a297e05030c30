"""Whether the sums equal the rows: a bounded look every few seconds, and a full one on demand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from gateway_project.clock import from_ms, uuid7_at
from usage_app.dialects import dialect_of
from usage_app.models import Adjustment, Attempt, BudgetSpend, DayRollup, Request, Rollup
from usage_app.rollups import FAILURES

QUARTER = timedelta(minutes=15)
#: An id may be made a moment before or after the instant that is written down.
ID_SLACK = timedelta(minutes=1)

_REQUEST, _ROLLUP = Request._meta.db_table, Rollup._meta.db_table
_DAY, _ADJUSTMENT = DayRollup._meta.db_table, Adjustment._meta.db_table
_ATTEMPT = Attempt._meta.db_table


@dataclass(frozen=True)
class Difference:
    """Sums minus rows over a span; zero when the ledger is right."""

    what: str
    requests: int
    nanodollars: int
    attempts: int = 0  # that failed before their call's end

    @property
    def is_zero(self) -> bool:
        return not self.requests and not self.nanodollars and not self.attempts


def check_quarters(since: datetime, until: datetime) -> Difference:
    """Quarter-hour sums against rows and adjustments over [since, until), in one statement.

    One statement sees one moment, so a batch committed meanwhile is in all of it or in none.
    """
    dialect = dialect_of(connection)
    low, high = _ms(since), _ms(until)
    ids = [
        dialect.uuid(uuid7_at(_ms(since - ID_SLACK))),
        dialect.uuid(uuid7_at(_ms(until + ID_SLACK))),
        dialect.instant(low),
        dialect.instant(high),
    ]
    spans = [dialect.instant(low), dialect.instant(high)]
    chosen = "r.id >= %s AND r.id < %s AND r.started_at >= %s AND r.started_at < %s"
    sql = f"""
        WITH rolled AS (SELECT SUM(requests) AS n, SUM(cost_nanodollars) AS cost FROM {_ROLLUP}
                        WHERE bucket_at >= %s AND bucket_at < %s),
             written AS (SELECT SUM(r.repeated) AS n, SUM(r.cost_nanodollars) AS cost FROM {_REQUEST} r
                         WHERE {chosen}),
             late AS (SELECT SUM(a.cost_nanodollars) AS cost FROM {_ADJUSTMENT} a
                      JOIN {_REQUEST} r ON r.id = a.request_id WHERE a.is_applied AND {chosen})
        SELECT COALESCE(rolled.n, 0), COALESCE(rolled.cost, 0), COALESCE(written.n, 0),
               COALESCE(written.cost, 0), COALESCE(late.cost, 0) FROM rolled, written, late
    """  # noqa: S608
    rolled_requests, rolled_cost, requests, cost, adjusted = _one(sql, [*spans, *ids, *ids])
    return Difference(
        f"quarter hours {since:%Y-%m-%d %H:%M}", rolled_requests - requests, rolled_cost - cost - adjusted
    )


def check_attempts(since: datetime, until: datetime) -> Difference:
    """The failed attempts of the quarters of [since, until) against the attempts' rows (`failed_before`)."""
    dialect = dialect_of(connection)
    low, high = dialect.instant(_ms(since)), dialect.instant(_ms(until))
    ids = [dialect.uuid(uuid7_at(_ms(at))) for at in (since - ID_SLACK, until + ID_SLACK)]
    failures = ", ".join(f"'{status}'" for status in FAILURES)
    last = f"SELECT MAX(l.number) FROM {_ATTEMPT} l WHERE l.request_id = r.id"  # noqa: S608
    sql = f"""
        WITH rolled AS (SELECT SUM(failed_attempts) AS n FROM {_ROLLUP}
                        WHERE bucket_at >= %s AND bucket_at < %s),
             written AS (SELECT COUNT(*) AS n FROM {_ATTEMPT} a JOIN {_REQUEST} r ON r.id = a.request_id
                         WHERE r.id >= %s AND r.id < %s AND r.started_at >= %s AND r.started_at < %s
                         AND a.status IN ({failures})
                         AND (r.status NOT IN ({failures}) OR a.number <> ({last})))
        SELECT COALESCE(rolled.n, 0), written.n FROM rolled, written
    """  # noqa: S608
    rolled, written = _one(sql, [low, high, *ids, low, high])
    return Difference(f"failed attempts {since:%Y-%m-%d %H:%M}", 0, 0, rolled - written)


def check_day(zone: ZoneInfo, day: date) -> Difference:
    """A day of a series against the quarters it is made of."""
    dialect = dialect_of(connection)
    low, high = day_bounds(zone, day)
    sql = f"""
        WITH days AS (SELECT SUM(requests) AS n, SUM(cost_nanodollars) AS cost, SUM(failed_attempts) AS tries
                      FROM {_DAY}
                      WHERE zone = %s AND day = %s),
             quarters AS (SELECT SUM(requests) AS n, SUM(cost_nanodollars) AS cost,
                                 SUM(failed_attempts) AS tries FROM {_ROLLUP}
                          WHERE bucket_at >= %s AND bucket_at < %s)
        SELECT COALESCE(days.n, 0), COALESCE(days.cost, 0), COALESCE(days.tries, 0),
               COALESCE(quarters.n, 0), COALESCE(quarters.cost, 0), COALESCE(quarters.tries, 0)
        FROM days, quarters
    """  # noqa: S608
    named = [zone.key, day.isoformat()]
    span = [dialect.instant(_ms(low)), dialect.instant(_ms(high))]
    found = _one(sql, [*named, *span])
    requests, cost, attempts = (found[at] - found[at + 3] for at in range(3))
    return Difference(f"{day} in {zone.key}", requests, cost, attempts)


def quarter_size(since: datetime, until: datetime) -> int:
    """How many rows a check of these quarters has to read, as the sums tell."""
    dialect = dialect_of(connection)
    sql = f"SELECT COALESCE(SUM(requests), 0) FROM {_ROLLUP} WHERE bucket_at >= %s AND bucket_at < %s"  # noqa: S608
    return _one(sql, [dialect.instant(_ms(since)), dialect.instant(_ms(until))])[0]


def check_everything(zones: list[tuple[ZoneInfo, date]]) -> Iterator[Difference]:
    """Every quarter against its rows, every day against its quarters, every budget against its charges.

    Only what is still kept in both places can be compared: rows from the first day that is whole.
    """
    first = Request.objects.order_by("id").values_list("started_at", flat=True).first()
    last_bucket = Rollup.objects.order_by("-bucket_at").values_list("bucket_at", flat=True).first()
    if last_bucket is not None:
        start = _floor(first or last_bucket)
        if _is_cut(first):
            start += QUARTER
        while start <= last_bucket:
            until = min(start + timedelta(days=1), last_bucket + QUARTER)
            yield check_quarters(start, until)
            yield check_attempts(start, until)
            start = until
    first_bucket = Rollup.objects.order_by("bucket_at").values_list("bucket_at", flat=True).first()
    for zone, since_day in zones:
        days = DayRollup.objects.filter(zone=zone.key, day__gte=since_day).values_list("day", flat=True)
        for day in days.distinct().order_by("day"):
            if first_bucket is not None and day_bounds(zone, day)[0] >= first_bucket - timedelta(days=1):
                yield check_day(zone, day)


def budget_differences() -> Iterator[Difference]:
    """Spend of each budget and period against the charges that the rows and adjustments list.

    Once retention has taken rows away their charges cannot be added up any more: nothing is said.
    """
    if _is_cut(Request.objects.order_by("id").values_list("started_at", flat=True).first()):
        return
    spent: dict[tuple[str, str], list[int]] = {}
    for charges, amount in (
        Request.objects.exclude(charges=[]).values_list("charges", "cost_nanodollars").iterator()
    ):
        _add_charges(spent, charges, amount or 0, 1)
    for charges, amount in Adjustment.objects.values_list("charges", "cost_nanodollars").iterator():
        _add_charges(spent, charges, amount, 0)
    for row in BudgetSpend.objects.all().iterator():
        cost, requests = spent.pop((row.budget_id, row.period), [0, 0])
        yield Difference(
            f"budget {row.budget_id} in {row.period}", row.requests - requests, row.spent_nanodollars - cost
        )
    for (budget_id, period), (cost, requests) in spent.items():
        yield Difference(f"budget {budget_id} in {period}", -requests, -cost)


def day_bounds(zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    """The instants a local day begins and ends at, UTC."""
    return (
        datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC),
        datetime.combine(day + timedelta(days=1), datetime.min.time(), zone).astimezone(UTC),
    )


def _add_charges(spent: dict[tuple[str, str], list[int]], charges: Any, cost: int, requests: int) -> None:
    for charge in charges:
        known = spent.setdefault((charge["budget_id"], charge["period"]), [0, 0])
        known[0] += cost
        known[1] += requests


def _is_cut(first: datetime | None) -> bool:
    """Whether retention may have taken a part of the first row's quarter: only its end is certain."""
    return first is not None and Rollup.objects.filter(bucket_at__lt=_floor(first)).exists()


def _floor(at: datetime) -> datetime:
    return from_ms(_ms(at) - _ms(at) % 900_000)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _one(sql: str, arguments: list[Any]) -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return tuple(int(value) for value in cursor.fetchone())
