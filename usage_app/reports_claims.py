"""Sums by what callers claim: tag, end user, client. By whole days of the reporting zone, as it was then:
a call is counted in one zone alone, so a change of it loses nothing.

The claims' sums know the service, the model and the environment of a call, but not its person:
whoever does not see everything sees the claims of the services they manage, and no others.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max, QuerySet, Sum

from usage_app.models import ClaimRollup, ReportingSeries
from usage_app.reports import Line, totals
from usage_app.reports_names import names_of
from usage_app.reports_reading import Filters
from usage_app.reports_spans import ONE_DAY, start_of
from usage_app.reports_sums import FIELDS, Totals
from usage_app.rollups import FIGURES
from usage_app.sight import Sight

#: Dimension -> kind of claim.
CLAIMS = {
    "tag": ClaimRollup.Kind.TAG,
    "end_user": ClaimRollup.Kind.END_USER,
    "client": ClaimRollup.Kind.CLIENT,
}
#: What a claim may be crossed with.
CLAIM_COLUMNS = {"service": "service_id", "model": "model", "environment": "environment"}
#: Figures that are not known of them: their sums know no outcome.
UNKNOWN_OF_CLAIMS = frozenset(
    {"errors", "refused", "cancelled", "failed_attempts", "interrupted_cost_nanodollars"}
)


def days_of(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The whole days that touch [since, until): first, and the one after the last."""
    last = (until.astimezone(zone) - timedelta(microseconds=1)).date()
    return since.astimezone(zone).date(), last + ONE_DAY


def bounds_of(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The range that claims of [since, until) are counted for: its whole days."""
    first, after = days_of(since, until, zone)
    return start_of(first, zone), start_of(after, zone)


def newest_unpriced_of_end_users(since: datetime) -> Iterable[tuple[str, str, datetime]]:
    """(service, end user, when the newest of their calls without a price was over at the latest), of calls
    from `since` on: to a day. Whoever is beyond the values of a day is not told of. One query.
    """
    rows = ClaimRollup.objects.filter(
        zone__in=ReportingSeries.objects.values("zone"),
        kind=ClaimRollup.Kind.END_USER,
        day__gte=since.astimezone(UTC).date() - ONE_DAY,
        unpriced_requests__gt=0,
    )
    grouped = rows.exclude(value="").values_list("zone", "service_id", "value").annotate(newest=Max("day"))
    for zone, service_id, value, day in grouped:
        yield service_id, value, start_of(day + ONE_DAY, ZoneInfo(zone))


def overlaps(kind: str) -> bool:
    """Whether a call may be on several lines, so that these sum to nothing."""
    return kind == "tag"


def claims_and_all(
    kind: str,
    across: str,
    since: datetime,
    until: datetime,
    filters: Filters,
    sight: Sight,
    *,
    zone: ZoneInfo,
) -> tuple[list[Line], Totals]:
    """Lines, and what they are parts of. Of end users and clients that is their own sum, for calls that name
    none are on no line; tags have no such sum, so it is that of all calls, told of these alone."""
    found = claims(kind, across, since, until, filters, sight, zone=zone)
    if not overlaps(kind):
        return found, summed(line.totals for line in found)
    bounds = bounds_of(since, until, zone)
    return found, totals(*bounds, filters, sight_of_claims(sight), durations=False)


def claims(
    kind: str,
    across: str,
    since: datetime,
    until: datetime,
    filters: Filters,
    sight: Sight,
    *,
    zone: ZoneInfo,
) -> list[Line]:
    """Lines by a claim, and by one of CLAIM_COLUMNS if given; largest cost first."""
    groups = ["value", *([CLAIM_COLUMNS[across]] if across else [])]
    rows = _rows(kind, since, until, filters, sight, zone).values(*groups).annotate(**_SUMS)
    found = [(tuple(row[name] for name in groups), _totals(row)) for row in rows]
    found.sort(key=lambda pair: (-pair[1].cost_nanodollars, -pair[1].requests, pair[0]))
    return _lines(across, found)


def claims_over_time(
    kind: str,
    across: str,
    since: datetime,
    until: datetime,
    filters: Filters,
    sight: Sight,
    *,
    zone: ZoneInfo,
) -> list[tuple[datetime, Line]]:
    """The same per day, by the instant the day begins."""
    groups = ["value", *([CLAIM_COLUMNS[across]] if across else [])]
    rows = _rows(kind, since, until, filters, sight, zone).values("day", *groups).annotate(**_SUMS)
    found = [(row["day"], tuple(row[name] for name in groups), _totals(row)) for row in rows]
    found.sort(key=lambda each: each[:2])
    lines = _lines(across, [(ids, totals) for _day, ids, totals in found])
    return [
        (start_of(day, zone).astimezone(zone), line) for (day, *_), line in zip(found, lines, strict=True)
    ]


_SUMS: dict[str, Any] = {f"sum_{name}": Sum(name) for name in FIGURES}


def _rows(
    kind: str, since: datetime, until: datetime, filters: Filters, sight: Sight, zone: ZoneInfo
) -> "QuerySet[ClaimRollup]":
    first, after = days_of(since, until, zone)
    zones = ReportingSeries.objects.values("zone")
    rows = ClaimRollup.objects.filter(zone__in=zones, kind=CLAIMS[kind], day__gte=first, day__lt=after)
    for column in CLAIM_COLUMNS.values():
        value = getattr(filters, column)
        if value:
            rows = rows.filter(**{f"{column}__in": (value,) if isinstance(value, str) else value})
    if not sight.everything:
        rows = rows.filter(service_id__in=sorted(sight_of_claims(sight).service_ids))
    return rows


def sight_of_claims(sight: Sight) -> Sight:
    """What of a sight claims are seen by: the services alone."""
    return sight if sight.everything else Sight(service_ids=sight.service_ids - {""})


def _totals(row: dict[str, Any]) -> Totals:
    figures = {name: int(row[f"sum_{name}"]) for name in FIGURES}
    return Totals(**figures, estimated_finished_nanodollars=figures["estimated_cost_nanodollars"])


def _lines(across: str, found: list[tuple[tuple[str, ...], Totals]]) -> list[Line]:
    names = names_of(across, {ids[1] for ids, _ in found}) if across else {}
    return [Line(ids, (ids[0], *(names.get(ref, ref) for ref in ids[1:])), totals) for ids, totals in found]


def summed(parts: Iterable[Totals]) -> Totals:
    """Figures added up; durations cannot be, and are unknown."""
    columns = zip(*(map(vars(part).__getitem__, FIELDS) for part in parts), strict=True)
    return Totals(**dict(zip(FIELDS, map(sum, columns), strict=False)))
