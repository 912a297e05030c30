"""One figure by groups and over time, for charts and wide tables: numbers alone.

They have tens of thousands of cells; an object each with every figure would cost seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway_project.clock import now
from usage_app.ledger_series import one_picture
from usage_app.reports_buckets import Interval, bucket_of, buckets, end_of
from usage_app.reports_ranges import counted, spans_over_time
from usage_app.reports_reading import DIMENSION_COLUMNS, Filters, read_sums_over_time
from usage_app.reports_spans import snap
from usage_app.reports_sums import FIELDS, Ids
from usage_app.sight import Sight


@dataclass(frozen=True)
class Grid:
    """A number a bucket for each group with calls, and how many of its calls have no price, for groups that
    have such. From `unfinished_from` on a bucket is not over yet.
    """

    buckets: list[datetime]
    values: Mapping[Ids, Sequence[int]]
    unfinished_from: datetime | None
    unpriced: Mapping[Ids, Sequence[int]] = field(default_factory=dict)

    def by_first(self) -> "Grid":
        """By the first of the dimensions alone."""
        values, unpriced = _by_first(self.values), _by_first(self.unpriced)
        return Grid(self.buckets, values, self.unfinished_from, unpriced)


def _by_first(lines: Mapping[Ids, Sequence[int]]) -> dict[Ids, list[int]]:
    folded: dict[Ids, list[int]] = {}
    for ids, values in lines.items():
        known = folded.get(ids[:1])
        folded[ids[:1]] = (
            list(values) if known is None else [a + b for a, b in zip(known, values, strict=True)]
        )
    return folded


@one_picture()
def grid(
    dimensions: tuple[str, ...],
    figures: tuple[str, ...],
    since: datetime,
    until: datetime,
    interval: Interval,
    filters: Filters,
    sight: Sight,
    *,
    zone: ZoneInfo,
) -> Grid:
    """The sum of some figures (names of FIELDS); hours and days are those of `zone`."""
    since, until = snap(*counted(since, until))
    starts = buckets(since, until, interval, zone)
    # By instant: two local hours of the same name are two buckets.
    places = {at.astimezone(UTC): place for place, at in enumerate(starts)}
    columns = tuple(DIMENSION_COLUMNS[name] for name in dimensions)
    summed = (" + ".join(FIELDS[name] for name in figures), "requests", FIELDS["unpriced_requests"])
    values: dict[Ids, list[int]] = {}
    unpriced: dict[Ids, list[int]] = {}
    known: dict[datetime, int] = {}
    spans = spans_over_time(since, until, interval, zone)
    for at, row in read_sums_over_time(columns, summed, spans, filters, sight):
        *ids, number, calls, without_price = row
        if not calls and not number:
            continue  # nothing but failed attempts
        group = tuple(ids)
        place = known.get(at)
        if place is None:
            place = known[at] = places[bucket_of(at, interval, zone).astimezone(UTC)]
        line = values.get(group)
        if line is None:
            line = values[group] = [0] * len(starts)
        line[place] += int(number)
        if without_price:
            unpriced.setdefault(group, [0] * len(starts))[place] += int(without_price)
    unfinished = [at for at in starts if end_of(at, interval, zone) > now()]
    return Grid(starts, values, unfinished[0] if unfinished else None, unpriced)
