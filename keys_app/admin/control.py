"""Management keys, the defaults of environments, and where alerts are told."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.functional import lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminPasswordWidget

from gateway_project.clock import now
from keys_app.admin.acting import show_secret
from keys_app.admin.base import ControlAdmin
from keys_app.admin.fields import DollarColumnsMixin, DollarsField, LinesField
from keys_app.admin.marks import column, shown_field
from keys_app.alert_targets import check_address, set_secret, shown_address
from keys_app.api.authentication import ALL_SCOPES
from keys_app.models import AlertTarget, EnvironmentDefaults, ManagementKey
from keys_app.secrets import MANAGEMENT_PREFIX, mint

#: the attribute by which save_model hands the new secret to response_add
_SHOWN_ONCE = "_shown_once"


#: what a scope is about, as people read it
SCOPE_WORDS = {
    "keys": _("keys"),
    "people": _("users and services"),
    "allowances": _("budgets and limits"),
    "catalogue": _("models, providers and prices"),
    "usage": _("usage"),
    "calls": _("calls"),
    "audit": _("audit log"),
    "access": _("management keys"),
}


def scope_words(scope: str) -> str:
    """keys:read as "read keys"."""
    what, _colon, right = scope.partition(":")
    words = _now("write %(what)s") if right == "write" else _now("read %(what)s")
    return words % {"what": SCOPE_WORDS.get(what, what)}


def scope_label(scope: str) -> str:
    """The same with the code word that the API takes."""
    return f"{scope_words(scope)} ({scope})"


_scope_label = lazy(scope_label, str)  # in the language of the reader, not of the start


class ManagementKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=[(scope, _scope_label(scope)) for scope in ALL_SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("What the key may do; writing includes reading."),
    )

    class Meta:
        model = ManagementKey
        fields = ("name", "scopes", "expires_at", "blocked_at")


@admin.register(ManagementKey)
class ManagementKeyAdmin(ControlAdmin):
    """Keys for automation, beside the master key."""

    form = ManagementKeyForm
    list_display = ("name", "hint", "granted", "ends", "state", "made_by")
    search_fields = ("name", "last_four")
    ends = shown_field("expires_at", _("expires"), _("never"))
    made_by = shown_field("created_by", _("created by"), _("unknown"))

    @column(description=_("shown as"))
    def hint(self, row: ManagementKey) -> str:
        return f"{MANAGEMENT_PREFIX}…{row.last_four}"

    @column(description=_("scopes"))
    def granted(self, row: ManagementKey) -> str:
        return ", ".join(scope_words(scope) for scope in row.scopes)

    @column(description=_("state"), label={"on": "success", "off": "danger"})
    def state(self, row: ManagementKey) -> tuple[str, Any]:
        ended = row.blocked_at is not None or (row.expires_at is not None and row.expires_at <= now())
        return ("off", _("stopped")) if ended else ("on", _("works"))

    def save_model(self, request: HttpRequest, obj: ManagementKey, form: Any, change: bool) -> None:
        if not change:
            minted = mint(MANAGEMENT_PREFIX)
            obj.secret_hash, obj.last_four = minted.secret_hash, minted.last_four
            obj.created_by = str(request.user)[:150]
            setattr(obj, _SHOWN_ONCE, minted.secret)
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: ManagementKey, post_url_continue: Any = None
    ) -> HttpResponse:
        return show_secret(self, request, obj, getattr(obj, _SHOWN_ONCE), _now("The key is ready"))


class DefaultsForm(DollarColumnsMixin, forms.ModelForm):  # type: ignore[type-arg]
    models_allowed = LinesField(label=_("models"), help_text=_("One name or pattern such as gpt-* a line."))
    budget_usd = DollarsField(label=_("budget of a key in $"), required=False)
    dollar_columns = (("budget_usd", "budget_nanodollars"),)

    class Meta:
        model = EnvironmentDefaults
        exclude = ("budget_nanodollars",)  # noqa: DJ006  edited in dollars


@admin.register(EnvironmentDefaults)
class EnvironmentDefaultsAdmin(ControlAdmin):
    """What new keys of an environment start with, where they name nothing of their own."""

    form = DefaultsForm
    list_display = ("environment", "days", "requests_most", "tokens_most", "at_once")
    days = shown_field("key_days", _("keys last, days"), _("no limit"))
    requests_most = shown_field("requests_per_minute", _("requests a minute"), _("no limit"))
    tokens_most = shown_field("tokens_per_minute", _("tokens a minute"), _("no limit"))
    at_once = shown_field("parallel", _("calls at once"), _("no limit"))


class AlertTargetForm(forms.ModelForm):  # type: ignore[type-arg]
    secret = forms.CharField(
        label=_("signing secret"),
        required=False,
        min_length=16,
        max_length=200,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_("Signs what a webhook is sent. Written only; empty: the one that is set stays."),
    )

    class Meta:
        model = AlertTarget
        fields = ("name", "kind", "address", "secret", "service", "is_enabled")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        moved = "address" in self.changed_data and self.instance.secret_encrypted
        if moved and not values.get("secret"):
            self.add_error("secret", _("A new address needs its own secret."))
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.cleaned_data.get("secret"):
            set_secret(self.instance, self.cleaned_data["secret"])
        if not self.errors:
            try:
                check_address(self.instance)
            except forms.ValidationError as error:
                self.add_error("address", error.messages)


@admin.register(AlertTarget)
class AlertTargetAdmin(ControlAdmin):
    """Where alerts go."""

    form = AlertTargetForm
    list_display = ("name", "kind", "shown", "of_service", "is_enabled")
    list_filter = ("kind", "is_enabled")
    autocomplete_fields = ("service",)
    list_select_related = ("service",)
    of_service = shown_field("service", _("service"), _("All services"))

    @column(description=_("address"))
    def shown(self, row: AlertTarget) -> str:
        return shown_address(row)
