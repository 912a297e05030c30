"""What every management view has in common: who may call it, how it pages, how it finds its row."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from gateway_project.conf import config
from keys_app.api.authentication import IsAdmin, ManagementAuthentication, WindowSession
from keys_app.api.problems import Conflict

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


class ManagementViewSet(GenericViewSet[Any]):
    """Master key or signed-in admin; ids only in the address."""

    authentication_classes = [ManagementAuthentication, WindowSession]
    permission_classes = [IsAdmin]
    pagination_class = NewestFirst

    def row(self) -> Any:
        """The row of the address, or 404."""
        try:
            found = self.get_queryset().filter(pk=UUID(self.kwargs["pk"])).first()
        except ValueError:
            found = None
        if found is None:
            raise NotFound(_("There is nothing with this id."))
        return found


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
