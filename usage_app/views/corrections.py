"""Corrections of a price: what would change of what calls were charged, shown before it is applied."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway_project import clock
from keys_app.audit import record_event
from keys_app.models import Budget
from usage_app.budget_states import states
from usage_app.ledger_series import ledger_settings
from usage_app.models import Price, PriceCorrection
from usage_app.views.page import PageView

State = PriceCorrection.State
LISTED = 20
#: Why calls are left out, in words that follow their count.
LEFT_OUT = {
    "no_price": gettext_lazy("have no price in the book any more"),
    "later": gettext_lazy("had a cost that came later (a batch, a late end)"),
    "attempts": gettext_lazy("were charged for more than the row counts (other attempts, a discount)"),
    "usage": gettext_lazy("have no counts to compute a cost from"),
}


class CorrectionView(PageView):
    """The page of a price: the range to correct, the effect of the newest question, and what was before."""

    name = "prices"
    title = gettext_lazy("Correct past calls")
    template = "ui/correction.html"
    has_selection = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not self.may_correct:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @property
    def may_correct(self) -> bool:
        return self.viewer.sees_everything and self.viewer.has_perm("usage_app.change_price")

    @cached_property
    def price(self) -> Price:
        price = Price.objects.filter(pk=self.kwargs["price_id"]).first()
        if price is None:
            raise Http404
        return price

    @property
    def corrections(self) -> "QuerySet[PriceCorrection]":
        return PriceCorrection.objects.filter(price=self.price)

    @cached_property
    def kept_from(self) -> datetime:
        """Calls from here on are kept, and can be corrected."""
        return clock.now() - timedelta(days=ledger_settings().keep_requests_days)

    def get(self, request: HttpRequest, price_id: UUID) -> HttpResponse:
        corrections = list(self.corrections[:LISTED])
        newest = corrections[0] if corrections else None
        shown: dict[str, Any] = {"price": self.price, "newest": newest, "former": corrections[1:]}
        if newest is not None:
            shown |= {"budgets": budgets_of(newest), "left_out": left_out_of(newest)}
        if request.headers.get("HX-Request") and request.GET.get("fragment") == "effect":
            return self.fragment("ui/_correction_effect.html", **shown)
        since = max(self.price.valid_from or self.kept_from, self.kept_from)
        return self.page(kept_from=self.kept_from, since=since, **shown)

    def post(self, request: HttpRequest, price_id: UUID) -> HttpResponse:
        """`since` and `until` (now): compute the effect. `apply`: an id whose effect was seen."""
        price = self.price
        if request.POST.get("apply"):
            return self.apply(request.POST["apply"])
        since = self.instant("since")
        until = self.instant("until") if self.request.POST.get("until") else clock.now()
        if since is None or until is None or since >= until:
            messages.error(self.request, _("Give a range that ends after it begins."))
        elif self.corrections.filter(state__in=PriceCorrection.OPEN).exists():
            messages.warning(self.request, _("One is at work already; wait for it."))
        else:
            PriceCorrection.objects.create(
                price=price,
                since=max(since, self.kept_from),
                until=min(until, clock.now()),
                asked_by=self.viewer.username,
            )
        return redirect("ui:correction", price_id)

    def apply(self, wanted: str) -> HttpResponse:
        try:
            correction = self.corrections.filter(pk=UUID(wanted)).first()
        except ValueError:
            correction = None
        if correction is None:
            raise Http404
        # From here on exactly once: who clicks second finds it moving.
        moved = PriceCorrection.objects.filter(pk=correction.pk, state=State.MEASURED, calls__gt=0).update(
            state=State.APPLYING, applied_by=self.viewer.username, error=""
        )
        if moved:
            kind = "usage_app.pricecorrection"
            record_event(self.viewer, "applied", kind, str(correction.pk), changes_of(correction))
        return redirect("ui:correction", self.price.pk)

    def instant(self, name: str) -> datetime | None:
        """A time that was typed, in the viewer's zone."""
        try:
            at = parse_datetime(self.request.POST.get(name, ""))
        except ValueError:
            return None
        return make_aware(at, self.zone) if at is not None and is_naive(at) else at


def changes_of(correction: PriceCorrection) -> dict[str, list[Any]]:
    """What the audit log says of it."""
    return {
        "price": [None, str(correction.price)],
        "since": [None, correction.since.isoformat()],
        "until": [None, correction.until.isoformat()],
        "calls": [None, correction.calls],
        "cost_nanodollars": [correction.charged_nanodollars, correction.corrected_nanodollars],
    }


def budgets_of(correction: PriceCorrection) -> list[dict[str, Any]]:
    """Budgets that it charges: what they are, how much, and whether that is more than they have left."""
    told = correction.effect.get("budgets", [])
    budgets = Budget.objects.filter(pk__in={each[0] for each in told}).select_related(
        "key", "user", "service"
    )
    known = {str(state.budget.pk): state for state in states(budgets)}
    found = []
    for budget_id, period, difference in told:
        state = known.get(budget_id)
        is_over = False
        if state is not None and state.period.key == period:  # a period that is over refuses nobody
            after = state.spent + (0 if correction.state == State.APPLIED else difference)
            is_over = after > state.limit
        found.append({"state": state, "period": period, "difference": difference, "is_over": is_over})
    return sorted(found, key=lambda each: -abs(each["difference"]))


def left_out_of(correction: PriceCorrection) -> list[tuple[int, Any]]:
    counts = correction.effect.get("left_out", {})
    return [(counts[why], words) for why, words in LEFT_OUT.items() if counts.get(why)]
