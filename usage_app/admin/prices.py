"""The price book: the public list to look at, overrides to set, in dollars per million tokens."""

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import now
from gateway_project.money import usd_string
from keys_app.admin.base import ControlAdmin
from keys_app.admin.fields import DollarColumnsMixin, DollarsField
from keys_app.admin.marks import column
from usage_app.admin.price_units import UNIT_FIELDS, UnitRatesMixin, told_units
from usage_app.models import Price
from usage_app.pricebook import RATE_COLUMNS, kept_out

#: field of the form -> (column, label)
RATES = {
    "input_usd": ("input_nanodollars", _("input")),
    "cache_read_usd": ("cache_read_nanodollars", _("cache read")),
    "cache_write_usd": ("cache_write_nanodollars", _("cache write")),
    "cache_write_1h_usd": ("cache_write_1h_nanodollars", _("cache write, 1 h")),
    "output_usd": ("output_nanodollars", _("output")),
    "reasoning_usd": ("output_reasoning_nanodollars", _("reasoning")),
    "input_audio_usd": ("input_audio_nanodollars", _("audio input")),
    "output_audio_usd": ("output_audio_nanodollars", _("audio output")),
    "request_usd": ("request_nanodollars", _("per 1,000,000 requests")),
}
#: Kind of token as the book names it -> label.
_LABELS = dict(RATES.values())
KINDS = {kind: _LABELS[column] for kind, column in RATE_COLUMNS.items() if column in _LABELS}
_FROM = "from_input_tokens"


class PriceForm(DollarColumnsMixin, UnitRatesMixin, forms.ModelForm):  # type: ignore[type-arg]
    """Dollars per million; an empty one is billed like its parent kind."""

    input_usd = DollarsField(label=RATES["input_usd"][1], required=False)
    cache_read_usd = DollarsField(label=RATES["cache_read_usd"][1], required=False)
    cache_write_usd = DollarsField(label=RATES["cache_write_usd"][1], required=False)
    cache_write_1h_usd = DollarsField(label=RATES["cache_write_1h_usd"][1], required=False)
    output_usd = DollarsField(label=RATES["output_usd"][1], required=False)
    reasoning_usd = DollarsField(label=RATES["reasoning_usd"][1], required=False)
    input_audio_usd = DollarsField(label=RATES["input_audio_usd"][1], required=False)
    output_audio_usd = DollarsField(label=RATES["output_audio_usd"][1], required=False)
    request_usd = DollarsField(label=RATES["request_usd"][1], required=False)
    dollar_columns = tuple((field, name) for field, (name, _label) in RATES.items())

    class Meta:
        model = Price
        fields = (
            "provider_kind",
            "model",
            "deployment_id",
            "service_tier",
            "valid_from",
            "valid_until",
            "context_window",
            "is_enabled",
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        has_rate = self.has_unit_rate() or any(values.get(field) is not None for field in RATES)
        if not self.errors and not has_rate:
            raise forms.ValidationError(_("Set at least one rate; 0 means free."))
        start, end = values.get("valid_from"), values.get("valid_until")
        if start and end and end <= start:
            self.add_error("valid_until", _("Before it begins."))
        return values


@admin.register(Price)
class PriceAdmin(ControlAdmin):
    """A price of the list is overridden by a new one for the same model, never edited."""

    form = PriceForm
    list_display = (
        "model",
        "provider_kind",
        "tier",
        "source_label",
        "input_price",
        "output_price",
        "state",
        "managed",
    )
    list_filter = ("source", "is_enabled", "service_tier", "provider_kind")
    search_fields = ("model", "provider_kind")
    fieldsets = (
        (_("For"), {"fields": ("provider_kind", "model", "deployment_id", "service_tier")}),
        (_("Dollars per million tokens"), {"fields": tuple(RATES)}),
        (_("Dollars for what is no token"), {"fields": (*UNIT_FIELDS, "image_sizes")}),
        (_("Holds"), {"fields": ("valid_from", "valid_until", "context_window", "is_enabled")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not _of_list(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A price that calls were charged at is switched off, not deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        for deployment in self._kept_out_by(obj):
            told = _now("Not charged at %(deployment)s: it has a price of its own. Set one for it instead.")
            self.message_user(request, told % {"deployment": deployment}, messages.WARNING)
        if obj.valid_from is None or obj.valid_from < now():
            text = _now("Calls that were made already keep what they were charged.")
            page, word = reverse("ui:correction", args=[obj.pk]), _now("See what a correction would change")
            self.message_user(request, format_html('{} <a href="{}">{}</a>', text, page, word), messages.INFO)

    @staticmethod
    def _kept_out_by(obj: Price) -> list[Any]:
        """Deployments that this price would hold of, but for one of their own."""
        deployments = apps.get_model("proxy_app", "Deployment")._default_manager.filter(is_enabled=True)
        return kept_out(deployments.select_related("provider", "model")).get(str(obj.pk), [])

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        return (self.fieldsets[0], (_("Rates"), {"fields": ("arithmetic",)}), self.fieldsets[3])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None or self.has_change_permission(request, obj) else ("arithmetic",)

    @column(
        description=_("source"),
        label=True,
        ordering="source",
    )
    def source_label(self, row: Price) -> str:
        return row.source_told

    @column(description=_("service tier"), ordering="service_tier")
    def tier(self, row: Price) -> str:
        return row.get_service_tier_display()

    @column(description=_("input, $ per million"), ordering="input_nanodollars")
    def input_price(self, row: Price) -> str:
        return _dollars(row.input_nanodollars, row)

    @column(description=_("output, $ per million"), ordering="output_nanodollars")
    def output_price(self, row: Price) -> str:
        return _dollars(row.output_nanodollars, row)

    @column(description=_("state"), label={"on": "success", "off": "warning"}, ordering="is_enabled")
    def state(self, row: Price) -> tuple[str, Any]:
        return ("on", _("holds")) if row.is_enabled else ("off", _("off"))

    @column(description=_("$ per million"))
    def arithmetic(self, row: Price) -> str:
        """Every rate, and the tiers, in one line."""
        rates = [
            f"{label} {usd_string(value)}"
            for name, label in RATES.values()
            if (value := getattr(row, name)) is not None
        ]
        rates += told_units(row.unit_nanodollars)
        for tier in row.tiers:
            kinds = [f"{KINDS.get(kind, kind)} {usd_string(v)}" for kind, v in tier.items() if kind != _FROM]
            rates.append(_now("from %(count)s input tokens") % {"count": f"{tier[_FROM]:,}"})
            rates += kinds
        return " · ".join(rates) or row.why_unpriced or _now("no price")


def _of_list(row: Any) -> bool:
    return row is not None and row.source == Price.Source.LIST


def _dollars(nanodollars: int | None, row: Price) -> str:
    if nanodollars is not None:
        return usd_string(nanodollars)
    return row.why_unpriced or _now("unknown")
