"""Prices: what does a token cost, since when, who says so, and what has no price?"""

from typing import Any

from django.apps import apps
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from usage_app.models import Price
from usage_app.pricebook import kept_out, prices_now
from usage_app.reports import Line, breakdown
from usage_app.views.page import PageView

PAGE = 100


class PricesView(PageView):
    """The price book: of the models that are served, or of whatever is searched."""

    name = "prices"
    title = _("Prices")
    template = "ui/prices.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        query = request.GET.get("q", "").strip()[:100]
        rows = list(self.searched(query) if query else self.served())
        return self.page(
            prices=self.told(rows[:PAGE]),
            more=len(rows) > PAGE,
            query=query,
            unpriced=self.unpriced(),
            calls=sum(line.totals.requests - line.totals.refused for line in self.lines),
            may_correct=self.sight.everything and self.viewer.has_perm("usage_app.change_price"),
        )

    def told(self, rows: list[Price]) -> list[tuple[Price, str, str]]:
        """(price, the one deployment it is for, those that have one of their own instead)."""
        names = {row.pk: _named(row) for row in self.deployments}
        kept = kept_out(self.deployments)
        return [
            (
                row,
                names.get(row.deployment_id, str(row.deployment_id)) if row.deployment_id else "",
                ", ".join(map(_named, kept.get(str(row.pk), ()))),
            )
            for row in rows
        ]

    def searched(self, query: str) -> Any:
        found = Price.objects.filter(Q(model__icontains=query) | Q(provider_kind=query), is_enabled=True)
        return _ordered(found)[: PAGE + 1]

    def served(self) -> Any:
        """Prices of what deployments serve, and every override."""
        holding = [price.id for price in prices_now(self.deployments).values()]
        found = Price.objects.filter(is_enabled=True)
        wanted = Q(pk__in=holding) | Q(deployment_id__in=[row.pk for row in self.deployments])
        if self.sight.everything:
            wanted |= ~Q(source=Price.Source.LIST)
        return _ordered(found.filter(wanted))[: PAGE + 1]

    @cached_property
    def deployments(self) -> list[Any]:
        rows = apps.get_model("proxy_app", "Deployment")._default_manager.filter(is_enabled=True)
        return list(rows.select_related("provider", "model")[:500])

    @cached_property
    def lines(self) -> list[Line]:
        """What was called in the range, by model and deployment; most without a price first."""
        chosen = self.selection
        return breakdown(
            ("model", "deployment"),
            chosen.since,
            chosen.until,
            chosen.filters,
            self.sight,
            order="-unpriced_requests",
            durations=False,
        )

    def unpriced(self) -> list[tuple[Line, Any]]:
        """Models with calls that nobody can price, and the deployment that served them."""
        by_id = {str(row.pk): row for row in self.deployments}
        found = [(line, by_id.get(line.ids[1])) for line in self.lines if line.totals.unpriced_requests]
        return found[:50]


def _named(deployment: Any) -> str:
    return f"{deployment.model.name} · {deployment.provider.name}"


def _ordered(prices: Any) -> Any:
    return prices.order_by("provider_kind", "model", F("valid_from").desc(nulls_last=True), "-list_rank")
