"""What the list of keys does to many at once: block, unblock, end, hand over, files in and out."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from keys_app import many
from keys_app.admin.base import ControlAdmin
from keys_app.admin.marks import doing
from keys_app.api.many_keys import keys_file
from keys_app.audit import record_change
from keys_app.copying import import_keys, secrets_file
from keys_app.models import Service, User, VirtualKey

LARGEST_FILE = 2_000_000


class ImportForm(forms.Form):
    """A CSV of keys to make."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_(
            "The first line names the columns: <code>name, user, service, environment, models, endpoints,"
            " networks, expires_at, budget_usd, budget_period, requests_per_minute, tokens_per_minute,"
            " parallel</code>."
        ),
    )

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_now("The file is too large."))
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError(_now("The file is not UTF-8.")) from None


class MoveForm(forms.Form):
    """To whom keys go."""

    user = forms.ModelChoiceField(
        User.objects.filter(is_active=True),
        label=_("User"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    service = forms.ModelChoiceField(
        Service.objects.filter(is_active=True),
        label=_("Service"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not values.get("user") and not values.get("service"):
            raise ValidationError(_now("Choose a user, a service, or both."))
        return values


class ManyKeysAdmin(ControlAdmin):
    """The part of the admin of keys that is about many."""

    def _told(self, request: HttpRequest, count: int, one: str, more: str) -> None:
        text = ngettext(one, more, count) % {"count": count}
        self.message_user(request, text, messages.SUCCESS)

    @doing(description=_("Block selected keys"), permissions=["change"], icon="block")
    def block_selected(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> None:
        count = many.block(request.user, queryset)
        self._told(request, count, "%(count)d key is blocked.", "%(count)d keys are blocked.")

    @doing(description=_("Unblock selected keys"), permissions=["change"], icon="lock_open")
    def unblock_selected(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> None:
        count = many.unblock(request.user, queryset)
        self._told(request, count, "%(count)d key works again.", "%(count)d keys work again.")

    @doing(description=_("Let selected keys expire now"), permissions=["change"], icon="timer_off")
    def end_selected(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> None:
        count = many.end(request.user, queryset)
        self._told(request, count, "%(count)d key has expired.", "%(count)d keys have expired.")

    @doing(description=_("Export selected keys as CSV"), permissions=["view"], icon="download")
    def export_selected(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> HttpResponse:
        return keys_file(queryset.select_related("user", "service"))

    @doing(description=_("Hand selected keys over"), permissions=["change"], icon="move_up")
    def move_selected(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> HttpResponse | None:
        """Asks to whom, with the same selection posted again."""
        form = MoveForm(request.POST if "hand_over" in request.POST else None)
        if form.is_bound and form.is_valid():
            count = many.move(request.user, queryset, **form.cleaned_data)
            self._told(request, count, "%(count)d key was handed over.", "%(count)d keys were handed over.")
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Hand keys over"),
            "keys": list(queryset[:50]),
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "form": form,
        }
        return TemplateResponse(request, "keys_app/move.html", context)

    @doing(description=_("Import a CSV"), permissions=["add"], url_path="import", icon="upload")
    def import_file(self, request: HttpRequest) -> HttpResponse:
        """Makes the keys of a file, and answers their secrets as a file, this once."""
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic():
                    person = request.user if isinstance(request.user, User) else None
                    made = import_keys(form.cleaned_data["file"], person)
                    for new in made:
                        record_change(request.user, new.key, "imported")
            except ValidationError as error:
                form.add_error("file", error)
            else:
                response = HttpResponse(secrets_file(made), content_type="text/csv; charset=utf-8")
                response["Content-Disposition"] = 'attachment; filename="new-keys.csv"'
                response["Cache-Control"] = "no-store"
                return response
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Import keys"),
            "form": form,
            "back_url": reverse("admin:keys_app_virtualkey_changelist"),
        }
        return TemplateResponse(request, "keys_app/import.html", context)
