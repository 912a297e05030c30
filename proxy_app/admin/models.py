"""Public models with their deployments and fallbacks, and the deployments by themselves."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from keys_app.admin.acting import ActionPage, serve
from keys_app.admin.base import ControlAdmin, ControlInline
from keys_app.admin.fields import LinesField
from keys_app.admin.marks import column, doing
from proxy_app.admin.outcomes import show
from proxy_app.models import Deployment, Fallback, Model


def check_pattern(name: str) -> None:
    """A * may stand at the end only."""
    if "*" in name[:-1]:
        raise ValidationError(_("A * may stand at the end only."))


class ModelForm(forms.ModelForm):  # type: ignore[type-arg]
    aliases = LinesField(label=_("aliases"), help_text=_("Further names for the same model, one a line."))

    class Meta:
        model = Model
        fields = ("name", "aliases", "description", "strategy", "is_enabled")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        check_pattern(name)
        return name

    def clean_aliases(self) -> list[str]:
        aliases: list[str] = self.cleaned_data["aliases"]
        for alias in aliases:
            check_pattern(alias)
            if Model.objects.filter(name=alias).exclude(pk=self.instance.pk).exists():
                raise ValidationError(_("%(name)s is a model of its own.") % {"name": alias})
        return aliases


class DeploymentForm(forms.ModelForm):  # type: ignore[type-arg]
    tags = LinesField(label=_("tags"))

    class Meta:
        model = Deployment
        exclude = ("managed_by",)  # noqa: DJ006  the admin's own form


class AskForm(forms.Form):
    """Which model a deployment with a * is asked for."""

    model = forms.CharField(label=_("Model to ask for"), max_length=200, widget=UnfoldAdminTextInputWidget)


class DeploymentInline(ControlInline):
    model = Deployment
    fields = ("provider", "upstream_model", "weight", "order", "is_enabled")
    autocomplete_fields = ("provider",)


class FallbackInline(ControlInline):
    model = Fallback
    fk_name = "model"
    fields = ("cause", "target", "order")
    autocomplete_fields = ("target",)
    verbose_name_plural = _("Fallbacks")


@admin.register(Model)
class ModelAdmin(ControlAdmin):
    """The names applications ask for."""

    form = ModelForm
    list_display = ("name", "aliases_shown", "strategy", "deployment_count", "state", "managed")
    list_filter = ("is_enabled", "strategy", "deployments__provider")
    search_fields = ("name", "description")
    inlines = (DeploymentInline, FallbackInline)
    fieldsets = (
        (None, {"fields": ("name", "aliases", "description")}),
        (_("Serving"), {"fields": ("strategy", "is_enabled")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        serving = Count("deployments", filter=Q(deployments__is_enabled=True), distinct=True)
        found: QuerySet[Model] = super().get_queryset(request).annotate(serving=serving)
        return found

    @column(description=_("aliases"))
    def aliases_shown(self, row: Model) -> str | None:
        return ", ".join(row.aliases) or None

    @column(description=_("deployments"), ordering="serving")
    def deployment_count(self, row: Any) -> int:
        return int(row.serving)

    @column(
        description=_("state"),
        label={"on": "success", "off": "warning", "empty": "danger"},
        ordering="is_enabled",
    )
    def state(self, row: Any) -> tuple[str, Any]:
        if not row.is_enabled:
            return "off", _("off")
        return ("on", _("enabled")) if row.serving else ("empty", _("nothing serves it"))


@admin.register(Deployment)
class DeploymentAdmin(ControlAdmin):
    """One way to serve a model."""

    form = DeploymentForm
    list_display = ("model", "provider", "upstream_model", "weight", "order", "state", "managed")
    list_filter = ("is_enabled", "provider")
    search_fields = ("model__name", "provider__name", "upstream_model")
    autocomplete_fields = ("model", "provider")
    list_select_related = ("model", "provider")
    actions_detail = ("send_test_request",)
    fieldsets = (
        (None, {"fields": ("model", "provider", "upstream_model", "is_enabled")}),
        (_("Share"), {"fields": ("weight", "order", "tags")}),
        (_("Limits"), {"fields": ("requests_per_minute", "tokens_per_minute", "parallel")}),
        (
            _("Timeouts in seconds, where not the provider's"),
            {
                "fields": (
                    "connect_timeout_s",
                    "first_content_timeout_s",
                    "idle_timeout_s",
                    "total_timeout_s",
                )
            },
        ),
        (_("Peculiarities"), {"fields": ("quirks",), "classes": ("collapse",)}),
    )

    @column(description=_("state"), label={"on": "success", "off": "warning"}, ordering="is_enabled")
    def state(self, row: Deployment) -> tuple[str, Any]:
        on = row.is_enabled and row.model.is_enabled and row.provider.is_enabled
        return ("on", _("enabled")) if on else ("off", _("off"))

    @doing(description=_("Send a test request"), url_path="test", permissions=["try_out"], icon="send")
    def send_test_request(self, request: HttpRequest, object_id: str) -> HttpResponse:
        from proxy_app.probing import probe  # brings the HTTP client: only where it is needed

        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        asks = AskForm(request.POST or None) if "*" in row.upstream_model else None
        page = ActionPage(
            title=_now("Send a test request to %(deployment)s") % {"deployment": row},
            sentence=_now("Sends one short question, which costs what it costs and is in the ledger."),
            button=_now("Send"),
            act=lambda form: show(
                probe(row.pk, form.cleaned_data["model"] if form else "", request.user.get_username())
            ),
            form=asks,
        )
        return serve(self, request, row, page)

    def has_try_out_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("proxy_app.change_deployment"))
