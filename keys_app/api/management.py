"""What every management view has in common: who may call it, how it pages, how it finds its row."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from gateway_project.conf import config
from keys_app.api import idempotency
from keys_app.api.authentication import (
    IsAdmin,
    ManagementAuthentication,
    ManagementPrincipal,
    WindowSession,
)
from keys_app.api.problems import Conflict
from keys_app.models import IdempotentAnswer

Filter = Callable[[QuerySet[Any], str], QuerySet[Any]]

#: fields of a body that are lists, where null means the empty one
_LISTS = frozenset({"models", "endpoints", "networks", "origins", "aliases"})


def public_link(address: str) -> str:
    """The same path and query under the public address: a Host header is anybody's to write."""
    public = urlsplit(config().public_url)
    return urlsplit(address)._replace(scheme=public.scheme, netloc=public.netloc).geturl()


class NewestFirst(CursorPagination):
    """Keyset pages over UUIDv7 ids: `?limit=` to 500, `next` leads to the older ones."""

    ordering = "-id"
    page_size = 100
    max_page_size = 500
    page_size_query_param = "limit"

    def get_paginated_response(self, data: Any) -> Response:
        link = self.get_next_link()
        return Response({"results": data, "next": public_link(link) if link else None})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {"type": "string", "format": "uri", "nullable": True},
            },
        }


class Managed(APIView):
    """Mixed into a view: who may call it, and changes that are made once for an idempotency key.

    `scope` is what a management key needs: <scope>:read or <scope>:write.
    """

    scope: ClassVar[str] = ""
    authentication_classes = [ManagementAuthentication, WindowSession]
    permission_classes = [IsAdmin]
    _claim: IdempotentAnswer | None = None

    def initial(self, request: Request, *args: Any, **options: Any) -> None:
        super().initial(request, *args, **options)
        self._claim = idempotency.begin(request, caller_of(request))

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, idempotency.Replay):
            return exc.response
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **options: Any) -> Any:
        final = super().finalize_response(request, response, *args, **options)
        claim, self._claim = self._claim, None
        if claim is not None:
            idempotency.finish(claim, final)
        return final


def caller_of(request: Request) -> str:
    """Who asks, as an idempotency key is kept under."""
    principal: Any = request.user
    if isinstance(principal, ManagementPrincipal):
        return f"key:{principal.key.pk if principal.key else principal.username}"
    return f"user:{principal.pk}"


class ManagementViewSet(Managed, GenericViewSet[Any]):
    """Management key or signed-in admin; ids only in the address.

    `filters` are the list's own: {name in the address: look-up of the row, or a function}.
    """

    pagination_class = NewestFirst
    filters: ClassVar[Mapping[str, str | Filter]] = {}

    def filtered(self) -> QuerySet[Any]:
        """The rows as the address narrows them; an unknown filter is an error, never ignored."""
        return narrow(self.get_queryset(), self.request.query_params, self.filters)

    def row(self) -> Any:
        """The row of the address, or 404."""
        try:
            found = self.get_queryset().filter(pk=UUID(self.kwargs["pk"])).first()
        except ValueError:
            found = None
        if found is None:
            raise NotFound(_("There is nothing with this id."))
        return found


def narrow(rows: QuerySet[Any], query: QueryDict, filters: Mapping[str, str | Filter]) -> QuerySet[Any]:
    """Rows narrowed by the address; ValidationError names what is unknown or cannot be understood."""
    if unknown := sorted(set(query) - set(filters) - {"limit", "cursor"}):
        raise ValidationError({name: [_("Unknown filter.")] for name in unknown}, "unknown_field")
    for name, how in filters.items():
        text = query.get(name, "")
        if not text:
            continue
        try:
            rows = rows.filter(**{how: _value(how, text)}) if isinstance(how, str) else how(rows, text)
        except (ValueError, DjangoValidationError):
            raise ValidationError({name: [_("This value cannot be understood.")]}) from None
    return rows


def _value(how: str, text: str) -> Any:
    if how.startswith(("is_", "hard")):
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if how.rpartition("__")[2] in ("gte", "lt"):
        at = parse_datetime(text)
        if at is None or at.tzinfo is None:
            raise ValueError(text)
        return at
    return text


def refuse_managed(row: Any) -> None:
    """409 for a row that a configuration file defines: it would be undone at the next start."""
    if getattr(row, "managed_by", ""):
        raise Conflict(_("%(file)s defines this; change it there.") % {"file": row.managed_by})


def columns(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Body fields as columns by `names`; null for a list means the empty list."""
    return {
        names.get(name, name): ([] if value is None and name in _LISTS else value)
        for name, value in values.items()
    }
