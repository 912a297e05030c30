"""Providers: where calls go, with a credential that can be written and never read."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from keys_app.admin.acting import ActionPage, serve
from keys_app.admin.base import ControlAdmin
from keys_app.admin.marks import column, doing
from keys_app.admin.told import ToldValuesFilter
from keys_app.crypto import Unreadable
from proxy_app.admin.outcomes import show
from proxy_app.catalogue_loading import provider_entry
from proxy_app.credentials import read_credential, set_credential, shown_address
from proxy_app.models import Provider
from proxy_app.providers.accounts import aws_credential
from proxy_app.providers.checking import check_provider
from proxy_app.providers.presets import PRESETS, SETTINGS
from proxy_app.providers.readiness import REMEDY

AWS_FIELDS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def _secret_field() -> UnfoldAdminPasswordWidget:
    return UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """An empty credential keeps the stored one; a new address asks for it again."""

    kind = forms.ChoiceField(
        label=_("kind"),
        choices=[(preset.kind, _(preset.label)) for preset in PRESETS.values()],
        widget=UnfoldAdminSelectWidget,
    )
    credential = forms.CharField(
        label=_("credential"),
        required=False,
        max_length=8000,
        widget=_secret_field(),
        help_text=_(
            "Written encrypted and never shown again. Empty: what is stored stays. Vertex AI: the whole JSON "
            "key of a service account. Bedrock: an API key, or AWS access keys below."
        ),
    )
    aws_access_key_id = forms.CharField(
        label=_("AWS access key ID"), required=False, max_length=128, widget=UnfoldAdminTextInputWidget()
    )
    aws_secret_access_key = forms.CharField(
        label=_("AWS secret access key"), required=False, max_length=256, widget=_secret_field()
    )
    aws_session_token = forms.CharField(
        label=_("AWS session token"),
        required=False,
        max_length=4000,
        widget=_secret_field(),
        help_text=_("For temporary credentials only: they end, and calls with them."),
    )
    region = forms.CharField(
        label=_("region"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Bedrock: the AWS region, such as us-east-1."),
    )
    project = forms.CharField(
        label=_("project"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Vertex AI: the Google Cloud project. Empty: the service account's own."),
    )
    location = forms.CharField(
        label=_("location"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Vertex AI: where the models run, such as europe-west4. Empty: global."),
    )
    api_version = forms.CharField(
        label=_("API version"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Azure: a date such as 2024-10-21 for addresses by deployment. Empty: the v1 API."),
    )
    remove_credential = forms.BooleanField(label=_("remove the stored credential"), required=False)

    class Meta:
        model = Provider
        fields = (
            "name",
            "kind",
            "base_url",
            "may_be_private",
            "is_enabled",
            "connect_timeout_s",
            "first_content_timeout_s",
            "idle_timeout_s",
            "total_timeout_s",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SETTINGS:
            if name in self.fields:
                self.fields[name].initial = self.instance.settings.get(name, "")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        self._gather_aws_keys(values)
        kind = values.get("kind")
        if kind in PRESETS:
            settings = {name: values.get(name) or "" for name in SETTINGS}
            base_url = values.get("base_url") or ""
            for field, sentence in check_provider(kind, base_url, settings, values.get("credential")).items():
                self.add_error(field, sentence)
        if values.get("credential") and values.get("remove_credential"):
            self.add_error("remove_credential", _("Either a new credential or none."))
        if (
            self._goes_elsewhere(values)
            and not values.get("credential")
            and not values.get("remove_credential")
        ):
            self.add_error(
                "credential", _("The stored credential belongs to the former address: enter the new one's.")
            )
        return values

    def _gather_aws_keys(self, values: dict[str, Any]) -> None:
        """AWS access keys become the credential that is stored."""
        key_id, secret, token = (values.get(name) or "" for name in AWS_FIELDS)
        if not (key_id or secret or token):
            return
        if values.get("credential"):
            self.add_error("credential", _("Either a key or AWS access keys."))
        elif not (key_id and secret):
            missing = "aws_secret_access_key" if key_id else "aws_access_key_id"
            self.add_error(missing, _("AWS access keys are an ID and a secret."))
        elif values.get("kind") in PRESETS and PRESETS[values["kind"]].auth != "aws-sigv4":
            self.add_error("aws_access_key_id", _("This kind does not take it."))
        else:
            values["credential"] = aws_credential(key_id, secret, token)

    def _goes_elsewhere(self, values: dict[str, Any]) -> bool:
        """A stored credential must not follow the address to another host."""
        if not self.instance.credential_encrypted or "kind" not in values:
            return False
        before = Provider.objects.only("kind", "base_url").get(pk=self.instance.pk)
        return _host(before.kind, before.base_url) != _host(values["kind"], values.get("base_url") or "")

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data.get("credential") or self.cleaned_data.get("remove_credential"):
            set_credential(self.instance, self.cleaned_data.get("credential") or "")
        self.instance.settings = {
            name: value for name in SETTINGS if (value := self.cleaned_data.get(name) or "")
        }
        return super().save(commit)


def _host(kind: str, base_url: str) -> tuple[str, str]:
    preset = PRESETS.get(kind)
    parts = urlsplit(base_url or (preset.base_url if preset else ""))
    return parts.scheme, parts.netloc


class KindFilter(ToldValuesFilter):
    """Kinds by their names."""

    def told(self, value: str) -> str:
        preset = PRESETS.get(value)
        return _now(preset.label) if preset else value


@admin.register(Provider)
class ProviderAdmin(ControlAdmin):
    """OpenAI, Anthropic, Gemini and their kin."""

    form = ProviderForm
    list_display = (
        "name",
        "kind_label",
        "address",
        "credential_state",
        "deployment_count",
        "state",
        "managed",
    )
    list_filter = (("kind", KindFilter), "is_enabled")
    search_fields = ("name", "kind", "base_url")
    actions_detail = ("test_connection",)
    readonly_fields = ("credential_state", "settings_told")
    fieldsets = (
        (None, {"fields": ("name", "kind", "base_url", "may_be_private", "is_enabled")}),
        (
            _("What a cloud's address is made of"),
            {"fields": ("region", "project", "location", "api_version")},
        ),
        (
            _("Credential"),
            {"fields": ("credential_state", "credential", *AWS_FIELDS, "remove_credential")},
        ),
        (
            _("Timeouts in seconds, where not the default"),
            {
                "fields": (
                    "connect_timeout_s",
                    "first_content_timeout_s",
                    "idle_timeout_s",
                    "total_timeout_s",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        found: QuerySet[Provider] = super().get_queryset(request).annotate(used=Count("deployments"))
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Fields of the form that are no columns cannot be shown read-only."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        return (
            self.fieldsets[0],
            (self.fieldsets[1][0], {"fields": ("settings_told",)}),
            (_("Credential"), {"fields": ("credential_state",)}),
            self.fieldsets[3],
        )

    @column(description=_("kind"), ordering="kind")
    def kind_label(self, row: Provider) -> str:
        preset = PRESETS.get(row.kind)
        return _now(preset.label) if preset else row.kind

    @column(description=_("address"))
    def address(self, row: Provider) -> str:
        return shown_address(row)

    @column(description=_("settings"))
    def settings_told(self, row: Provider) -> str:
        return ", ".join(f"{name}: {value}" for name, value in row.settings.items())

    @column(description=_("stored credential"))
    def credential_state(self, row: Provider) -> str:
        if not row.credential_encrypted:
            return _now("none")
        try:
            read_credential(row)
        except Unreadable as error:
            return _now("unreadable: %(why)s") % {"why": error}
        entry = provider_entry(row)
        if entry is not None and entry.credential_state == "cannot_sign":
            return _now("%(hint)s; unusable until botocore is installed: %(remedy)s") % {
                "hint": row.credential_hint,
                "remedy": REMEDY,
            }
        if entry is not None and entry.credential_state == "not_an_account":
            return _now("%(hint)s; not what this kind needs") % {"hint": row.credential_hint}
        return row.credential_hint

    @column(description=_("deployments"), ordering="used")
    def deployment_count(self, row: Any) -> int:
        return int(row.used)

    @column(description=_("state"), label={"on": "success", "off": "warning"}, ordering="is_enabled")
    def state(self, row: Provider) -> tuple[str, Any]:
        return ("on", _("enabled")) if row.is_enabled else ("off", _("off"))

    @doing(description=_("Test connection"), url_path="test", permissions=["try_out"], icon="network_check")
    def test_connection(self, request: HttpRequest, object_id: str) -> HttpResponse:
        from proxy_app.probing import try_provider  # brings the HTTP client: only where it is needed

        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        page = ActionPage(
            title=_now("Test %(provider)s") % {"provider": row.name},
            sentence=_now(
                "Asks the provider for its models, which proves address and credential and costs nothing."
            ),
            button=_now("Ask the provider"),
            act=lambda _form: show(try_provider(row.pk)),
        )
        return serve(self, request, row, page)

    def has_try_out_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("proxy_app.change_provider"))
