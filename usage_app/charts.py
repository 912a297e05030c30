"""Series as a chart draws them: at most seven and 'other', one colour an entity, the open bucket marked.

The same data makes the sparklines, as points of a polyline. Pure: nothing here knows a page.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage_app.reports import Series, Totals
from usage_app.reports_grid import Grid
from usage_app.rollups import FAILURES
from usage_app.selection import NONE, Selection

#: What the sums count as failed, as parameters of Requests.
FAILED: Mapping[str, Sequence[str]] = {"status": FAILURES}
#: Colours of the palette in the stylesheet; the last class is 'other'.
PALETTE_SIZE = 10
OTHER_COLOUR = "other"
MAX_SERIES = 7


@dataclass(frozen=True, slots=True)
class Measure:
    """Figures of Totals that can be summed, so that stacking them means something. `counts` are the
    parameters of Requests that leave the calls it counts, where these are not all.
    """

    label: Any
    unit: str  # money or count
    figures: tuple[str, ...]
    counts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, totals: Totals) -> int:
        return sum(getattr(totals, name) for name in self.figures)


MEASURES: dict[str, Measure] = {
    "spend": Measure(gettext_lazy("Spend"), "money", ("cost_nanodollars",)),
    "requests": Measure(gettext_lazy("Requests"), "count", ("requests",)),
    "tokens": Measure(gettext_lazy("Tokens"), "count", ("input_tokens", "output_tokens")),
    "errors": Measure(gettext_lazy("Errors"), "count", ("errors",), FAILED),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One colour of the stack. `colour` is a palette number or 'other'; `unpriced` counts the calls a bucket
    that money leaves out, where there are any.
    """

    id: str
    name: str
    colour: str
    values: tuple[int, ...]
    unpriced: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.values)


def layers_of(grid: Grid, names: Mapping[str, str]) -> list[Layer]:
    """The largest lines of a grid by one dimension, largest first, and the rest as 'other'."""
    lines = [
        (ref, names.get(ref, ref), tuple(values)) for (ref,), values in grid.values.items() if any(values)
    ]
    lines.sort(key=lambda line: (-sum(line[2]), line[1]))
    shown, rest = lines[:MAX_SERIES], lines[MAX_SERIES:]
    if len(rest) == 1:
        shown, rest = lines, []
    colours = colours_for([line[0] for line in shown])
    layers = [
        Layer(ref, name or _("none"), colours[ref], values, tuple(grid.unpriced.get((ref,), ())))
        for ref, name, values in shown
    ]
    if rest:
        summed = _added(line[2] for line in rest)
        unpriced = _added(grid.unpriced[(line[0],)] for line in rest if (line[0],) in grid.unpriced)
        name = _("other (%(count)s)") % {"count": len(rest)}
        layers.append(Layer("", name, OTHER_COLOUR, summed, unpriced))
    return layers


def _added(lines: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Number by number; () of none."""
    return tuple(sum(column) for column in zip(*lines, strict=True))


def colours_for(ids: Sequence[str]) -> dict[str, str]:
    """A colour each: by hash, so that an entity keeps it; a taken one goes to the next free."""
    taken: set[int] = set()
    colours: dict[str, str] = {}
    for entity in ids:
        wanted = hashlib.sha256(entity.encode()).digest()[0] % PALETTE_SIZE
        free = (number % PALETTE_SIZE for number in range(wanted, wanted + PALETTE_SIZE))
        number = next((each for each in free if each not in taken), wanted)
        taken.add(number)
        colours[entity] = str(number)
    return colours


def chart_data(
    grid: Grid,
    layers: Sequence[Layer],
    measure: Measure,
    chosen: Selection,
    zone: ZoneInfo,
    interval: str,
    parameter: str,
) -> dict[str, Any]:
    """What the script draws: labels, starts, one data set a layer, and what a click on a bar keeps.
    `parameter` is that of Requests which leaves the calls of one layer.
    """
    counts_money = measure.unit == "money"
    axis = time_axis(grid, chosen, zone, interval)
    return axis | {
        "unit": measure.unit,
        "narrowed": {**axis["narrowed"], **measure.counts},
        "unpriced": _added(grid.unpriced.values()) if counts_money else (),
        "words": {
            "time": _("Time"),
            "sum": _("Sum"),
            "unpriced": _("unpriced"),
            "left_out": _("without a price"),
        },
        "layers": [
            {
                "id": layer.id,
                "name": layer.name,
                "colour": layer.colour,
                "values": layer.values,
                "unpriced": layer.unpriced if counts_money else (),
                "opens": {} if layer.colour == OTHER_COLOUR else {parameter: [layer.id or NONE]},
            }
            for layer in layers
        ],
    }


def time_axis(over: Grid | Series, chosen: Selection, zone: ZoneInfo, interval: str) -> dict[str, Any]:
    """The buckets of a chart, and what opens the calls of one."""
    kept = (("environment", chosen.environment), ("service", chosen.service_id))
    return {
        "labels": [bucket_label(bucket, interval, zone) for bucket in over.buckets],
        "times": [bucket_name(bucket, interval, zone) for bucket in over.buckets],
        # The first bucket may begin before the range, of which its sum is.
        "starts": [max(bucket, chosen.since).isoformat() for bucket in over.buckets],
        "until": chosen.until.isoformat(),
        "narrowed": {name: [value] for name, value in kept if value},
        "unfinished": unfinished_index(over),
    }


def bucket_label(bucket: datetime, interval: str, zone: ZoneInfo) -> str:
    """A bucket by its start, in the zone whose days it follows."""
    local = bucket.astimezone(zone)
    if interval in ("quarter", "hour"):
        return local.strftime("%H:%M")
    return date_format(local, _("M Y") if interval == "month" else _("j M"))


def bucket_name(bucket: datetime, interval: str, zone: ZoneInfo) -> str:
    """The same where it stands alone: with its day, and a day with its year."""
    if interval == "month":
        return bucket_label(bucket, interval, zone)
    day = _("j M Y, H:i") if interval in ("quarter", "hour") else _("j M Y")
    return date_format(bucket.astimezone(zone), day)


def unfinished_index(over: Grid | Series) -> int | None:
    """The first bucket that is not over yet."""
    if over.unfinished_from is None:
        return None
    for index, bucket in enumerate(over.buckets):
        if bucket >= over.unfinished_from:
            return index
    return len(over.buckets) - 1 if over.buckets else None


def round_step(highest: float, marks: int) -> float:
    """1, 2 or 5 with zeros: the least distance of so many marks that reach the highest."""
    rough = highest / marks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough * (1 - 1e-9))


def spark(values: Iterable[float | None], width: int = 100, height: int = 24) -> str:
    """Points of a polyline over a box; '' where a line would say nothing. None is no point, not 0."""
    numbers = list(values)
    known = [value for value in numbers if value is not None]
    top = max(known, default=0)
    if len(known) < 2 or not top:
        return ""
    step = width / (len(numbers) - 1)
    return " ".join(
        f"{index * step:.1f},{height - 1 - (height - 2) * value / top:.1f}"
        for index, value in enumerate(numbers)
        if value is not None
    )
