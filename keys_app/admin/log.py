"""The audit log: who changed what, and when. Nobody edits it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from keys_app.admin.marks import column


@admin.register(LogEntry)
class LogEntryAdmin(ModelAdmin):  # type: ignore[misc]
    """Every change made in the admin and over the API."""

    list_display = ("action_time", "user", "what", "content_type", "object_repr", "change")
    list_filter = ("action_flag", "content_type")
    search_fields = ("object_repr", "user__username", "object_id")
    date_hierarchy = "action_time"
    list_select_related = ("user", "content_type")
    list_per_page = 50
    show_full_result_count = False

    @column(
        description=_("action"),
        label={"added": "success", "changed": "info", "deleted": "danger"},
        ordering="action_flag",
    )
    def what(self, row: LogEntry) -> tuple[str, Any]:
        if row.action_flag == ADDITION:
            return "added", _("added")
        return ("deleted", _("deleted")) if row.action_flag == DELETION else ("changed", _("changed"))

    @column(description=_("change"))
    def change(self, row: LogEntry) -> str:
        return row.get_change_message()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
