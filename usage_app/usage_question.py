"""A question to the Usage page, as its address asks it, and its answers: a pivot, or lines to export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from gateway_project.money import usd_string
from usage_app import pivot
from usage_app.charts import MEASURES, Measure
from usage_app.reports import (
    Interval,
    Line,
    Totals,
    breakdown_over_time,
    breakdowns,
    bucket_of,
    buckets,
    quarters_kept_from,
)
from usage_app.reports_claims import (
    CLAIM_COLUMNS,
    UNKNOWN_OF_CLAIMS,
    bounds_of,
    claims_and_all,
    claims_over_time,
    days_of,
    overlaps,
    summed,
)
from usage_app.reports_grid import Grid, grid
from usage_app.reports_spans import start_of
from usage_app.selection import Selection
from usage_app.sight import Sight

INTERVALS: dict[str, Any] = {"hour": _("Hour"), "day": _("Day"), "week": _("Week"), "month": _("Month")}
#: In place of an interval: the second dimension across.
ACROSS = "second"
#: An interval that would make more columns than a page holds gives way to the next.
_LONGER = {"hour": "day", "day": "week", "week": "month"}

FIGURE_COLUMNS = (
    "requests",
    "errors",
    "refused",
    "cancelled",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_nanodollars",
    "reported_cost_nanodollars",
    "estimated_cost_nanodollars",
    "interrupted_cost_nanodollars",
    "unpriced_requests",
)
_NAMED = frozenset({"key", "user", "service", "deployment", "provider"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `second` is '' or another dimension; `columns` '', an interval, or ACROSS."""

    first: str
    second: str
    columns: str
    measure: str
    compares: bool
    asked_columns: str = ""  # before a longer interval took its place

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (self.first, self.second) if self.second else (self.first,)

    @property
    def is_claim(self) -> bool:
        return self.first in pivot.CLAIM_DIMENSIONS

    @property
    def overlaps(self) -> bool:
        """Whether a call may be on several lines, so that these sum to nothing."""
        return overlaps(self.first)

    @property
    def figure_columns(self) -> tuple[str, ...]:
        """What a file tells of a line: of claims it is not known how many calls failed."""
        return tuple(name for name in FIGURE_COLUMNS if not (self.is_claim and name in UNKNOWN_OF_CLAIMS))


def parse(query: Mapping[str, str], chosen: Selection, zone: ZoneInfo) -> Question:
    """A checked question; what means nothing falls back. Hours are offered while their quarters are kept."""
    first = query.get("by", "model")
    if first not in pivot.ALL_DIMENSIONS:
        first = "model"
    allowed = CLAIM_COLUMNS if first in pivot.CLAIM_DIMENSIONS else pivot.DIMENSIONS
    second = query.get("and", "")
    if second not in allowed or second == first:
        second = ""
    asked = query.get("columns", "")
    if asked not in INTERVALS and not (asked == ACROSS and second):
        asked = ""
    columns = asked
    if columns == "hour" and (chosen.since < quarters_kept_from() or first in pivot.CLAIM_DIMENSIONS):
        columns = "day"
    while columns in _LONGER and _count(chosen, columns, zone) > pivot.MAX_BUCKETS:
        columns = _LONGER[columns]
    measure = query.get("measure", "spend")
    if measure not in MEASURES or (first in pivot.CLAIM_DIMENSIONS and measure == "errors"):
        measure = "spend"
    return Question(first, second, columns, measure, bool(query.get("compare")) and not columns, asked)


@dataclass(frozen=True, slots=True)
class Answer:
    """A table, and what its chart draws: the measure by the first dimension, and what those are called."""

    table: pivot.Pivot
    drawn: Grid | None  # of claims there is none
    names: dict[str, str]
    interval: Interval


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, about which time; answers a question for the page and for a file alike."""

    selection: Selection
    sight: Sight
    zone: ZoneInfo

    def bounds(self, question: Question) -> tuple[datetime, datetime]:
        """The range as it is counted: claims by whole days."""
        since, until = self.selection.since, self.selection.until
        return bounds_of(since, until, self.zone) if question.is_claim else (since, until)

    def bounds_before(self, question: Question) -> tuple[datetime, datetime]:
        """What it is compared with. Whole days that touch both would be compared with themselves."""
        before = self.selection.before
        if not question.is_claim:
            return before
        first, after = days_of(self.selection.since, self.selection.until, self.zone)
        if days_of(*before, self.zone)[1] <= first:
            return bounds_of(*before, self.zone)
        return start_of(first - (after - first), self.zone), start_of(first, self.zone)

    def answer(self, question: Question, interval: Interval) -> Answer:
        """The table, and the chart of its lines, by `interval` where the table has none of its own."""
        lines, everything = self.lines(question, durations=not question.columns)
        names = {line.ids[0]: line.names[0] for line in lines}
        if question.columns in INTERVALS:
            interval = cast(Interval, question.columns)
            measure, bounds = MEASURES[question.measure], self.bounds(question)
            over_time = self.grid(question, question.dimensions, interval, measure)
            unpriced = over_time.unpriced if measure.unit == "money" else {}
            scope = (bounds, interval, self.zone, measure.of, everything)
            table = pivot.by_time(question.dimensions, lines, over_time, *scope, unpriced)
            return Answer(table, None if question.is_claim else over_time.by_first(), names, interval)
        table = self._table_of(question, lines, everything)
        measure, first = MEASURES[question.measure], (question.first,)
        drawn = None if question.is_claim else self.grid(question, first, interval, measure)
        return Answer(table, drawn, names, interval)

    def _table_of(self, question: Question, lines: list[Line], everything: Totals) -> pivot.Pivot:
        if question.columns == ACROSS:
            value = MEASURES[question.measure].of
            return pivot.by_second((question.first, question.second), lines, value, everything)
        earlier = self.lines(question, before=True)[0] if question.compares else None
        return pivot.by_figures(question.dimensions, lines, everything, earlier)

    def lines(
        self, question: Question, *, before: bool = False, durations: bool = False
    ) -> tuple[list[Line], Totals]:
        """Lines, and all calls of the range; of claims what their lines are parts of."""
        bounds = self.bounds_before(question) if before else self.bounds(question)
        scope = (*bounds, self.selection.filters)
        if question.is_claim:
            return claims_and_all(question.first, question.second, *scope, self.sight, zone=self.zone)
        lines, whole = breakdowns((question.dimensions, ()), *scope, self.sight, durations=durations)
        return lines, whole[0].totals if whole else Totals()

    def grid(
        self, question: Question, dimensions: tuple[str, ...], interval: Interval, measure: Measure
    ) -> Grid:
        """A measure over time, by the day for claims."""
        since, until = self.bounds(question)
        if not question.is_claim:
            scope = (since, until, interval, self.selection.filters, self.sight)
            return grid(dimensions, measure.figures, *scope, zone=self.zone)
        starts = buckets(since, until, interval, self.zone)
        places = {at: place for place, at in enumerate(starts)}
        values: dict[tuple[str, ...], list[int]] = {}
        unpriced: dict[tuple[str, ...], list[int]] = {}
        for at, line in self.cells(question):
            values.setdefault(line.ids, [0] * len(starts))[places[at]] += measure.of(line.totals)
            if line.totals.unpriced_requests:
                unpriced.setdefault(line.ids, [0] * len(starts))[places[at]] += line.totals.unpriced_requests
        return Grid(starts, values, None, unpriced)

    def cells(self, question: Question) -> list[tuple[datetime, Line]]:
        """Lines by the bucket they belong to, by the day for claims."""
        since, until = self.bounds(question)
        filters = self.selection.filters
        interval = cast(Interval, question.columns)
        if question.is_claim:
            days = claims_over_time(
                question.first, question.second, since, until, filters, self.sight, zone=self.zone
            )
            return self._bucketed(days, interval)
        return breakdown_over_time(
            question.dimensions, since, until, interval, filters, self.sight, zone=self.zone, durations=False
        )

    def _bucketed(self, days: list[tuple[datetime, Line]], interval: Interval) -> list[tuple[datetime, Line]]:
        """Days added up to weeks or months."""
        parts: dict[tuple[datetime, tuple[str, ...]], list[Line]] = {}
        for at, line in days:
            parts.setdefault((bucket_of(at, interval, self.zone), line.ids), []).append(line)
        return [
            (at, Line(ids, lines[0].names, summed(line.totals for line in lines)))
            for (at, ids), lines in parts.items()
        ]

    def table(self, question: Question) -> tuple[list[str], Iterator[list[Any]]]:
        """Columns and rows of a file: a row a line, and a bucket of time where time is across."""
        columns = []
        for name in question.dimensions:
            columns += [name, f"{name}_id"] if name in _NAMED else [name]
        if question.columns in INTERVALS:
            rows = ([at.isoformat(), *_values(question, line)] for at, line in self.cells(question))
            return ["start", *columns, *question.figure_columns], rows
        lines = (_values(question, line) for line in self.lines(question)[0])
        return [*columns, *question.figure_columns], lines


def _values(question: Question, line: Line) -> list[Any]:
    found: list[Any] = []
    for name, ref, shown in zip(question.dimensions, line.ids, line.names, strict=True):
        found += [shown or None, ref or None] if name in _NAMED else [ref or None]
    return found + figures_of(line.totals, question.figure_columns)


def figures_of(line: Totals, columns: Sequence[str]) -> list[Any]:
    """The figures of a line, exact."""
    return [
        Decimal(usd_string(line.cost_nanodollars)) if name == "cost_usd" else getattr(line, name)
        for name in columns
    ]


def _count(chosen: Selection, interval: str, zone: ZoneInfo) -> int:
    return len(buckets(chosen.since, chosen.until, cast(Interval, interval), zone))
