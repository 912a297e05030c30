"""Virtual keys: issue (the secret is shown once), change, block, rotate."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from gateway_project.clock import now
from keys_app import issuing
from keys_app.admin.acting import ActionPage, change_url, serve, show_secret
from keys_app.admin.allowances import inlines_for
from keys_app.admin.base import is_managed
from keys_app.admin.key_filters import StateFilter
from keys_app.admin.key_forms import BlockForm, KeyForm, RotateForm
from keys_app.admin.key_policy import OneKeyAdmin
from keys_app.admin.many_keys import ManyKeysAdmin
from keys_app.admin.marks import column, doing, shown_field
from keys_app.admin.spending import SpendingAdmin
from keys_app.audit import record_change
from keys_app.models import Budget, KeyUse, RateLimit, Scope, Service, User, VirtualKey

#: the attribute by which save_model hands the new secret to response_add
_SHOWN_ONCE = "_shown_once"
MOST_OWNERS = 500  # whose keys a word finds


@admin.register(VirtualKey)
class VirtualKeyAdmin(SpendingAdmin, ManyKeysAdmin, OneKeyAdmin):
    """What applications call the gateway with."""

    form = KeyForm
    list_display = (
        "titled",
        "service",
        "owner",
        "environment_label",
        "models_shown",
        "spent",
        "last_used",
        "state",
        "managed",
    )
    list_filter = (
        StateFilter,
        "environment",
        ("service", AutocompleteSelectFilter),
        ("user", AutocompleteSelectFilter),
    )
    search_fields = ("name", "last_four", "service__name", "user__username")
    search_help_text = _("Name, owner, service or the last four characters. Never paste a whole key here.")
    autocomplete_fields = ("service", "user")
    list_select_related = ("service", "user")
    inlines = inlines_for(Scope.KEY)
    actions = ("block_selected", "unblock_selected", "end_selected", "move_selected", "export_selected")
    actions_list = ("import_file",)
    actions_detail = ("policy", "clone", "rotate", "block", "unblock")
    readonly_fields = ("hint", "stands", "blocked_reason", "used", "calls", "created_at", "created_by")
    fieldsets = (
        (None, {"fields": ("name", "service", "user", "environment", "expires_at")}),
        (_("May use"), {"fields": ("models_allowed", "no_models", "endpoints_allowed")}),
        (_("May be used from"), {"fields": ("networks", "origins")}),
        (_("Behaviour"), {"fields": ("reports_cost", "allows_unpriced")}),
        (
            _("Who is behind it"),
            {"fields": ("trusts_identity_headers", "identity_secret", "forget_identity_secret")},
        ),
    )
    _history = (
        _("As it stands"),
        {"fields": ("hint", "stands", "blocked_reason", "used", "calls", "created_at", "created_by")},
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is None else (self.fieldsets[0], self._history, *self.fieldsets[1:])

    def get_queryset(self, request: HttpRequest) -> QuerySet[VirtualKey]:
        used = KeyUse.objects.filter(key_id=OuterRef("pk")).values("last_used_at")[:1]
        return super().get_queryset(request).annotate(used_at=Subquery(used))  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Name, owner, service, or the last four characters, as lists show them after an ellipsis.

        Owners and services are few and looked for first: joining them to each key takes three times as long.
        """
        if "…" in search_term:
            return queryset.filter(last_four=search_term.rpartition("…")[2].strip()), False
        for word in search_term.split():
            owners = User.objects.filter(username__icontains=word).values_list("pk", flat=True)[:MOST_OWNERS]
            services = Service.objects.filter(name__icontains=word).values_list("pk", flat=True)[:MOST_OWNERS]
            queryset = queryset.filter(
                Q(last_four=word)
                | Q(name__icontains=word)
                | Q(user__in=list(owners))
                | Q(service__in=list(services))
            )
        return queryset, False

    # ------------------------------------------------------------ columns

    @column(description=_("key"), header=True, ordering="name")
    def titled(self, row: VirtualKey) -> list[str]:
        return [row.name, row.hint]

    owner = shown_field("user", _("user"), _("nobody"))

    @column(
        description=_("environment"),
        ordering="environment",
        label=True,
    )
    def environment_label(self, row: VirtualKey) -> str:
        return row.get_environment_display()

    @column(description=_("models"))
    def models_shown(self, row: VirtualKey) -> str:
        if row.no_models:
            return _now("none")
        shown = ", ".join(row.models_allowed[:3])
        more = len(row.models_allowed) - 3
        return f"{shown} +{more}" if more > 0 else shown or _now("all allowed")

    @column(description=_("last used"), ordering="used_at", empty_value=_("never"))
    def last_used(self, row: Any) -> Any:
        return row.used_at

    @column(
        description=_("state"),
        label={"active": "success", "blocked": "danger", "expired": "warning", "owner": "warning"},
    )
    def state(self, row: VirtualKey) -> tuple[str, Any]:
        state = issuing.key_state(row, now())
        words = {
            "active": _("active"),
            "blocked": _("blocked"),
            "expired": _("expired"),
            "owner_inactive": _("owner deactivated"),
            "service_inactive": _("service inactive"),
        }
        return state.partition("_")[0].replace("service", "owner"), words[state]

    @column(description=_("state"))
    def stands(self, row: VirtualKey) -> Any:
        """The state's word alone: a form shows no labels."""
        return self.state(row)[1]

    @column(description=_("last used"))
    def used(self, row: Any) -> Any:
        return date_format(localtime(row.used_at), "DATETIME_FORMAT") if row.used_at else _("never")

    @column(description=_("its calls"))
    def calls(self, row: VirtualKey) -> str:
        page = f"{reverse('ui:requests')}?{urlencode({'environment': '', 'service': '', 'key': row.pk})}"
        return format_html(
            '<a class="text-primary-600 underline" href="{}">{}</a>', page, _now("See its calls")
        )

    @column(description=_("shown as"))
    def hint(self, row: VirtualKey) -> str:
        return row.hint

    # ------------------------------------------------------------ issue

    def save_model(self, request: HttpRequest, obj: VirtualKey, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
            setattr(obj, _SHOWN_ONCE, issuing.give_secret(obj))
            defaults = issuing.with_defaults(
                {
                    name: getattr(obj, name)
                    for name in ("environment", "models_allowed", "no_models", "expires_at")
                }
            )
            obj.models_allowed, obj.expires_at = defaults["models_allowed"], defaults["expires_at"]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Budgets and limits that the form leaves open are those of the environment."""
        super().save_related(request, form, formsets, change)
        key: VirtualKey = form.instance
        if change:
            return
        defaults = issuing.with_defaults({"environment": key.environment})
        if "budgets" in defaults and not Budget.objects.filter(key=key).exists():
            issuing.set_budgets(key, defaults["budgets"])
        if defaults.get("limits") and not RateLimit.objects.filter(key=key).exists():
            issuing.set_limits(key, defaults["limits"])

    def response_add(
        self, request: HttpRequest, obj: VirtualKey, post_url_continue: Any = None
    ) -> HttpResponse:
        return show_secret(self, request, obj, getattr(obj, _SHOWN_ONCE), _now("The key is ready"))

    # ------------------------------------------------------------ actions on one

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what makes sense for the key as it stands."""
        key = self.get_object(request, str(object_id))
        hidden = {"block" if key and key.blocked_at else "unblock"}
        if is_managed(key):
            hidden.add("rotate")
        found = super().get_actions_detail(request, object_id)
        return [one for one in found if one.method.original_function_name not in hidden]

    @doing(description=_("Rotate"), url_path="rotate", permissions=["act"], icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._one(request, object_id)
        if is_managed(key):
            raise PermissionDenied

        def act(form: RotateForm) -> HttpResponse:
            secret = issuing.rotate_key(key, timedelta(hours=form.cleaned_data["grace_hours"]))
            record_change(request.user, key, "rotated")
            return show_secret(self, request, key, secret, _now("The new secret"))

        page = ActionPage(
            title=_now("Rotate %(key)s") % {"key": key},
            sentence=_now("The key gets a new secret; its id, history, budgets and limits stay."),
            button=_now("Make a new secret"),
            act=act,
            form=RotateForm(request.POST or None),
        )
        return serve(self, request, key, page)

    @doing(
        description=_("Block"),
        url_path="block",
        permissions=["act"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def block(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._one(request, object_id)

        def act(form: BlockForm) -> HttpResponse:
            issuing.block_key(key, form.cleaned_data["reason"])
            record_change(request.user, key, "blocked")
            self.message_user(request, _now("%(key)s is blocked.") % {"key": key}, messages.SUCCESS)
            return redirect(change_url(key))

        page = ActionPage(
            title=_now("Block %(key)s") % {"key": key},
            sentence=_now("Every call with this key is refused within two seconds, until it is unblocked."),
            button=_now("Block the key"),
            act=act,
            form=BlockForm(request.POST if request.method == "POST" else None),
            dangerous=True,
        )
        return serve(self, request, key, page)

    @doing(description=_("Unblock"), url_path="unblock", permissions=["act"], icon="lock_open")
    def unblock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._one(request, object_id)

        def act(_form: None) -> HttpResponse:
            issuing.unblock_key(key)
            record_change(request.user, key, "unblocked")
            self.message_user(request, _now("%(key)s works again.") % {"key": key}, messages.SUCCESS)
            return redirect(change_url(key))

        page = ActionPage(
            title=_now("Unblock %(key)s") % {"key": key},
            sentence=_now("Calls with this key are served again."),
            button=_now("Unblock the key"),
            act=act,
        )
        return serve(self, request, key, page)

    def has_act_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Blocking is allowed for keys of a file, too: it is how a leak is stopped."""
        return bool(request.user.has_perm("keys_app.change_virtualkey"))
