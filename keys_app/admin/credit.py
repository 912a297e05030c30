"""Of one budget in the admin: prepaid credit, and an increase that ends by itself."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from gateway_project.money import parse_usd, usd_string
from keys_app import crediting
from keys_app.admin.acting import ActionPage, Outcome, change_url, serve
from keys_app.admin.base import ControlAdmin, is_managed
from keys_app.admin.fields import DollarsField
from keys_app.admin.marks import doing
from keys_app.models import Budget, TopUp

SHOWN = 20  # top-ups of a budget, the newest


class TopUpForm(forms.Form):
    amount = DollarsField(
        label=_("Amount in $"), min_value=None, help_text=_("Negative: takes a mistake back.")
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget)


class IncreaseForm(forms.Form):
    amount = DollarsField(label=_("More, in $"), help_text=_("0 takes an increase away."))
    until = forms.SplitDateTimeField(label=_("Until"), required=False, widget=UnfoldAdminSplitDateTimeWidget)


class CreditAdmin(ControlAdmin):
    """The part of the admin of budgets that raises what is left."""

    actions_detail = ("top_up", "increase")

    @doing(description=_("Add credit"), url_path="top-up", permissions=["act"], icon="add_card")
    def top_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        budget = self._budget(request, object_id)
        page = ActionPage(
            title=_now("Add credit"),
            sentence=_now(
                "Prepaid credit raises the amount of a budget in total for good; it is in the audit log."
            ),
            button=_now("Add credit"),
            act=self._acting(
                request,
                budget,
                lambda form: crediting.top_up(
                    request.user, budget, parse_usd(form.cleaned_data["amount"]), form.cleaned_data["note"]
                ),
            ),
            form=TopUpForm(request.POST if request.method == "POST" else None),
            notes=[
                f"{row.made_at:%Y-%m-%d %H:%M} UTC · ${usd_string(row.amount_nanodollars)} · {row.made_by}"
                f" · {row.note}"
                for row in TopUp.objects.filter(budget=budget)[:SHOWN]
            ],
        )
        return serve(self, request, budget, page)

    @doing(
        description=_("Increase for a while"), url_path="increase", permissions=["act"], icon="trending_up"
    )
    def increase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        budget = self._budget(request, object_id)
        page = ActionPage(
            title=_now("Increase for a while"),
            sentence=_now("Until the end that you set, this much more may be spent in each period."),
            button=_now("Increase"),
            act=self._acting(
                request,
                budget,
                lambda form: crediting.increase(
                    request.user, budget, parse_usd(form.cleaned_data["amount"]), form.cleaned_data["until"]
                ),
            ),
            form=IncreaseForm(request.POST if request.method == "POST" else None),
        )
        return serve(self, request, budget, page)

    def _acting(
        self, request: HttpRequest, budget: Budget, change: Callable[[Any], Any]
    ) -> Callable[[Any], Outcome | HttpResponse]:
        def act(form: Any) -> Outcome | HttpResponse:
            try:
                change(form)
            except ValidationError as error:
                return Outcome(False, " ".join(error.messages))
            self.message_user(request, _now("The budget was raised."), messages.SUCCESS)
            return redirect(change_url(budget))

        return act

    def has_act_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(request.user.has_perm("keys_app.change_budget"))

    def _budget(self, request: HttpRequest, object_id: str) -> Budget:
        found = self.get_object(request, object_id)
        if not isinstance(found, Budget) or is_managed(found):
            raise Http404
        return found
