"""Models: which deployments serve what, how well, how fast, at which price?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage_app import figures
from usage_app.deployment_lines import lines_of
from usage_app.models import Request
from usage_app.pricebook import prices_now
from usage_app.pricing import CompiledPrice
from usage_app.reports import Line, Series, Totals, breakdown, series
from usage_app.reports_claims import summed
from usage_app.views.page import PageView
from usage_app.worker_health import NowOf, WorkerHealth

#: A deployment's traffic: all calls it was chosen for and that went there.
NOT_REFUSED = tuple(status for status in Request.Status.values if status != "refused")


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
    link: str  # its calls, those that others answered too
    failed_link: str
    served_link: str
    share_link: str


class ModelsView(PageView):
    name = "models"
    title = gettext_lazy("Models")
    template = "ui/models.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.headers.get("HX-Request") and request.GET.get("fragment") == "lines":
            return self.over_time(request.GET.get("deployment", ""))
        chosen = self.selection
        scope = (chosen.since, chosen.until, chosen.filters, self.sight)
        groups = self.groups(breakdown(("deployment",), *scope, attempts=True))
        cards = [card for _name, _spend, _link, cards in groups for card in cards]
        return self.page(
            groups=groups,
            calls=sum(card.totals.attempts for card in cards),
            cooling=[card for card in cards if card.now.cooling_s],
            failing=[card for card in cards if card.tone == "error"],
            struggling=[card for card in cards if card.tone == "warn" and not card.now.cooling_s],
            health_is_known=WorkerHealth(request).is_known,
        )

    def over_time(self, asked: str) -> HttpResponse:
        """How one of the page's deployments did, bucket by bucket: made when its card is asked for it."""
        row = next((each for each in _deployments() if str(each.pk) == asked), None)
        if row is None:
            raise Http404
        every, answered = self.series_of(asked), self.series_of(asked, status="ok")
        if not every.lines and not self.sight.everything:
            raise Http404
        data = lines_of(asked, every, answered, self.selection, self.reporting_zone, self.interval)
        return self.fragment("ui/_deployment_lines.html", deployment=row, lines=data)

    def series_of(self, deployment_id: str, status: str = "") -> Series:
        chosen = self.selection
        filters = replace(chosen.filters, deployment_id=deployment_id, status=status)
        scope = (chosen.since, chosen.until, self.interval, "deployment", filters, self.sight)
        return series(*scope, zone=self.reporting_zone, attempts=True)

    def groups(self, lines: Sequence[Line]) -> list[tuple[str, Totals, str, list[Card]]]:
        """(model, its spend, its calls, its deployments), the dearest first; members see what they called."""
        rows = _deployments()
        # By deployment alone: calls by a wildcard or an alias are counted under the name they were asked by.
        called = {line.ids[0]: line.totals for line in lines}
        if not self.sight.everything:
            rows = [row for row in rows if str(row.pk) in called]
        prices, health = prices_now(rows), WorkerHealth(self.request)
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
            )
            groups.setdefault(row.model.name, []).append(card)
        found = [(name, _spend_of(cards), self.calls_of(cards), cards) for name, cards in groups.items()]
        return sorted(found, key=lambda group: (-group[1].cost_nanodollars, -group[1].requests, group[0]))

    def card(
        self,
        row: Any,
        totals: Totals,
        now: NowOf,
        price: CompiledPrice | None,
        whole: int,
    ) -> Card:
        tried, went = totals.attempts, totals.requests - totals.refused
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
            figures.share(went, whole),
            figures.share(totals.answered, tried),
            tone,
            word,
            self.link({"tried_at" if totals.failed_attempts else "deployment": str(row.pk)}),
            self.link({"failed_at": str(row.pk)}),
            self.link({"deployment": str(row.pk)}),
            self.link({"deployment": str(row.pk), "status": NOT_REFUSED if totals.refused else ()})
            if went
            else "",
        )

    def calls_of(self, cards: Sequence[Card]) -> str:
        """The calls that a model's spend is of; '' where there are none."""
        called = [str(card.deployment.pk) for card in cards if card.totals.requests]
        return self.link({"deployment": called, "sort": "-cost"}) if called else ""

    def link(self, parameters: Mapping[str, str | Sequence[str]]) -> str:
        return "../requests/?" + urlencode({**self.selection.exactly, **parameters}, doseq=True)


def _deployments() -> list[Any]:
    """What is served, as far as a page shows it."""
    rows = apps.get_model("proxy_app", "Deployment")._default_manager.select_related("model", "provider")
    return list(rows.filter(is_enabled=True, model__is_enabled=True)[:500])


def _spend_of(cards: Sequence[Card]) -> Totals:
    return summed(card.totals for card in cards)
