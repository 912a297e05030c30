"""Overview: where is the money going, is anything wrong?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway_project.conf import config
from usage_app import figures
from usage_app.charts import FAILED, MEASURES, OTHER_COLOUR, Layer, chart_data, layers_of
from usage_app.headline import Ways, headline
from usage_app.reports import Filters, Line, Series, Totals, balance, breakdowns, series, totals
from usage_app.reports_claims import summed
from usage_app.reports_grid import Grid, grid
from usage_app.selection import NONE
from usage_app.snippets import BY_NAME
from usage_app.tiles import tiles
from usage_app.views import overview_parts as parts
from usage_app.views.page import PageView

#: dimension -> (label, parameter that opens its calls)
DIMENSIONS: dict[str, tuple[Any, str]] = {
    "model": (gettext_lazy("Model"), "model"),
    "service": (gettext_lazy("Service"), "service"),
    "user": (gettext_lazy("User"), "user"),
    "key": (gettext_lazy("Key"), "key"),
    "environment": (gettext_lazy("Environment"), "environment"),
    "provider": (gettext_lazy("Provider"), "provider"),
    "deployment": (gettext_lazy("Deployment"), "deployment"),
}
TABLE_LIMIT = 10
#: What says which time is chosen.
RANGE = ("range", "since", "until")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, with its share, its change and its colour in the chart."""

    line: Line
    name: str
    colour: str
    change: float | None
    is_new: bool
    link: str
    failed_link: str

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
        return self.selection.filters

    def shown(self) -> dict[str, Any]:
        chosen = self.selection
        over_time = self.over_time()
        now = over_time.lines[0].whole
        before = totals(*chosen.before, self.filters, self.sight)
        scope = (chosen.since, chosen.until, self.filters, self.sight)
        tried, by_provider = breakdowns([(self.by,), ("provider",)], *scope, durations=True, attempts=True)
        lines = [line for line in tried if not line.totals.is_attempts_alone]
        tops = dict(zip(parts.TOPS, breakdowns([(name,) for name in parts.TOPS], *scope), strict=True))
        former, former_models = breakdowns([(self.by,), ("model",)], *chosen.before, *scope[2:])
        drawn = self.drawn()
        layers = layers_of(drawn, {line.ids[0]: line.names[0] for line in lines})
        shown: dict[str, Any] = {
            "totals": now,
            "total_tokens": now.input_tokens + now.output_tokens,
            "is_empty": not now.requests and not before.requests,
            "headline": headline(chosen, now, before, lines, DIMENSIONS[self.by][1], self.ways),
            "ways": self.ways,
            "tiles": tiles(now, before, over_time, self.requests_link),
            "failed_link": self.requests_link(**FAILED),
            "all_link": self.requests_link(),
            "chart": self.chart(drawn, layers),
            "rows": self.rows(lines, {line.ids[0]: line for line in former}, layers),
            "rest": self.rest(lines),
            "dimensions": DIMENSIONS,
            "measures": MEASURES,
            "by": self.by,
            "measure": self.measure,
            "balance": balance() if self.viewer.sees_everything else None,
            "month": parts.month(self.filters, self.sight, self.reporting_zone),
            "tops": parts.tops(tops, now, self.requests_link),
            "budgets": parts.budgets_near_end(self.sight),
            "providers": parts.providers(by_provider, self.requests_link),
        }
        difference = now.cost_nanodollars - before.cost_nanodollars
        causes = parts.causes(tops["model"], former_models, self.requests_link) if difference else []
        shown |= {"difference": difference, "causes": causes}
        if shown["is_empty"] and not self.has_calls:
            shown["first_call"] = BY_NAME["curl"].filled(config().public_url, "sandbox")
        return shown

    def over_time(self) -> Series:
        """The tiles' lines, which tell how long calls took."""
        chosen, zone = self.selection, self.reporting_zone
        return series(chosen.since, chosen.until, self.interval, None, self.filters, self.sight, zone=zone)

    def drawn(self) -> Grid:
        chosen, figures = self.selection, MEASURES[self.measure].figures
        scope = (chosen.since, chosen.until, self.interval, self.filters, self.sight)
        return grid((self.by,), figures, *scope, zone=self.reporting_zone)

    def chart(self, drawn: Grid, layers: Sequence[Layer]) -> dict[str, Any]:
        measure, parameter = MEASURES[self.measure], DIMENSIONS[self.by][1]
        zone, interval = self.reporting_zone, self.interval
        return chart_data(drawn, layers, measure, self.selection, zone, interval, parameter)

    def rows(self, lines: list[Line], earlier: dict[str, Line], layers: Sequence[Layer]) -> list[Row]:
        colours = {layer.id: layer.colour for layer in layers}
        parameter, of = DIMENSIONS[self.by][1], MEASURES[self.measure].of
        rows = []
        for line in lines[: self.listed(lines)]:
            entity = line.ids[0]
            former = earlier.get(entity)
            rows.append(
                Row(
                    line,
                    line.names[0] or _("none"),
                    colours.get(entity, OTHER_COLOUR),
                    figures.change(of(line.totals), of(former.totals)) if former else None,
                    former is None,
                    self.requests_link(**{parameter: entity or NONE}),
                    self.requests_link(**{parameter: entity or NONE}, **FAILED),
                )
            )
        return rows

    @staticmethod
    def listed(lines: Sequence[Line]) -> int:
        """How many lines the table has: a line for the others is not worth it for one or two."""
        return TABLE_LIMIT if len(lines) > TABLE_LIMIT + 2 else len(lines)

    def rest(self, lines: Sequence[Line]) -> dict[str, Any] | None:
        """Lines beyond those of the table in one; Usage has each of them."""
        others = lines[self.listed(lines) :]
        if not others:
            return None
        return {
            "name": _("other (%(count)s)") % {"count": len(others)},
            "totals": summed(line.totals for line in others),
            "link": "usage/?" + urlencode({**self.selection.exactly, "by": self.by}),
        }

    @cached_property
    def ways(self) -> Ways:
        chosen = self.selection.exactly
        kept = {name: value for name, value in chosen.items() if name not in RANGE}
        return Ways(
            requests=self.requests_link,
            compared="usage/?" + urlencode({**chosen, "by": self.by, "compare": 1}),
            deployments="models/?" + urlencode(chosen),
            month="requests/?" + urlencode({"range": "month", **kept, "sort": "-cost"}),
            last_month="requests/?" + urlencode({"range": "last_month", **kept, "sort": "-cost"}),
        )

    def requests_link(self, **parameters: str | Sequence[str]) -> str:
        return "requests/?" + urlencode({**self.selection.exactly, **parameters}, doseq=True)
