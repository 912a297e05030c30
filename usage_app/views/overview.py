"""Overview: where is the money going, is anything wrong?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway_project.conf import config
from usage_app import figures
from usage_app.charts import (
    MEASURES,
    OTHER_COLOUR,
    chart_data,
    layers_of,
    spark,
    unfinished_index,
)
from usage_app.headline import headline
from usage_app.reports import Filters, Line, Series, Totals, balance, breakdown, series, totals
from usage_app.snippets import BY_NAME
from usage_app.views.page import PageView

#: dimension -> (label, parameter that opens its calls)
DIMENSIONS: dict[str, tuple[Any, str]] = {
    "model": (gettext_lazy("Model"), "model"),
    "service": (gettext_lazy("Service"), "service"),
    "user": (gettext_lazy("User"), "user"),
    "key": (gettext_lazy("Key"), "key"),
    "environment": (gettext_lazy("Environment"), "environment"),
}
TABLE_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Figure:
    """A tile. `better` says which direction is good news: up, down, or neither."""

    label: Any
    value: str
    exact: str
    change: float | None
    better: str
    spark: str
    note: str = ""
    link: str = ""

    @property
    def change_text(self) -> str:
        if self.change is None:
            return ""
        if abs(self.change) < 0.5:
            return "±0" + figures.THIN_SPACE + "%"
        if abs(self.change) > 999:
            return ("+" if self.change > 0 else "−") + "999" + figures.THIN_SPACE + "%"
        return f"{self.change:+.0f}{figures.THIN_SPACE}%".replace("-", "−")

    @property
    def tone(self) -> str:
        if self.change is None or abs(self.change) < 0.5 or not self.better:
            return ""
        return "good" if (self.change > 0) == (self.better == "up") else "bad"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, with its share, its change and its colour in the chart."""

    line: Line
    name: str
    colour: str
    change: float | None
    link: str

    @property
    def totals(self) -> Totals:
        return self.line.totals

    @property
    def tokens(self) -> int:
        return self.totals.input_tokens + self.totals.output_tokens


class OverviewView(PageView):
    """The page, and its moving part as a fragment."""

    name = "overview"
    title = gettext_lazy("Overview")
    template = "ui/overview.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.headers.get("HX-Request") and request.GET.get("fragment") == "body":
            return self.fragment("ui/_overview_body.html", **self.shown())
        return self.page(**self.shown())

    @cached_property
    def by(self) -> str:
        by = self.request.GET.get("by", "")
        return by if by in DIMENSIONS else "model"

    @cached_property
    def measure(self) -> str:
        measure = self.request.GET.get("measure", "")
        return measure if measure in MEASURES else "spend"

    @cached_property
    def filters(self) -> Filters:
        return Filters(environment=self.selection.environment, service_id=self.selection.service_id)

    def shown(self) -> dict[str, Any]:
        chosen = self.selection
        now = totals(chosen.since, chosen.until, self.filters, self.sight)
        before = totals(*chosen.before, self.filters, self.sight)
        lines = self.lines(chosen.since, chosen.until)
        earlier = {line.ids[0]: line for line in self.lines(*chosen.before)}
        drawn = self.series(self.by)
        data = chart_data(drawn, self.measure, chosen.interval, self.reporting_zone, unfinished_index(drawn))
        shown: dict[str, Any] = {
            "totals": now,
            "total_tokens": now.input_tokens + now.output_tokens,
            "is_empty": not now.requests and not before.requests,
            "headline": headline(chosen, now, before, lines, self.by),
            "figures": self.figures(now, before, self.series(None)),
            "chart": data,
            "rows": self.rows(lines, earlier, drawn),
            "more_rows": len(lines) > TABLE_LIMIT,
            "dimensions": DIMENSIONS,
            "measures": MEASURES,
            "by": self.by,
            "measure": self.measure,
            "balance": balance() if self.viewer.sees_everything else None,
        }
        if shown["is_empty"]:
            shown["first_call"] = BY_NAME["curl"].filled(config().public_url, "sandbox")
        return shown

    def lines(self, since: Any, until: Any) -> list[Line]:
        return breakdown((self.by,), since, until, self.filters, self.sight, limit=TABLE_LIMIT + 1)

    def series(self, by: str | None) -> Series:
        chosen = self.selection
        return series(
            chosen.since,
            chosen.until,
            chosen.interval,
            by,
            self.filters,
            self.sight,
            zone=self.reporting_zone,
        )

    def figures(self, now: Totals, before: Totals, drawn: Series) -> list[Figure]:
        columns = drawn.lines[0].totals if drawn.lines else []

        def line_of(value: Callable[[Totals], float | None]) -> str:
            return spark([value(each) or 0 for each in columns])

        failed = now.errors
        rate, rate_before = _rate(now), _rate(before)
        return [
            Figure(
                _("Spend"),
                figures.money(now.cost_nanodollars),
                figures.exact_money(now.cost_nanodollars),
                figures.change(now.cost_nanodollars, before.cost_nanodollars),
                "",
                line_of(lambda each: each.cost_nanodollars),
                self.spend_note(now),
            ),
            Figure(
                _("Requests"),
                figures.short_count(now.requests),
                figures.grouped(now.requests),
                figures.change(now.requests, before.requests),
                "",
                line_of(lambda each: each.requests),
                _("%(count)s refused") % {"count": figures.short_count(now.refused)} if now.refused else "",
            ),
            Figure(
                _("Tokens"),
                figures.short_count(now.input_tokens + now.output_tokens),
                figures.grouped(now.input_tokens + now.output_tokens),
                figures.change(now.input_tokens + now.output_tokens, before.input_tokens + before.output_tokens),
                "",
                line_of(lambda each: each.input_tokens + each.output_tokens),
                _("%(input)s in, %(output)s out")
                % {
                    "input": figures.short_count(now.input_tokens),
                    "output": figures.short_count(now.output_tokens),
                },
            ),
            Figure(
                _("Error rate"),
                figures.share(failed, now.requests) or _("no calls"),
                f"{failed} / {now.requests}",
                None if rate is None or rate_before is None else figures.change(rate, rate_before),
                "down",
                line_of(lambda each: each.errors),
                _("%(count)s failed") % {"count": figures.short_count(failed)} if failed else "",
                self.requests_link(status="error"),
            ),
            self.speed(
                _("Latency p95"),
                (now.latency_p50_ms, now.latency_p95_ms),
                before.latency_p95_ms,
                line_of(lambda each: each.latency_p95_ms),
            ),
            self.speed(
                _("First token p95"),
                (now.ttft_p50_ms, now.ttft_p95_ms),
                before.ttft_p95_ms,
                line_of(lambda each: each.ttft_p95_ms),
            ),
        ]

    def speed(
        self, label: Any, now: tuple[float | None, float | None], before: float | None, line: str
    ) -> Figure:
        """A tile of (p50, p95) milliseconds; slower is worse."""
        median, p95 = now
        return Figure(
            label,
            figures.duration(p95) if p95 is not None else _("no calls"),
            f"{p95:.0f} ms" if p95 is not None else "",
            figures.change(p95, before),
            "down",
            line,
            _("p50 %(time)s") % {"time": figures.duration(median)} if median is not None else "",
        )

    def spend_note(self, now: Totals) -> str:
        estimated = now.estimated_cost_nanodollars + now.interrupted_cost_nanodollars
        return _("of it estimated %(amount)s") % {"amount": figures.money(estimated)} if estimated else ""

    def rows(self, lines: list[Line], earlier: dict[str, Line], drawn: Series) -> list[Row]:
        colours = {layer.id: layer.colour for layer in layers_of(drawn, MEASURES[self.measure])}
        parameter = DIMENSIONS[self.by][1]
        rows = []
        for line in lines[:TABLE_LIMIT]:
            entity = line.ids[0]
            former = earlier.get(entity)
            rows.append(
                Row(
                    line,
                    line.names[0] or _("none"),
                    colours.get(entity, OTHER_COLOUR),
                    figures.change(line.totals.cost_nanodollars, former.totals.cost_nanodollars)
                    if former
                    else None,
                    self.requests_link(**{parameter: entity}) if entity else "",
                )
            )
        return rows

    def requests_link(self, **parameters: str) -> str:
        return "requests/?" + urlencode({**self.selection.parameters, **parameters})


def _rate(each: Totals) -> float | None:
    return each.errors / each.requests if each.requests else None
