"""The only reader of roll-ups: totals, breakdowns and series for pages, the API and exports.

Every function takes a viewer's Sight and runs a constant number of queries. A range [since, until)
is snapped outwards to quarters of an hour, and to whole days where days alone are kept (`counted`
says which); ids group, names are today's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway_project.clock import now
from usage_app.ledger_series import one_picture, reporting_zone
from usage_app.models import LedgerStatus
from usage_app.reports_buckets import Interval, bucket_of, buckets, end_of
from usage_app.reports_names import names_of
from usage_app.reports_ranges import counted, quarters_kept_from, spans_of, spans_over_time
from usage_app.reports_reading import DIMENSION_COLUMNS, Filters, read_sums, read_sums_over_time, sums_of
from usage_app.reports_spans import Spans, snap
from usage_app.reports_sums import Ids, Sums, Totals, added, folded
from usage_app.sight import EVERYTHING, Sight

__all__ = [
    "Balance",
    "Filters",
    "Interval",
    "Line",
    "Percentiles",
    "Series",
    "SeriesLine",
    "Totals",
    "balance",
    "breakdown",
    "breakdown_over_time",
    "breakdowns",
    "bucket_of",
    "buckets",
    "counted",
    "end_of",
    "quarters_kept_from",
    "recent_percentiles",
    "reporting_zone",
    "series",
    "snap",
    "totals",
]

STALE_S = 30.0


@dataclass(frozen=True)
class Line:
    """One row of a breakdown: an id and a name per dimension."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    totals: Totals


@dataclass(frozen=True)
class SeriesLine:
    id: str
    name: str
    totals: list[Totals]  # one a bucket
    whole: Totals  # everything in the range


@dataclass(frozen=True)
class Series:
    """Lines over time. From `unfinished_from` on a bucket's time is not over yet."""

    buckets: list[datetime]
    lines: list[SeriesLine]
    unfinished_from: datetime | None


@dataclass(frozen=True)
class Percentiles:
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    requests: int


@dataclass(frozen=True)
class Balance:
    """Sums minus rows as the ledger last found them; None while nobody looked yet."""

    difference_requests: int
    difference_nanodollars: int
    checked_at: datetime | None
    lag_s: float


# ---------------------------------------------------------------- questions


@one_picture()
def totals(
    since: datetime, until: datetime, filters: Filters, sight: Sight, *, durations: bool = True
) -> Totals:
    """Everything in the range, added up."""
    sums = Sums()
    for row in read_sums((), sums_of(durations), spans_of(since, until), filters, sight):
        sums.add(row)
    return sums.totals()


@one_picture()
def breakdown(
    dimensions: tuple[str, ...],
    since: datetime,
    until: datetime,
    filters: Filters,
    sight: Sight,
    *,
    order: str = "-cost_nanodollars",
    limit: int | None = None,
    durations: bool = True,
    attempts: bool = False,
) -> list[Line]:
    """The range by one or more dimensions, ordered by a field of Totals ('-' for descending)."""
    scope, grouped = (since, until, filters, sight), (dimensions,)
    return breakdowns(grouped, *scope, order=order, limit=limit, durations=durations, attempts=attempts)[0]


@one_picture()
def breakdowns(
    groupings: Sequence[tuple[str, ...]],
    since: datetime,
    until: datetime,
    filters: Filters,
    sight: Sight,
    *,
    order: str = "-cost_nanodollars",
    limit: int | None = None,
    durations: bool = False,
    attempts: bool = False,
) -> list[list[Line]]:
    """Several breakdowns of one range, from one look at it; with `attempts` what was tried in vain too."""
    dimensions = tuple(dict.fromkeys(name for grouping in groupings for name in grouping))
    columns = tuple(DIMENSION_COLUMNS[name] for name in dimensions)
    width = len(columns)
    groups: dict[tuple[str, ...], Sums] = {}
    for row in read_sums(columns, sums_of(durations), spans_of(since, until), filters, sight):
        groups.setdefault(tuple(row[:width]), Sums()).add(row[width:])
    field, descending = order.removeprefix("-"), order.startswith("-")
    found = [folded(groups, [dimensions.index(name) for name in grouping]) for grouping in groupings]
    for lines in found:
        lines[:] = [pair for pair in lines if attempts or not pair[1].is_attempts_alone]
        lines.sort(key=lambda pair: getattr(pair[1], field) or 0, reverse=descending)
        del lines[limit if limit is not None else len(lines) :]
    names = _names_in(groupings, found)
    return [
        [Line(ids, _named(ids, [names[name] for name in grouping]), line) for ids, line in lines]
        for grouping, lines in zip(groupings, found, strict=True)
    ]


def _names_in(
    groupings: Sequence[tuple[str, ...]], found: list[list[tuple[Ids, Totals]]]
) -> dict[str, dict[str, str]]:
    """What the ids of each dimension are called."""
    wanted: dict[str, set[str]] = {}
    for grouping, lines in zip(groupings, found, strict=True):
        for at, name in enumerate(grouping):
            wanted.setdefault(name, set()).update(ids[at] for ids, _line in lines)
    return {name: names_of(name, ids) for name, ids in wanted.items()}


@one_picture()
def series(
    since: datetime,
    until: datetime,
    interval: Interval,
    stack_by: str | None,
    filters: Filters,
    sight: Sight,
    *,
    zone: ZoneInfo,
    durations: bool = True,
    attempts: bool = False,
) -> Series:
    """The range over time; hours and days are those of `zone`. Lines by cost, largest first;
    with `attempts` what was tried in vain too.
    """
    since, until = snap(*counted(since, until))
    starts = buckets(since, until, interval, zone)
    dimensions = (stack_by,) if stack_by else ()
    cells = _cells(dimensions, since, until, interval, filters, sight, zone, durations=durations)
    if not stack_by:
        cells.setdefault((), {})
    names = names_of(stack_by, {ids[0] for ids in cells}) if stack_by else {}
    empty = Totals()
    # By instant: two local hours of the same name are two buckets.
    instants = [at.astimezone(UTC) for at in starts]
    lines = []
    for ids, line in cells.items():
        ref = ids[0] if ids else ""
        figures = [line[at].totals() if at in line else empty for at in instants]
        lines.append(SeriesLine(ref, names.get(ref, ref), figures, added(line.values())))
    lines = [line for line in lines if attempts or not stack_by or not line.whole.is_attempts_alone]
    lines.sort(key=lambda line: (-line.whole.cost_nanodollars, line.name))
    unfinished = [at for at in starts if end_of(at, interval, zone) > now()]
    return Series(starts, lines, unfinished[0] if unfinished else None)


@one_picture()
def breakdown_over_time(
    dimensions: tuple[str, ...],
    since: datetime,
    until: datetime,
    interval: Interval,
    filters: Filters,
    sight: Sight,
    *,
    zone: ZoneInfo,
    durations: bool = True,
    attempts: bool = False,
) -> list[tuple[datetime, Line]]:
    """A breakdown per bucket, in the order of time; what has no calls is left out, but with `attempts` not
    what was tried in vain."""
    since, until = snap(*counted(since, until))
    cells = _cells(dimensions, since, until, interval, filters, sight, zone, durations=durations)
    names = [names_of(name, {ids[place] for ids in cells}) for place, name in enumerate(dimensions)]
    found = [
        (at.astimezone(zone), Line(ids, _named(ids, names), sums.totals()))
        for ids, line in cells.items()
        for at, sums in line.items()
    ]
    found = [pair for pair in found if attempts or not pair[1].totals.is_attempts_alone]
    return sorted(found, key=lambda pair: (pair[0].astimezone(UTC), pair[1].ids))


def recent_percentiles(model: str, deployment_id: str = "", days: int = 7) -> Percentiles:
    """How this model's successful calls were lately: by whole days of the reporting zone, and today."""
    zone = reporting_zone()
    spans = Spans((), zone.key, now().astimezone(zone).date() - timedelta(days=days), date.max)
    filters = Filters(model=model, deployment_id=deployment_id, status="ok")
    sums = Sums()
    for row in read_sums((), sums_of(durations=True), spans, filters, EVERYTHING):
        sums.add(row)
    found = sums.totals()
    return Percentiles(
        found.latency_p50_ms, found.latency_p95_ms, found.ttft_p50_ms, found.ttft_p95_ms, found.requests
    )


def balance() -> Balance:
    """The last self-audit of every host's ledger, and how far the slowest of them is behind."""
    rows = list(LedgerStatus.objects.all())
    at = now()
    checked = [row.checked_at for row in rows if row.checked_at]
    silent = [(at - row.seen_at).total_seconds() for row in rows]
    return Balance(
        difference_requests=sum(row.difference_requests for row in rows),
        difference_nanodollars=sum(row.difference_nanodollars for row in rows),
        checked_at=max(checked) if checked else None,
        lag_s=max([row.lag_s for row in rows] + [age for age in silent if age > STALE_S], default=0.0),
    )


def _cells(
    dimensions: tuple[str, ...],
    since: datetime,
    until: datetime,
    interval: Interval,
    filters: Filters,
    sight: Sight,
    zone: ZoneInfo,
    *,
    durations: bool = True,
) -> dict[tuple[str, ...], dict[datetime, Sums]]:
    """Sums by ids and by the instant (UTC) their bucket begins."""
    columns = tuple(DIMENSION_COLUMNS[name] for name in dimensions)
    width = len(columns)
    spans = spans_over_time(since, until, interval, zone)
    cells: dict[tuple[str, ...], dict[datetime, Sums]] = {}
    known: dict[datetime, datetime] = {}
    for at, row in read_sums_over_time(columns, sums_of(durations), spans, filters, sight):
        bucket = known.get(at)
        if bucket is None:
            bucket = known[at] = bucket_of(at, interval, zone).astimezone(UTC)
        line = cells.setdefault(tuple(row[:width]), {})
        line.setdefault(bucket, Sums()).add(row[width:])
    return cells


def _named(ids: tuple[str, ...], names: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(names[place].get(ref, ref) for place, ref in enumerate(ids))
