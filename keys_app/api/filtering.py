"""Which keys a list of the management API shows."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from gateway_project.clock import now
from keys_app.models import VirtualKey

KEY_FILTERS = [
    OpenApiParameter("user", str, description="Id or name of the owner."),
    OpenApiParameter("service", str, description="Id or name of the service."),
    OpenApiParameter("environment", str, description="production, test or experiment."),
    OpenApiParameter("state", str, description="active, blocked or expired."),
    OpenApiParameter("search", str, description="Part of the name, or the last four characters."),
]
_OWNERS = {"user": "user__username", "service": "service__name"}
_OTHERS = {"limit", "cursor"}


def filter_keys(keys: QuerySet[VirtualKey], query: QueryDict) -> QuerySet[VirtualKey]:
    """`keys` narrowed by the address; an unknown filter is an error, never ignored."""
    known = {parameter.name for parameter in KEY_FILTERS} | _OTHERS
    if unknown := sorted(set(query) - known):
        raise ValidationError({name: [_("Unknown filter.")] for name in unknown}, "unknown_field")
    for name, column in _OWNERS.items():
        if text := query.get(name):
            keys = keys.filter(_by_id_or_name(name, column, text))
    if environment := query.get("environment"):
        keys = keys.filter(environment=environment)
    if state := query.get("state"):
        keys = keys.filter(_state(state))
    if text := query.get("search"):
        keys = keys.filter(Q(name__icontains=text) | Q(last_four=text[-4:]))
    return keys


def _by_id_or_name(name: str, column: str, text: str) -> Q:
    try:
        return Q(**{f"{name}_id": UUID(text)})
    except ValueError:
        return Q(**{column: text})


def _state(state: str) -> Q:
    expired = Q(expires_at__lte=now())
    match state:
        case "blocked":
            return Q(blocked_at__isnull=False)
        case "expired":
            return Q(blocked_at__isnull=True) & expired
        case "active":
            return Q(blocked_at__isnull=True) & ~expired
        case _:
            raise ValidationError({"state": [_("Takes active, blocked or expired.")]})
