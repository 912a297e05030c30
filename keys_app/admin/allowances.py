"""Budgets and rate limits: inline where they belong, and lists of all of them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import now
from gateway_project.money import usd_string
from keys_app.admin.base import ControlAdmin, ControlInline
from keys_app.admin.credit import CreditAdmin
from keys_app.admin.fields import DollarColumnsMixin, DollarsField, LinesField
from keys_app.admin.marks import column, shown_field
from keys_app.admin.spending import SpendingAdmin
from keys_app.issuing import LimitTerms
from keys_app.models import Budget, RateLimit, Scope

#: the column that holds the reference of a scope; the others are named in `target`
NAMED = (Scope.ENVIRONMENT, Scope.MODEL, Scope.PROVIDER, Scope.DEPLOYMENT)
REFERENCES = {Scope.KEY: "key", Scope.USER: "user", Scope.SERVICE: "service"}


#: what the column is called, "N", says nothing by itself
_EVERY = {
    "labels": {"every": _("number of hours or days")},
    "help_texts": {"every": _("For a period of every N hours or days: how many; 1 for all others.")},
}


class BudgetForm(DollarColumnsMixin, forms.ModelForm):  # type: ignore[type-arg]
    """The amount in dollars."""

    amount_usd = DollarsField(label=_("Amount in $"))
    dollar_columns = (("amount_usd", "amount_nanodollars"),)

    class Meta:
        model = Budget
        fields = ("amount_usd", "period", "every", "hard", "is_enabled")
        labels, help_texts = _EVERY["labels"], _EVERY["help_texts"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        counts = values.get("period") in (Budget.Period.EVERY_HOURS, Budget.Period.EVERY_DAYS)
        if values.get("every", 1) < 1 or (not counts and values.get("every", 1) != 1):
            self.add_error("every", _("1, except for every N hours or days."))
        if counts and self.instance.anchor_at is None and not values.get("anchor_at"):
            self.instance.anchor_at = now()
        self.instance.set_by_manager = False  # what an admin changes is an admin's
        return values


class ScopedForm(forms.ModelForm):  # type: ignore[type-arg]
    """A budget or a limit with its level: one reference or one name, as the level asks for."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        scope = values.get("scope")
        wanted = REFERENCES.get(scope) if scope else None
        within_service = scope in NAMED or scope == Scope.END_USER
        for name in REFERENCES.values():
            if name == wanted and not values.get(name):
                self.add_error(name, _("This level needs one."))
            elif name != wanted and values.get(name) and not (name == "service" and within_service):
                self.add_error(name, _("Not at this level."))
        named = scope in NAMED
        if named and not values.get("target"):
            self.add_error("target", _("This level needs a name."))
        if scope is not None and not named and scope != Scope.END_USER and values.get("target"):
            self.add_error("target", _("Not at this level."))
        return values


class WholeBudgetForm(BudgetForm, ScopedForm):
    alert_percents = LinesField(label=_("tell at percent"), help_text=_("For example 80 and 95."))

    class Meta:
        model = Budget
        # Edited in dollars, and by actions of their own.
        exclude = ("amount_nanodollars", "extra_nanodollars", "extra_until")  # noqa: DJ006
        labels, help_texts = _EVERY["labels"], _EVERY["help_texts"]

    def clean_alert_percents(self) -> list[int]:
        try:
            percents = sorted({int(text) for text in self.cleaned_data["alert_percents"]})
        except ValueError:
            raise forms.ValidationError(_("Whole numbers only.")) from None
        if any(not 0 < percent <= 1000 for percent in percents):
            raise forms.ValidationError(_("From 1 to 1000."))
        return percents


class RateLimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """At least one of them."""

    class Meta:
        model = RateLimit
        fields = (*LimitTerms.NAMES, "is_enabled")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors and all(values.get(name) is None for name in LimitTerms.NAMES):
            raise forms.ValidationError(_("Set at least one of the limits."))
        self.instance.set_by_manager = False  # what an admin changes is an admin's
        return values


class WholeRateLimitForm(RateLimitForm, ScopedForm):
    class Meta:
        model = RateLimit
        fields = "__all__"  # noqa: DJ007  the admin's own form


class AllowanceInline(ControlInline):
    """An inline whose rows belong to the object they stand in; the level follows from it."""

    scope: str = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(scope=self.scope)  # type: ignore[no-any-return]

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        scope = self.scope

        class Scoped(self.form):  # type: ignore[name-defined,misc]
            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                self.instance.scope = scope

        return super().get_formset(request, obj, form=Scoped, **options)


class BudgetInline(AllowanceInline):
    model = Budget
    form = BudgetForm
    verbose_name_plural = _("Budgets")


class RateLimitInline(AllowanceInline):
    model = RateLimit
    form = RateLimitForm
    max_num = 1
    verbose_name_plural = _("Limits")


def inlines_for(scope: Scope) -> list[type[AllowanceInline]]:
    """Budgets and limits of one kind of object."""
    shared = {"scope": scope.value, "fk_name": REFERENCES[scope]}
    return [
        type(f"{scope.name.title()}BudgetInline", (BudgetInline,), shared),
        type(f"{scope.name.title()}RateLimitInline", (RateLimitInline,), shared),
    ]


class ScopedAdmin(ControlAdmin):
    """What budgets and limits have in common."""

    list_filter: tuple[str, ...] = ("scope", "is_enabled")
    search_fields = ("target", "key__name", "key__last_four", "user__username", "service__name")
    autocomplete_fields = ("key", "user", "service")
    list_select_related = ("key", "user", "service")

    @column(description=_("applies to"), header=True)
    def applies_to(self, row: Any) -> list[str]:
        subject = row.key or row.user or row.service or row.target or _("All together")
        return [str(subject), row.get_scope_display()]

    @column(description=_("state"), label={"on": "success", "off": "warning"})
    def state(self, row: Any) -> tuple[str, Any]:
        return ("on", _("on")) if row.is_enabled else ("off", _("off"))


@admin.register(Budget)
class BudgetAdmin(SpendingAdmin, CreditAdmin, ScopedAdmin):
    """Every budget, at every level."""

    form = WholeBudgetForm
    list_display = ("applies_to", "amount", "per", "spent", "kind", "state", "managed")
    list_filter = ("scope", "period", "hard", "is_enabled")
    fieldsets = (
        (_("Applies to"), {"fields": ("scope", "key", "user", "service", "target")}),
        (_("Amount"), {"fields": ("amount_usd", "period", "every", "anchor_at", "time_zone")}),
        (_("When it is reached"), {"fields": ("hard", "alert_percents", "is_enabled")}),
    )

    @column(description=_("amount"), ordering="amount_nanodollars")
    def amount(self, row: Budget) -> str:
        extra = row.extra_nanodollars if row.extra_until and row.extra_until > now() else 0
        more = f" + ${usd_string(extra)}" if extra else ""
        return f"${usd_string(row.amount_nanodollars)}{more}"

    @column(description=_("period"), ordering="period")
    def per(self, row: Budget) -> str:
        return row.period_words

    @column(description=_("kind"), label={"hard": "danger", "soft": "info"}, ordering="hard")
    def kind(self, row: Budget) -> tuple[str, Any]:
        return ("hard", _("refuses")) if row.hard else ("soft", _("tells"))


@admin.register(RateLimit)
class RateLimitAdmin(ScopedAdmin):
    """Every rate limit, at every level."""

    form = WholeRateLimitForm
    list_display = (
        "applies_to",
        "requests_most",
        "tokens_most",
        "at_once",
        "state",
        "managed",
    )
    requests_most = shown_field("requests_per_minute", _("requests a minute"), _("no limit"))
    tokens_most = shown_field("tokens_per_minute", _("tokens a minute"), _("no limit"))
    at_once = shown_field("parallel", _("calls at once"), _("no limit"))
    fieldsets = (
        (_("Applies to"), {"fields": ("scope", "key", "user", "service", "target")}),
        (_("Limits"), {"fields": (*LimitTerms.NAMES, "is_enabled")}),
    )
