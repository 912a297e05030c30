"""Usage as a table of two dimensions and time: rows, columns, the rest and the sums.

Arranges what reports answer; a line's parameters and a column's together open the calls of their cell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage_app.charts import bucket_label
from usage_app.reports import Interval, Line, Totals, end_of
from usage_app.reports_claims import summed
from usage_app.reports_grid import Grid
from usage_app.selection import NONE

#: dimension -> (label, parameter of Requests that opens its calls)
DIMENSIONS: dict[str, tuple[Any, str]] = {
    "model": (gettext_lazy("Model"), "model"),
    "provider": (gettext_lazy("Provider"), "provider"),
    "deployment": (gettext_lazy("Deployment"), "deployment"),
    "key": (gettext_lazy("Key"), "key"),
    "user": (gettext_lazy("User"), "user"),
    "service": (gettext_lazy("Service"), "service"),
    "environment": (gettext_lazy("Environment"), "environment"),
}
CLAIM_DIMENSIONS: dict[str, tuple[Any, str]] = {
    "tag": (gettext_lazy("Tag"), "tag"),
    "end_user": (gettext_lazy("End user"), "end_user"),
    "client": (gettext_lazy("Client"), "client"),
}
ALL_DIMENSIONS = {**DIMENSIONS, **CLAIM_DIMENSIONS}
MAX_ROWS = 100
#: Columns of a second dimension; the rest are one column 'other'.
MAX_COLUMNS = 12
#: Columns of time: more are asked for by a longer interval.
MAX_BUCKETS = 93

Value = Callable[[Totals], int]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A column: its label and what narrows the calls behind its cells. `is_rest` opens nothing."""

    label: str
    parameters: Mapping[str, str]
    title: str = ""
    is_rest: bool = False


@dataclass(slots=True)
class PivotRow:
    """A line: its names, its sums, a number a column, and the sums of the period before.

    `unpriced` has the calls without a price a column, where money is counted and there are any.
    Without `parameters` nothing opens it.
    """

    ids: Key
    names: tuple[str, ...]
    totals: Totals
    parameters: Mapping[str, str] | None
    cells: list[int] = field(default_factory=list)
    before: Totals | None = None
    unpriced: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return " · ".join(self.names)


@dataclass(frozen=True, slots=True)
class Pivot:
    """`rows` are the largest; `rest` is all others in one; `foot` is everything, by reports' own sum."""

    heads: list[Head]
    rows: list[PivotRow]
    rest: PivotRow | None
    foot: PivotRow


def parameters_of(dimensions: Sequence[str], ids: Sequence[str]) -> dict[str, str] | None:
    """What opens the calls of a line; None where nothing can (the shared rest of claims)."""
    found = {}
    for name, ref in zip(dimensions, ids, strict=True):
        if name in CLAIM_DIMENSIONS and not ref:
            return None
        found[ALL_DIMENSIONS[name][1]] = ref or NONE
    return found


def shown_names(dimensions: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Names as the page shows them: what has none says so."""
    return tuple(
        name or (_("others") if dimension in CLAIM_DIMENSIONS else _("none"))
        for dimension, name in zip(dimensions, names, strict=True)
    )


def by_figures(
    dimensions: Sequence[str], lines: Sequence[Line], everything: Totals, earlier: Sequence[Line] | None
) -> Pivot:
    """No columns: a line's own figures."""
    former = {line.ids: line.totals for line in earlier or ()}
    rows = [_row(dimensions, line) for line in lines]
    for row in rows:
        row.before = former.get(row.ids)
    return _cut([], rows, everything)


def by_time(
    dimensions: Sequence[str],
    lines: Sequence[Line],
    grid: Grid,
    bounds: tuple[datetime, datetime],
    interval: Interval,
    zone: ZoneInfo,
    value: Value,
    everything: Totals,
    unpriced: Mapping[Key, Sequence[int]],
) -> Pivot:
    """A column a bucket of time, in `zone`."""
    since, until = bounds
    heads = [
        Head(
            bucket_label(at, interval, zone),
            {
                "since": max(at, since).isoformat(),
                "until": min(end_of(at, interval, zone), until).isoformat(),
            },
            at.isoformat(),
        )
        for at in grid.buckets
    ]
    return _crossed(dimensions, heads, lines, grid.values, value, everything, unpriced)


def by_second(dimensions: tuple[str, str], lines: Sequence[Line], value: Value, everything: Totals) -> Pivot:
    """A column a value of the second dimension, the largest first."""
    first, second = dimensions
    weights: dict[str, int] = {}
    names: dict[str, str] = {}
    for line in lines:
        weights[line.ids[1]] = weights.get(line.ids[1], 0) + value(line.totals)
        names[line.ids[1]] = line.names[1]
    order = sorted(weights, key=lambda ref: (-weights[ref], names[ref]))
    kept = order if len(order) <= MAX_COLUMNS + 1 else order[:MAX_COLUMNS]
    heads = [
        Head(shown_names((second,), (names[ref],))[0], parameters_of((second,), (ref,)) or {}) for ref in kept
    ]
    if len(kept) < len(order):
        heads.append(Head(_("other (%(count)s)") % {"count": len(order) - len(kept)}, {}, is_rest=True))
    places = {ref: min(place, len(heads) - 1) for place, ref in enumerate(order)}
    values: dict[Key, list[int]] = {}
    unpriced: dict[Key, list[int]] = {}
    parts: dict[Key, list[Line]] = {}
    for line in lines:
        values.setdefault(line.ids[:1], [0] * len(heads))[places[line.ids[1]]] += value(line.totals)
        if unknown := line.totals.unpriced_requests:
            unpriced.setdefault(line.ids[:1], [0] * len(heads))[places[line.ids[1]]] += unknown
        parts.setdefault(line.ids[:1], []).append(line)
    sums = [
        Line(ids, those[0].names[:1], summed(line.totals for line in those)) for ids, those in parts.items()
    ]
    return _crossed((first,), heads, sums, values, value, everything, unpriced)


def _crossed(
    dimensions: Sequence[str],
    heads: list[Head],
    lines: Sequence[Line],
    values: Mapping[Key, Sequence[int]],
    value: Value,
    everything: Totals,
    unpriced: Mapping[Key, Sequence[int]],
) -> Pivot:
    rows = [_row(dimensions, line) for line in lines]
    for row in rows:
        row.cells = list(values.get(row.ids) or [0] * len(heads))
        row.unpriced = list(unpriced.get(row.ids) or [0] * len(heads))
    rows.sort(key=lambda row: (-value(row.totals), row.names))
    return _cut(heads, rows, everything)


def _row(dimensions: Sequence[str], line: Line) -> PivotRow:
    return PivotRow(
        line.ids,
        shown_names(dimensions, line.names),
        line.totals,
        parameters_of(dimensions, line.ids),
    )


def _cut(heads: list[Head], rows: list[PivotRow], everything: Totals) -> Pivot:
    """The largest rows, the rest in one, and the foot."""
    foot = PivotRow((), (_("All"),), everything, {}, _added(rows) or [0] * len(heads))
    foot.unpriced = _added_unpriced(rows) or [0] * len(heads)
    if len(rows) <= MAX_ROWS + 1:
        return Pivot(heads, rows, None, foot)
    shown, others = rows[:MAX_ROWS], rows[MAX_ROWS:]
    label = _("other (%(count)s)") % {"count": len(others)}
    rest = PivotRow((), (label,), summed(row.totals for row in others), None, _added(others))
    rest.unpriced = _added_unpriced(others)
    return Pivot(heads, shown, rest, foot)


def _added(rows: Iterable[PivotRow]) -> list[int]:
    return [sum(column) for column in zip(*(row.cells for row in rows), strict=True)]


def _added_unpriced(rows: Iterable[PivotRow]) -> list[int]:
    return [sum(column) for column in zip(*(row.unpriced for row in rows), strict=True)]
