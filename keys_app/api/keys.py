"""Virtual keys over the management API, and a key's answer about itself."""

from datetime import timedelta
from typing import cast

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from keys_app import issuing
from keys_app.api import rendering
from keys_app.api.authentication import HoldsKey, KeyHolder, VirtualKeyAuthentication, acting_user
from keys_app.api.filtering import KEY_FILTERS, filter_keys
from keys_app.api.management import ManagementViewSet, columns, refuse_managed
from keys_app.api.serializers import BlockBody, KeyBody, RotateBody
from keys_app.audit import record_change
from keys_app.models import VirtualKey

#: field of the body -> column of the row
COLUMNS = {"models": "models_allowed", "endpoints": "endpoints_allowed"}


@extend_schema_view(
    list=extend_schema(responses=rendering.KeyAnswer(many=True), parameters=KEY_FILTERS),
    retrieve=extend_schema(responses=rendering.KeyAnswer),
)
class KeyViewSet(ManagementViewSet):
    """Virtual keys: issue, list, change, block, rotate, delete."""

    queryset = VirtualKey.objects.select_related("user", "service")
    serializer_class = KeyBody

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(filter_keys(self.get_queryset(), request.query_params))
        return self.get_paginated_response(rendering.render_keys(page or []))

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(rendering.render_key(self.row()))

    @extend_schema(request=KeyBody, responses={201: rendering.IssuedKeyAnswer})
    def create(self, request: Request) -> Response:
        body = KeyBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        budgets, limits = values.pop("budgets", []), values.pop("limits", None)
        with transaction.atomic():
            key, secret = issuing.issue_key(
                **columns(values, COLUMNS),
                budgets=budgets,
                limits=limits,
                created_by=acting_user(request.user),
            )
            record_change(request.user, key, "added")
        answer = Response({**rendering.render_key(key), "key": secret}, status=status.HTTP_201_CREATED)
        answer["Cache-Control"] = "no-store"
        return answer

    @extend_schema(request=KeyBody(partial=True), responses=rendering.KeyAnswer)
    def partial_update(self, request: Request, pk: str) -> Response:
        key = self.row()
        refuse_managed(key)
        body = KeyBody(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        with transaction.atomic():
            if "budgets" in values:
                issuing.set_budgets(key, values.pop("budgets"))
            if "limits" in values:
                issuing.set_limits(key, values.pop("limits"))
            changed = columns(values, COLUMNS)
            for name, value in changed.items():
                setattr(key, name, value)
            if changed:
                key.save(update_fields=list(changed))
            record_change(request.user, key, "changed", sorted(body.validated_data))
        return Response(rendering.render_key(key))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        key = self.row()
        refuse_managed(key)
        with transaction.atomic():
            record_change(request.user, key, "deleted")
            key.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=BlockBody, responses=rendering.KeyAnswer)
    def block(self, request: Request, pk: str) -> Response:
        key = self.row()
        body = BlockBody(data=request.data)
        body.is_valid(raise_exception=True)
        issuing.block_key(key, body.validated_data["reason"])
        record_change(request.user, key, "blocked")
        return Response(rendering.render_key(key))

    @extend_schema(request=None, responses=rendering.KeyAnswer)
    def unblock(self, request: Request, pk: str) -> Response:
        key = self.row()
        issuing.unblock_key(key)
        record_change(request.user, key, "unblocked")
        return Response(rendering.render_key(key))

    @extend_schema(request=RotateBody, responses=rendering.IssuedKeyAnswer)
    def rotate(self, request: Request, pk: str) -> Response:
        key = self.row()
        refuse_managed(key)
        body = RotateBody(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            secret = issuing.rotate_key(key, timedelta(hours=body.validated_data["grace_hours"]))
            record_change(request.user, key, "rotated")
        answer = Response({**rendering.render_key(key), "key": secret})
        answer["Cache-Control"] = "no-store"
        return answer


class OwnKeyView(APIView):
    """A virtual key about itself: owner, environment, models, limits, budgets."""

    authentication_classes = [VirtualKeyAuthentication]
    permission_classes = [HoldsKey]

    @extend_schema(responses=rendering.KeyAnswer, parameters=[OpenApiParameter("x-api-key", str, "header")])
    def get(self, request: Request) -> Response:
        answer = rendering.render_key(cast(KeyHolder, request.user).key)
        for hidden in ("managed_by", "blocked_reason"):
            del answer[hidden]
        return Response(answer)
