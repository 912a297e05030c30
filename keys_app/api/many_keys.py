"""Many keys at once over the management API: bulk changes, files in and out, what nobody uses."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.clock import now
from keys_app import many, rights
from keys_app.api import rendering
from keys_app.api.filtering import KEY_FILTERS, filter_keys
from keys_app.api.keys import KeyRows
from keys_app.api.serializers import BulkBody, ImportBody
from keys_app.audit import record_change
from keys_app.copying import export_keys, import_keys
from keys_app.issuing import key_state
from keys_app.models import VirtualKey

MOST_EXPORTED = 100_000
DEFAULT_UNUSED_DAYS = 30


class ManyKeysViewSet(KeyRows):
    """Changes to many keys, and files of them."""

    serializer_class = BulkBody

    @extend_schema(request=BulkBody, responses=OpenApiTypes.OBJECT)
    def bulk(self, request: Request) -> Response:
        """Answers {"changed": how many}; keys that are so already are not counted."""
        body = BulkBody(data=request.data, context=self.veiled)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        keys = self._named(wanted["keys"])
        match wanted["action"]:
            case "block":
                changed = many.block(request.user, keys, wanted["reason"])
            case "unblock":
                self.only_admins()
                changed = many.unblock(request.user, keys)
            case "expire":
                changed = many.end(request.user, keys, wanted.get("expires_at"))
            case _:
                self.only_admins()
                owners = {name: wanted.get(name) for name in ("user", "service")}
                if not any(owners.values()):
                    raise ValidationError({"user": [_("Names a user, a service, or both.")]})
                changed = many.move(request.user, keys, **owners)
        return Response({"changed": changed})

    def _named(self, ids: list[Any]) -> list[VirtualKey]:
        """The keys of these ids, all of which may be acted on by who asks."""
        keys = list(self.get_queryset().filter(pk__in=ids))
        if missing := sorted({str(one) for one in ids} - {str(key.pk) for key in keys}):
            raise ValidationError({"keys": [_("There is no key %(id)s.") % {"id": missing[0]}]})
        person = self.person
        if person is not None and not all(rights.may_act_on(person, key) for key in keys):
            raise PermissionDenied(_("This key is not yours to change."))
        return keys

    @extend_schema(request=ImportBody, responses={201: OpenApiTypes.OBJECT})
    def bring_in(self, request: Request) -> Response:
        """A CSV as text in `csv`; answers id, name and secret of each key, this once."""
        self.only_admins()
        body = ImportBody(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            made = import_keys(body.validated_data["csv"], self.person)
            for new in made:
                record_change(request.user, new.key, "imported")
        results = [{"id": str(new.key.pk), "name": new.key.name, "key": new.secret} for new in made]
        response = Response({"results": results}, status=status.HTTP_201_CREATED)
        response["Cache-Control"] = "no-store"
        return response

    @extend_schema(parameters=KEY_FILTERS, responses={(200, "text/csv"): str})
    def export(self, request: Request) -> HttpResponse:
        """The keys of the filter as CSV, without secrets."""
        keys = filter_keys(self.get_queryset(), request.query_params).order_by("-id")
        return keys_file(keys)

    @extend_schema(
        parameters=[OpenApiParameter("days", int, description="Not used for so long; default 30.")],
        responses=rendering.KeyAnswer(many=True),
    )
    def unused(self, request: Request) -> Response:
        """Working keys that nobody has used for a while, newest first."""
        query = request.query_params
        if unknown := sorted(set(query) - {"days", "limit", "cursor"}):
            raise ValidationError({name: [_("Unknown filter.")] for name in unknown}, "unknown_field")
        days = query.get("days", str(DEFAULT_UNUSED_DAYS))
        if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= 3650:
            raise ValidationError({"days": [_("Takes whole days from 1 to 3650.")]})
        keys = many.unused_keys(self.get_queryset(), now() - timedelta(days=int(days)))
        page = self.paginate_queryset(keys)
        return self.get_paginated_response(rendering.render_keys(page or []))


def keys_file(keys: QuerySet[VirtualKey]) -> HttpResponse:
    """A CSV to save; with the mark by which Excel knows UTF-8."""
    rows, at = list(keys[:MOST_EXPORTED]), now()
    text = export_keys(rows, [key_state(row, at) for row in rows])
    response = HttpResponse("\ufeff" + text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="keys.csv"'
    response["Cache-Control"] = "no-store"
    return response
