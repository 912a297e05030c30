"""Alerts and whom they reached. Nobody writes them by hand."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from keys_app.admin.marks import column, shown_field
from keys_app.admin.told import ToldValuesFilter
from usage_app.models import Alert, AlertDelivery
from usage_app.models.ledger import ALERT_KINDS


class ReadOnly:
    """Mixed into pages that only show."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeliveryInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = AlertDelivery
    fields = readonly_fields = ("target_name", "attempts", "delivered_at", "next_at", "failure")
    extra = 0

    @column(description=_("error"))
    def failure(self, row: AlertDelivery) -> str:
        return _english(row.error)


def _english(text: str) -> str:
    """What the gateway or a target said, kept as it was said: read aloud as English."""
    return format_html('<span lang="en">{}</span>', text) if text else ""


class KindFilter(ToldValuesFilter):
    """Kinds as the list tells them."""

    def told(self, value: str) -> str:
        return str(ALERT_KINDS.get(value, value))


@admin.register(Alert)
class AlertAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """What an operator must know, and who was told."""

    list_display = ("last_at", "grade", "about", "told", "count", "resolved", "reached")
    list_filter = ("level", ("kind", KindFilter), ("resolved_at", admin.EmptyFieldListFilter))
    search_fields = ("subject", "detail")
    list_per_page = 50
    empty_value_display = _("none")
    resolved = shown_field("resolved_at", _("resolved"), _("not yet"))
    show_full_result_count = False
    inlines = [DeliveryInline]

    @column(description=_("level"), label={"warning": "warning", "critical": "danger"}, ordering="level")
    def grade(self, row: Alert) -> tuple[str, Any]:
        return row.level, row.get_level_display()

    fields = readonly_fields = (
        *("about", "subject", "level", "told", "count"),
        *("first_at", "last_at", "resolved_at"),
    )

    @column(description=_("kind"), ordering="kind")
    def about(self, row: Alert) -> str:
        return row.kind_told

    @column(description=_("detail"), ordering="detail")
    def told(self, row: Alert) -> str:
        return _english(row.detail)

    @column(description=_("told"), empty_value=_("nobody"))
    def reached(self, row: Alert) -> str | None:
        rows = row.deliveries.all()
        return f"{sum(one.delivered_at is not None for one in rows)}/{len(rows)}" if rows else None

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("deliveries")
