"""A question to the Usage page, as its address asks it, and its answers: a pivot, or lines to export."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from gateway_project.money import usd_string
from usage_app import pivot
from usage_app.charts import MEASURES
from usage_app.reports import (
    Interval,
    Line,
    Totals,
    breakdown,
    breakdown_over_time,
    bucket_of,
    buckets,
    quarters_kept_from,
    totals,
)
from usage_app.reports_claims import CLAIM_COLUMNS, claims, claims_over_time, days_of, summed
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
class Asker:
    """Who asks, about which time; answers a question for the page and for a file alike."""

    selection: Selection
    sight: Sight
    zone: ZoneInfo

    def bounds(self, question: Question) -> tuple[datetime, datetime]:
        """The range as it is counted: claims by whole days."""
        since, until = self.selection.since, self.selection.until
        if not question.is_claim:
            return since, until
        first, after = days_of(since, until, self.zone)
        return start_of(first, self.zone), start_of(after, self.zone)

    def pivot(self, question: Question) -> pivot.Pivot:
        """The table."""
        value = MEASURES[question.measure].of
        everything = self.everything(question)
        if question.columns in INTERVALS:
            return pivot.by_time(
                question.dimensions,
                self.cells(question),
                self.bounds(question),
                cast(Interval, question.columns),
                self.zone,
                value,
                everything,
            )
        lines = self.lines(question)
        if question.columns == ACROSS:
            return pivot.by_second((question.first, question.second), lines, value, everything)
        earlier = self.lines(question, before=True) if question.compares else None
        return pivot.by_figures(question.dimensions, lines, everything, earlier)

    def everything(self, question: Question) -> Totals:
        """All calls of the range; of claims the lines' own sum, for what carries none is on no line."""
        if question.is_claim:
            return summed(line.totals for line in self.lines(question))
        return totals(*self.bounds(question), self.selection.filters, self.sight)

    def lines(self, question: Question, *, before: bool = False) -> list[Line]:
        filters = self.selection.filters
        since, until = self.selection.before if before else self.bounds(question)
        if question.is_claim:
            return claims(question.first, question.second, since, until, filters, self.sight, zone=self.zone)
        durations = not question.columns and not before
        return breakdown(question.dimensions, since, until, filters, self.sight, durations=durations)

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
            return ["start", *columns, *FIGURE_COLUMNS], rows
        lines = (_values(question, line) for line in self.lines(question))
        return [*columns, *FIGURE_COLUMNS], lines


def _values(question: Question, line: Line) -> list[Any]:
    found: list[Any] = []
    for name, ref, shown in zip(question.dimensions, line.ids, line.names, strict=True):
        found += [shown or None, ref or None] if name in _NAMED else [ref or None]
    return found + figures_of(line.totals)


def figures_of(line: Totals) -> list[Any]:
    """The figures of a line in the order of FIGURE_COLUMNS, exact."""
    return [
        Decimal(usd_string(line.cost_nanodollars)) if name == "cost_usd" else getattr(line, name)
        for name in FIGURE_COLUMNS
    ]


def _count(chosen: Selection, interval: str, zone: ZoneInfo) -> int:
    return len(buckets(chosen.since, chosen.until, cast(Interval, interval), zone))
