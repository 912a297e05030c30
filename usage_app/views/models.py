"""Models: which deployments serve what, how well, how fast, at which price?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage_app import figures
from usage_app.charts import spark
from usage_app.pricebook import prices_now
from usage_app.pricing import CompiledPrice
from usage_app.reports import Series, Totals, series
from usage_app.reports_claims import summed
from usage_app.views.page import PageView
from usage_app.worker_health import NowOf, WorkerHealth


@dataclass(frozen=True, slots=True)
class Card:
    """A deployment in the range: what it is, how it does, what it costs."""

    deployment: Any
    totals: Totals
    now: NowOf
    price: CompiledPrice | None
    share: str
    success: str
    tone: str
    word: str
    latency: str  # points of a line
    ttft: str
    link: str  # its calls, those that others answered too
    failed_link: str
    served_link: str


class ModelsView(PageView):
    name = "models"
    title = gettext_lazy("Models")
    template = "ui/models.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        chosen, filters = self.selection, self.selection.filters
        over_time = series(
            chosen.since,
            chosen.until,
            self.interval,
            "deployment",
            filters,
            self.sight,
            zone=self.reporting_zone,
            attempts=True,
        )
        groups = self.groups(over_time)
        cards = [card for _name, _spend, cards in groups for card in cards]
        return self.page(
            groups=groups,
            calls=sum(card.totals.attempts for card in cards),
            cooling=[card for card in cards if card.now.cooling_s],
            failing=[card for card in cards if card.tone == "error"],
            struggling=[card for card in cards if card.tone == "warn" and not card.now.cooling_s],
            health_is_known=WorkerHealth(request).is_known,
        )

    def groups(self, over_time: Series) -> list[tuple[str, Totals, list[Card]]]:
        """(model, its spend, its deployments), most expensive first; members see what they called."""
        deployments = apps.get_model("proxy_app", "Deployment")._default_manager.select_related(
            "model", "provider"
        )
        rows = list(deployments.filter(is_enabled=True, model__is_enabled=True)[:500])
        # By deployment alone: calls by a wildcard or an alias are counted under the name they were asked by.
        called = {line.id: line.whole for line in over_time.lines}
        if not self.sight.everything:
            rows = [row for row in rows if str(row.pk) in called]
        prices, health = prices_now(rows), WorkerHealth(self.request)
        drawn = {line.id: line.totals for line in over_time.lines}
        whole: dict[str, int] = {}
        for row in rows:
            totals = called.get(str(row.pk), Totals())
            whole[row.model.name] = whole.get(row.model.name, 0) + totals.requests - totals.refused
        groups: dict[str, list[Card]] = {}
        for row in rows:
            card = self.card(
                row,
                called.get(str(row.pk), Totals()),
                health.of(str(row.pk)),
                prices.get(row.pk),
                whole.get(row.model.name, 0),
                drawn.get(str(row.pk), []),
            )
            groups.setdefault(row.model.name, []).append(card)
        found = [(name, _spend_of(cards), cards) for name, cards in groups.items()]
        return sorted(found, key=lambda group: (-group[1].cost_nanodollars, -group[1].requests, group[0]))

    def card(
        self,
        row: Any,
        totals: Totals,
        now: NowOf,
        price: CompiledPrice | None,
        whole: int,
        drawn: Sequence[Totals],
    ) -> Card:
        tried = totals.attempts
        failed = (tried - totals.answered) / tried if tried else 0.0
        if now.cooling_s:
            tone, word = "warn", _("cooling down")
        elif not tried:
            tone, word = "stopped", _("not called")
        elif failed < 0.01:
            tone, word = "ok", _("well")
        else:
            tone, word = ("warn", _("some fail")) if failed < 0.1 else ("error", _("many fail"))
        return Card(
            row,
            totals,
            now,
            price,
            figures.share(totals.requests - totals.refused, whole),
            figures.share(totals.answered, tried),
            tone,
            word,
            spark([each.latency_p95_ms for each in drawn]),
            spark([each.ttft_p95_ms for each in drawn]),
            self.link("tried_at" if totals.failed_attempts else "deployment", row),
            self.link("failed_at", row),
            self.link("deployment", row),
        )

    def link(self, parameter: str, row: Any) -> str:
        return "../requests/?" + urlencode({**self.selection.exactly, parameter: str(row.pk)})


def _spend_of(cards: Sequence[Card]) -> Totals:
    return summed(card.totals for card in cards)
