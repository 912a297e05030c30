"""What the list of keys can be narrowed by beyond its columns."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import now
from keys_app.models import KeyUse, VirtualKey


class StateFilter(SimpleListFilter):
    """active, blocked, expired or never used."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("active", _("Active")),
            ("blocked", _("Blocked")),
            ("expired", _("Expired")),
            ("unused", _("Never used")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> QuerySet[VirtualKey]:
        expired = Q(expires_at__lte=now())
        match self.value():
            case "active":
                return queryset.filter(blocked_at__isnull=True).exclude(expired)
            case "blocked":
                return queryset.filter(blocked_at__isnull=False)
            case "expired":
                return queryset.filter(expired)
            case "unused":
                return queryset.filter(~Exists(KeyUse.objects.filter(key_id=OuterRef("pk"))))
            case _:
                return queryset
