"""What every admin page here has in common: rows a file manages are read-only, and changes are logged."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin.widgets import get_select2_language
from django.db.models import Model
from django.forms import Media
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from keys_app.admin.marks import column
from keys_app.audit import differences, record_change, values_of

_CHANGES = "gatehouse.changes"
_SELECT2 = "admin/js/vendor/select2"
MANAGED_NOTE = _("A configuration file defines this; it is changed there.")


def is_managed(row: Any) -> bool:
    """Whether a configuration file defines the row (or the row an inline stands in)."""
    return bool(getattr(row, "managed_by", ""))


class ControlAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows of a configuration file can be looked at and nothing else; each change is in the audit log."""

    list_per_page = 50
    empty_value_display = _("none")
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True

    @property
    def media(self) -> Media:
        """Unfold's filters bring another copy of select2 than Django's choosers, without the words.

        Of two copies one knows the words and the other one draws: each list gets Django's copy and the words.
        """
        found: Media = super().media
        language = get_select2_language()
        theirs = [f"{_SELECT2}/select2.full{'' if settings.DEBUG else '.min'}.js"]
        theirs += [f"{_SELECT2}/i18n/{language}.js"] if language else []
        # Media has no public way to its lists; their order is what has to stay.
        lists = [
            [one for name in names for one in (theirs if name == f"{_SELECT2}/select2.full.js" else [name])]
            for names in found._js_lists  # type: ignore[attr-defined]
        ]
        return sum((Media(js=names) for names in lists), Media(css=found._css))  # type: ignore[attr-defined]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_delete_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        """Labels of a form's own fields begin as those of the model's do."""
        form = super().get_form(request, obj, change, **options)
        for field in form.base_fields.values():
            # A form's own fields are one object for every request: once is enough, and twice is a lazy text
            # within a lazy text.
            if field.label and not getattr(field, "begins_large", False):
                field.label, field.begins_large = capfirst(field.label), True
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = self.model._default_manager.filter(pk=obj.pk).first() if change else None
        super().save_model(request, obj, form, change)
        after = values_of(obj)
        # Kept for the entry, which Django asks for after it has saved the inlines too.
        request.META[_CHANGES] = differences(values_of(before) if before is not None else {}, after)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        record_change(request.user, obj, "added", (), request.META.get(_CHANGES))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        record_change(request.user, obj, "changed", _inlines_of(message), request.META.get(_CHANGES))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            record_change(request.user, row, "deleted")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """What happened to an object is in the audit log, by whatever way it was changed."""
        log = reverse("admin:keys_app_auditentry_changelist")
        return redirect(f"{log}?{urlencode({'object_id': object_id})}")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if is_managed(row):
            context["subtitle"] = f"{row} · {row.managed_by}"
            if request.method == "GET":
                self.message_user(request, f"{row.managed_by}: {MANAGED_NOTE}", level="info")
        return super().change_view(request, object_id, form_url, context)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Bulk deletion leaves what a file manages."""
        super().delete_queryset(
            request, queryset.filter(managed_by="") if _has_mark(self.model) else queryset
        )

    @column(description=_("managed by"), empty_value=_("nobody"))
    def managed(self, row: Any) -> str | None:
        """A file, which no one edits here."""
        return row.managed_by or None


def _inlines_of(message: Any) -> list[str]:
    """The kinds of rows inside an object's form that were added, changed or deleted."""
    if not isinstance(message, list):
        return []
    found = (part.get("name") for step in message if isinstance(step, dict) for part in step.values())
    return sorted({str(name) for name in found if name})


class ControlInline(TabularInline):  # type: ignore[misc]
    """Inlines of a managed row are as read-only as the row."""

    extra = 0
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_delete_permission(request, obj)


def _has_mark(model: type[Model]) -> bool:
    return any(field.name == "managed_by" for field in model._meta.fields)
