"""What every admin page here has in common: rows a file manages are read-only, and changes are logged."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from keys_app.admin.marks import column

MANAGED_NOTE = _("A configuration file defines this; it is changed there.")


def is_managed(row: Any) -> bool:
    """Whether a configuration file defines the row (or the row an inline stands in)."""
    return bool(getattr(row, "managed_by", ""))


class ControlAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows of a configuration file can be looked at and nothing else."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_managed(obj) and super().has_delete_permission(request, obj)

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

    @column(description=_("managed by"), label=True)
    def managed(self, row: Any) -> str:
        return row.managed_by or ""


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
