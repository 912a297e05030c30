"""POST /api/v1/requests/{id}/stop and /requests/stop: end one call in flight, or all of a key or service."""

from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request as ApiRequest
from rest_framework.response import Response

from keys_app.api.serializers import StrictSerializer
from keys_app.audit import record_event
from keys_app.models import User
from usage_app.api.views import UsageView
from usage_app.live_stopping import Wish, ask_workers


class StopView(UsageView):
    """The owner of a call, the manager of its service, an admin; a viewer only looks."""

    scope = "calls"

    def initial(self, request: ApiRequest, *args: Any, **options: Any) -> None:
        super().initial(request, *args, **options)
        principal: Any = request.user
        if isinstance(principal, User) and principal.changes_nothing:
            raise PermissionDenied(_("You may look, and stop nothing."))

    def stop(self, **meant: str) -> int:
        count = async_to_sync(ask_workers)(Wish.within(self.sight, **meant))
        if count:
            told = {name: [None, value] for name, value in meant.items()}
            record_event(self.request.user, "stopped", "call", next(iter(meant.values())), told)
        return count


class StopCall(StopView):
    """End one call in flight: its caller gets an error event, what it has cost is charged."""

    @extend_schema(operation_id="api_v1_request_stop_create", request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: ApiRequest, pk: str) -> Response:
        try:
            call_id = str(UUID(pk))
        except ValueError:
            raise NotFound(_("There is no such request.")) from None
        # What may not be stopped is not there: a stranger learns nothing from the answer.
        if not self.stop(call_id=call_id):
            raise NotFound(_("No call with this id is in flight."))
        return Response({"stopped": 1})


class StopBody(StrictSerializer):
    key = serializers.UUIDField(required=False)
    service = serializers.UUIDField(required=False)


class StopCalls(StopView):
    """End every call in flight of a key or of a service."""

    @extend_schema(request=StopBody, responses=OpenApiTypes.OBJECT)
    def post(self, request: ApiRequest) -> Response:
        body = StopBody(data=request.data)
        body.is_valid(raise_exception=True)
        named = {f"{name}_id": str(value) for name, value in body.validated_data.items()}
        if len(named) != 1:
            raise ValidationError({"key": [_("Names a key or a service.")]})
        return Response({"stopped": self.stop(**named)})
