"""Roll-ups read within filters and a viewer's sight: rows of (groups…, sums…)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from usage_app.dialects import dialect_of
from usage_app.histograms import BOUND_COLUMNS, LATENCY_COLUMNS, TTFT_COLUMNS
from usage_app.ledger_series import UTC_ZONE
from usage_app.models import DayRollup, Rollup
from usage_app.reports_spans import ONE_DAY, QUARTER, Spans, start_of
from usage_app.reports_sums import FIELDS
from usage_app.rollups import SPEED_COLUMNS
from usage_app.sight import Sight

#: Dimension -> column of the roll-ups.
DIMENSION_COLUMNS = {
    "model": "model",
    "deployment": "deployment_id",
    "provider": "provider_id",
    "key": "key_id",
    "user": "user_id",
    "service": "service_id",
    "environment": "environment",
    "status": "status",
}


@dataclass(frozen=True)
class Filters:
    """'' means any; several values mean any of them."""

    environment: str | tuple[str, ...] = ""
    service_id: str | tuple[str, ...] = ""
    user_id: str | tuple[str, ...] = ""
    key_id: str | tuple[str, ...] = ""
    model: str | tuple[str, ...] = ""
    deployment_id: str | tuple[str, ...] = ""
    provider: str | tuple[str, ...] = ""  # the provider's id
    status: str | tuple[str, ...] = ""


def sums_of(durations: bool) -> tuple[str, ...]:
    """What is summed: FIELDS, and with `durations` what speeds are made of, the histograms and their bounds:
    without these it is a fifth of the work.

    A status is no group of its own: it would make four times as many rows.
    """
    figures = tuple(FIELDS.values())
    if not durations:
        return figures
    return (*figures, *SPEED_COLUMNS, *LATENCY_COLUMNS, *TTFT_COLUMNS, *BOUND_COLUMNS)


def read_sums(
    columns: tuple[str, ...], sums: tuple[str, ...], spans: Spans, filters: Filters, sight: Sight
) -> Iterable[tuple[Any, ...]]:
    """(columns…, sums…) of the quarters and of the days: at most two queries."""
    if spans.quarters:
        yield from _query(Rollup._meta.db_table, columns, sums, *_within_quarters(spans), filters, sight)
    if spans.has_days:
        yield from _query(DayRollup._meta.db_table, columns, sums, *_within_days(spans), filters, sight)


def read_sums_over_time(
    columns: tuple[str, ...], sums: tuple[str, ...], spans: Spans, filters: Filters, sight: Sight
) -> Iterable[tuple[datetime, tuple[Any, ...]]]:
    """The same by the instant that a quarter or a day begins."""
    if spans.quarters:
        where = _within_quarters(spans)
        for row in _query(Rollup._meta.db_table, ("bucket_at", *columns), sums, *where, filters, sight):
            yield _instant(row[0]), row[1:]
    if spans.has_days:
        zone, starts = ZoneInfo(spans.zone), dict[Any, datetime]()
        where = _within_days(spans)
        for row in _query(DayRollup._meta.db_table, ("day", *columns), sums, *where, filters, sight):
            at = starts.get(row[0])
            if at is None:
                day = row[0] if isinstance(row[0], date) else date.fromisoformat(row[0])
                at = starts[row[0]] = start_of(day, zone)
            yield at, row[1:]


def newest_unpriced(
    columns: tuple[str, ...], since: datetime, quarters_from: datetime
) -> Iterable[tuple[tuple[Any, ...], datetime]]:
    """(columns…), and when the newest calls without a price from `since` on were over at the latest: to a
    quarter of an hour, and to a day (of UTC) before `quarters_from`. At most two queries.
    """
    instant = dialect_of(connection).instant
    start = max(since.astimezone(UTC) - QUARTER, start_of(quarters_from.astimezone(UTC).date(), UTC_ZONE))
    where = "bucket_at > %s", [instant(round(start.timestamp() * 1000))]
    for *ids, newest in _newest(Rollup._meta.db_table, columns, "bucket_at", *where):
        yield tuple(ids), _instant(newest) + QUARTER
    if since < start:
        days = [UTC_ZONE.key, since.astimezone(UTC).date().isoformat(), start.date().isoformat()]
        where = "zone = %s AND day >= %s AND day < %s", days
        for *ids, newest in _newest(DayRollup._meta.db_table, columns, "day", *where):
            day = newest if isinstance(newest, date) else date.fromisoformat(newest)
            yield tuple(ids), start_of(day + ONE_DAY, UTC_ZONE)


def _newest(
    table: str, columns: tuple[str, ...], when: str, where: str, arguments: list[Any]
) -> list[tuple[Any, ...]]:
    selected = ", ".join([*columns, f"MAX({when})"])
    grouped = f"GROUP BY {', '.join(columns)}" if columns else "HAVING COUNT(*) > 0"
    sql = f"SELECT {selected} FROM {table} WHERE unpriced_requests > 0 AND {where} {grouped}"  # noqa: S608  names are ours
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _query(
    table: str,
    groups: tuple[str, ...],
    sums: tuple[str, ...],
    where: str,
    arguments: list[Any],
    filters: Filters,
    sight: Sight,
) -> list[tuple[Any, ...]]:
    conditions, more = _conditions(filters, sight)
    selected = ", ".join([*groups, *(f"{BOUND_COLUMNS.get(column, 'SUM')}({column})" for column in sums)])
    grouped = f"GROUP BY {', '.join(groups)}" if groups else "HAVING COUNT(*) > 0"
    sql = f"SELECT {selected} FROM {table} WHERE ({where}){conditions} {grouped}"  # noqa: S608  names are ours
    with connection.cursor() as cursor:
        cursor.execute(sql, [*arguments, *more])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _within_quarters(spans: Spans) -> tuple[str, list[Any]]:
    instant = dialect_of(connection).instant
    arguments = [instant(round(at.timestamp() * 1000)) for span in spans.quarters for at in span]
    return " OR ".join(["(bucket_at >= %s AND bucket_at < %s)"] * len(spans.quarters)), arguments


def _within_days(spans: Spans) -> tuple[str, list[Any]]:
    return "zone = %s AND day >= %s AND day < %s", [
        spans.zone,
        spans.first_day.isoformat(),
        spans.last_day.isoformat(),
    ]


def _conditions(filters: Filters, sight: Sight) -> tuple[str, list[Any]]:
    """What narrows a query: the filters, and always the viewer's sight."""
    wanted = {
        "environment": filters.environment,
        "service_id": filters.service_id,
        "user_id": filters.user_id,
        "key_id": filters.key_id,
        "model": filters.model,
        "deployment_id": filters.deployment_id,
        "provider_id": filters.provider,
        "status": filters.status,
    }
    sql, arguments = "", list[Any]()
    for column, value in wanted.items():
        values = (value,) if isinstance(value, str) else value
        if value:
            sql += f" AND {column} IN ({_marks(values)})"
            arguments.extend(values)
    if sight.everything:
        return sql, arguments
    allowed = []
    for column, value in (("user_id", sight.user_id), ("key_id", sight.key_id)):
        if value:
            allowed.append(f"{column} = %s")
            arguments.append(value)
    if sight.service_ids:
        allowed.append(f"service_id IN ({_marks(sight.service_ids)})")
        arguments.extend(sorted(sight.service_ids))
    return f"{sql} AND ({' OR '.join(allowed) or '1 = 0'})", arguments


def _instant(value: Any) -> datetime:
    """SQLite answers text, PostgreSQL a datetime."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _marks(values: Collection[str]) -> str:
    return ", ".join(["%s"] * len(values))
