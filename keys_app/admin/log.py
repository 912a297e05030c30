"""The audit log: who changed what, when and from where. Nobody edits it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter

from keys_app.admin.marks import column
from keys_app.models import AuditEntry

SHOWN = 4  # changed fields of an entry, in the list


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):  # type: ignore[misc]
    """Every change made in the admin, in the window, over the API and by commands."""

    list_display = ("at", "actor", "address", "did", "kind", "object_name", "changed")
    list_filter = (("at", RangeDateTimeFilter), "verb", "kind", "actor")
    list_filter_submit = True
    search_fields = ("object_name", "actor", "object_id", "address")
    readonly_fields = ("at", "actor", "address", "verb", "kind", "object_id", "object_name", "changed")
    fields = readonly_fields
    list_per_page = 50
    show_full_result_count = False

    @column(
        description=_("did"),
        label={"added": "success", "changed": "info", "deleted": "danger", "blocked": "danger"},
        ordering="verb",
    )
    def did(self, row: AuditEntry) -> str:
        return row.verb

    @column(description=_("changes"))
    def changed(self, row: AuditEntry) -> str:
        parts = list(row.changes.items())
        shown = format_html_join(", ", "{}", ((_change(name, values),) for name, values in parts[:SHOWN]))
        more = len(parts) - SHOWN
        return format_html("{} +{}", shown, more) if more > 0 else shown

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _change(name: str, values: Any) -> str:
    if not isinstance(values, list) or len(values) != 2:
        return name
    before, after = values
    return f"{name}: {_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    if value in (None, "", [], {}):
        return "∅"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
