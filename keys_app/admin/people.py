"""Users and services, with their members, budgets and limits."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm

from keys_app.admin.acting import change_url
from keys_app.admin.allowances import inlines_for
from keys_app.admin.base import ControlInline
from keys_app.admin.fields import LinesField, NetworksField
from keys_app.admin.leaving import LeavingAdmin
from keys_app.admin.marks import column, shown_field
from keys_app.admin.spending import SpendingAdmin
from keys_app.models import Membership, Scope, Service, User, VirtualKey
from keys_app.roles import apply_role
from keys_app.sessions import end_sessions

admin.site.unregister(Group)  # roles say what people may do


class ServicesInline(ControlInline):
    model = Membership
    autocomplete_fields = ("service",)
    verbose_name_plural = _("Services")


class PeopleInline(ControlInline):
    model = Membership
    autocomplete_fields = ("user",)
    verbose_name_plural = _("People")


class PersonForm(UserChangeForm):  # type: ignore[misc]
    models_allowed = LinesField(
        label=_("models"),
        help_text=_(
            "One name or pattern such as gpt-* a line; empty: every model. Holds for all their keys."
        ),
    )
    endpoints_allowed = LinesField(
        label=_("endpoints"), help_text=_("For example chat.completions; empty: all.")
    )
    networks = NetworksField(label=_("networks"), help_text=_("For example 10.0.0.0/8; empty: any address."))

    def clean(self) -> Any:
        values = super().clean()
        user: User = self.instance
        stays = values.get("role", user.role) == User.Role.ADMIN and values.get("is_active", user.is_active)
        if user.is_superuser and user.is_active and not stays and not _other_admins(user).exists():
            raise forms.ValidationError(_("This is the last admin: make somebody else one first."))
        return values


class NewPersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who they are. They set their password themselves, by the link that comes next."""

    class Meta:
        model = User
        fields = ("username", "email", "role")

    def save(self, commit: bool = True) -> User:
        self.instance.set_unusable_password()
        person: User = super().save(commit=commit)
        return person


def _keys_held(owner: str) -> Any:
    """How many keys a row's owner has, counted for the rows of the page alone."""
    keys = VirtualKey.objects.filter(**{owner: OuterRef("pk")}).order_by().values(owner)
    return Coalesce(Subquery(keys.annotate(count=Count("pk")).values("count")), 0)


def _other_admins(user: User) -> QuerySet[User]:
    return User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)


@admin.register(User)
class UserAdmin(SpendingAdmin, DjangoUserAdmin, LeavingAdmin):  # type: ignore[type-arg,misc]
    """People who sign in. The role decides; nobody sets Django's flags by hand."""

    form = PersonForm
    add_form = NewPersonForm
    add_form_template = "admin/change_form.html"
    change_password_form = AdminPasswordChangeForm
    list_display = ("person", "role_label", "service_names", "key_count", "spent", "signed_in", "state")
    list_filter = ("role", "is_active", "services")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    inlines = [ServicesInline, *inlines_for(Scope.USER)]
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "language", "time_zone")}),
        (_("Access"), {"fields": ("role", "is_active")}),
        (
            _("Their keys"),
            {"fields": ("models_allowed", "endpoints_allowed", "networks", "most_keys", "longest_key_days")},
        ),
        (_("History"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": ("username", "email", "role"),
                "description": _("Next comes a link by which they set their password."),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people = super().get_queryset(request).prefetch_related("services")
        found: QuerySet[User] = people.annotate(keys_held=_keys_held("user"))
        return found

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return list(self.inlines) if obj is not None else []

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        apply_role(obj)
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            end_sessions(obj)

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: Any = None) -> HttpResponse:
        """On to the link to hand over."""
        if "_addanother" in request.POST or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return redirect(change_url(obj).removesuffix("change/") + "link/")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The last admin stays, and so does who is looking."""
        if obj is not None and (obj.pk == request.user.pk or obj.username == "master"):
            return False
        return super().has_delete_permission(request, obj)

    @column(description=_("person"), header=True, ordering="username")
    def person(self, row: User) -> list[str]:
        return [row.username, row.get_full_name() or row.email]

    @column(
        description=_("role"),
        ordering="role",
        label=True,
    )
    def role_label(self, row: User) -> str:
        return row.get_role_display()

    @column(description=_("services"))
    def service_names(self, row: User) -> str | None:
        return ", ".join(service.name for service in row.services.all()) or None

    signed_in = shown_field("last_login", _("last login"), _("never"))

    @column(description=_("keys"), ordering="keys_held")
    def key_count(self, row: Any) -> int:
        return int(row.keys_held)

    @column(description=_("state"), label={"on": "success", "off": "warning"}, ordering="is_active")
    def state(self, row: User) -> tuple[str, Any]:
        return ("on", _("active")) if row.is_active else ("off", _("deactivated"))


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    models_allowed = LinesField(
        label=_("models"), help_text=_("One name or pattern such as gpt-* a line; empty: every model.")
    )

    bodies_days = forms.IntegerField(
        label=_("for days"), min_value=1, max_value=365, required=False, initial=7, help_text=_("Empty: 7.")
    )

    class Meta:
        model = Service
        fields = (
            "name",
            "description",
            "cost_centre",
            "parent",
            "is_active",
            "models_allowed",
            "keeps_bodies",
            "bodies_days",
        )

    def clean_bodies_days(self) -> int:
        return self.cleaned_data["bodies_days"] or 7

    def clean_parent(self) -> Service | None:
        parent: Service | None = self.cleaned_data["parent"]
        above = parent
        while above is not None:
            if above.pk == self.instance.pk:
                raise forms.ValidationError(_("A service cannot stand above itself."))
            above = above.parent
        return parent


@admin.register(Service)
class ServiceAdmin(SpendingAdmin):
    """Applications and teams."""

    form = ServiceForm
    list_display = ("name", "about", "centre", "parent", "key_count", "spent", "state", "managed")
    list_filter = ("is_active", "cost_centre")
    search_fields = ("name", "description", "cost_centre")
    autocomplete_fields = ("parent",)
    list_select_related = ("parent",)
    inlines = [PeopleInline, *inlines_for(Scope.SERVICE)]
    fieldsets = (
        (None, {"fields": ("name", "description", "cost_centre", "parent")}),
        (_("Access"), {"fields": ("is_active", "models_allowed")}),
        (_("What is said"), {"fields": ("keeps_bodies", "bodies_days")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Service]:
        rows = super().get_queryset(request)
        found: QuerySet[Service] = rows.annotate(keys_held=_keys_held("service"))
        return found

    @column(description=_("description"), ordering="description")
    def about(self, row: Service) -> str | None:
        return row.described or None

    centre = shown_field("cost_centre", _("cost centre"), _("none"))

    @column(description=_("keys"), ordering="keys_held")
    def key_count(self, row: Any) -> int:
        return int(row.keys_held)

    @column(description=_("state"), label={"on": "success", "off": "warning"}, ordering="is_active")
    def state(self, row: Service) -> tuple[str, Any]:
        return ("on", _("active")) if row.is_active else ("off", _("inactive"))
