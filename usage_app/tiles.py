"""The Overview's tiles: six figures, each with its change, its line over time, and a note. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from usage_app import figures
from usage_app.charts import FAILED, spark
from usage_app.figures import known_money
from usage_app.marks import exact_spend
from usage_app.reports import Series, Totals


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile. `better` says which direction is good news: up, down, or neither. The change is in percent,
    or in percentage points where the figure is a percentage itself."""

    label: Any
    value: str
    exact: str
    change: float | None
    better: str
    spark: str
    note: str = ""
    link: str = ""  # the calls it is of
    note_link: str = ""
    in_points: bool = False

    @property
    def change_text(self) -> str:
        if self.change is None:
            return ""
        if self.in_points:
            return _("%(points)s pp") % {"points": figures.signed_points(self.change)}
        return figures.signed_percent(self.change)

    @property
    def change_words(self) -> str:
        """What the change is of, for who hovers or hears."""
        if self.in_points:
            return _("percentage points against the period before")
        return _("against the period before")

    @property
    def tone(self) -> str:
        least = 0.05 if self.in_points else 0.5
        if self.change is None or abs(self.change) < least or not self.better:
            return ""
        return "good" if (self.change > 0) == (self.better == "up") else "bad"


Value = Callable[[Totals], float | None]
#: Parameters of Requests -> the address of these calls of the range.
Link = Callable[..., str]


def tiles(now: Totals, before: Totals, over_time: Series, link: Link) -> list[Tile]:
    """All six, each with the way to its calls. `over_time` has one line: everything."""
    columns = over_time.lines[0].totals if over_time.lines else []

    def line_of(value: Value) -> str:
        return spark([value(each) for each in columns])

    return [
        _spend(now, before, line_of(lambda each: each.cost_nanodollars), link),
        _requests(now, before, line_of(lambda each: each.requests), link),
        _tokens(now, before, line_of(_all_tokens), link),
        _errors(now, before, line_of(_error_rate), link),
        _speed(
            _("Latency p95"),
            (now.latency_p50_ms, now.latency_p95_ms),
            before.latency_p95_ms,
            line_of(lambda each: each.latency_p95_ms),
            link(sort="-latency"),
        ),
        _speed(
            _("First token p95"),
            (now.ttft_p50_ms, now.ttft_p95_ms),
            before.ttft_p95_ms,
            line_of(lambda each: each.ttft_p95_ms),
            link(sort="-ttft"),
        ),
    ]


def _all_tokens(each: Totals) -> int:
    return each.input_tokens + each.output_tokens


def _error_rate(each: Totals) -> float | None:
    return each.errors / each.requests if each.requests else None


def _spend(now: Totals, before: Totals, line: str, link: Link) -> Tile:
    estimated = now.estimated_cost_nanodollars
    return Tile(
        _("Spend"),
        _("unpriced") if now.is_unpriced else known_money(now.cost_nanodollars, now.unpriced_requests),
        exact_spend(now.cost_nanodollars, now.unpriced_requests),
        figures.change(now.cost_nanodollars, before.cost_nanodollars),
        "",
        line,
        _("%(amount)s of it estimated") % {"amount": figures.money(estimated)} if estimated else "",
        link(sort="-cost"),
        link(usage_source="estimate", sort="-cost"),
    )


def _requests(now: Totals, before: Totals, line: str, link: Link) -> Tile:
    return Tile(
        _("Requests"),
        figures.short_count(now.requests),
        figures.grouped(now.requests),
        figures.change(now.requests, before.requests),
        "",
        line,
        _("%(count)s refused") % {"count": figures.short_count(now.refused)} if now.refused else "",
        link(),
        link(status="refused"),
    )


def _tokens(now: Totals, before: Totals, line: str, link: Link) -> Tile:
    parts = {
        "input": figures.short_count(now.input_tokens),
        "output": figures.short_count(now.output_tokens),
    }
    return Tile(
        _("Tokens"),
        figures.short_count(_all_tokens(now)),
        figures.grouped(_all_tokens(now)),
        figures.change(_all_tokens(now), _all_tokens(before)),
        "",
        line,
        _("%(input)s in, %(output)s out") % parts,
        link(sort="-input_tokens"),
    )


def _errors(now: Totals, before: Totals, line: str, link: Link) -> Tile:
    return Tile(
        _("Error rate"),
        figures.share(now.errors, now.requests) or _("no calls"),
        f"{now.errors} / {now.requests}",
        _points(_error_rate(now), _error_rate(before)),
        "down",
        line,
        _("%(count)s failed") % {"count": figures.short_count(now.errors)} if now.errors else "",
        link(**FAILED) if now.errors else "",
        in_points=True,
    )


def _points(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else 100 * (now - before)


def _speed(
    label: Any, now: tuple[float | None, float | None], before: float | None, line: str, link: str
) -> Tile:
    """A tile of (p50, p95) milliseconds; slower is worse."""
    median, p95 = now
    return Tile(
        label,
        figures.usual(p95) if p95 is not None else _("no calls"),
        "",
        figures.change(p95, before),
        "down",
        line,
        _("p50 %(time)s") % {"time": figures.usual(median)} if median is not None else "",
        link if p95 is not None else "",
    )
