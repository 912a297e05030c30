"""Virtual keys over the management API: an admin all of them, everyone else theirs."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from keys_app import issuing, rights
from keys_app.api import rendering
from keys_app.api.authentication import IsPerson, acting_user
from keys_app.api.filtering import KEY_FILTERS, filter_keys
from keys_app.api.management import ManagementViewSet, columns, refuse_managed
from keys_app.api.serializers import BlockBody, CloneBody, KeyBody, RotateBody
from keys_app.audit import record_change
from keys_app.changing import change_key
from keys_app.copying import clone_key
from keys_app.models import User, VirtualKey

#: field of the body -> column of the row
COLUMNS = {"models": "models_allowed", "endpoints": "endpoints_allowed"}


class KeyRows(ManagementViewSet):
    """What all views of keys share: only keys that may be seen are there at all."""

    scope = "keys"
    permission_classes = [IsPerson]
    queryset = VirtualKey.objects.select_related("user", "service")

    @property
    def person(self) -> User | None:
        """Who signed in; None for a management key, which may do what its scopes say."""
        return acting_user(self.request.user)

    def get_queryset(self) -> QuerySet[VirtualKey]:
        person = self.person
        return super().get_queryset() if person is None else rights.visible_keys(person)

    def acted_on(self) -> VirtualKey:
        """The row of the address, for something its owner may do; 403 for who may only see it."""
        key: VirtualKey = self.row()
        if self.person is not None and not rights.may_act_on(self.person, key):
            raise PermissionDenied(_("This key is not yours to change."))
        return key

    @property
    def veiled(self) -> dict[str, bool]:
        """A body's context: only who sees everything learns what is unknown."""
        return {"veiled": self.person is not None and not self.person.sees_everything}

    def only_admins(self) -> None:
        if self.person is not None and not self.person.sees_everything:
            raise PermissionDenied(_("Only an admin may do this."))


@extend_schema_view(
    list=extend_schema(responses=rendering.KeyAnswer(many=True), parameters=KEY_FILTERS),
    retrieve=extend_schema(responses=rendering.KeyAnswer),
)
class KeyViewSet(KeyRows):
    """Virtual keys: issue, list, change, block, rotate, clone, delete."""

    serializer_class = KeyBody

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(filter_keys(self.get_queryset(), request.query_params))
        return self.get_paginated_response(rendering.render_keys(page or []))

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(rendering.render_key(self.row()))

    @extend_schema(request=KeyBody, responses={201: rendering.IssuedKeyAnswer})
    def create(self, request: Request) -> Response:
        body = KeyBody(data=request.data, context=self.veiled)
        body.is_valid(raise_exception=True)
        values = issuing.with_defaults(columns(dict(body.validated_data), COLUMNS))
        with transaction.atomic():
            if self.person is not None:
                values = rights.narrow_new_key(self.person, values)
            key, secret = issuing.issue_key(**values, created_by=self.person)
            record_change(request.user, key, "added")
        return shown_once(rendering.render_key(key), secret, status.HTTP_201_CREATED)

    @extend_schema(request=KeyBody(partial=True), responses=rendering.KeyAnswer)
    def partial_update(self, request: Request, pk: str) -> Response:
        key = self.acted_on()
        refuse_managed(key)
        body = KeyBody(data=request.data, partial=True, context=self.veiled)
        body.is_valid(raise_exception=True)
        values = columns(dict(body.validated_data), COLUMNS)
        with transaction.atomic():
            if self.person is not None:
                rights.check_change(self.person, key, values)
            record_change(request.user, key, "changed", (), change_key(key, values))
        return Response(rendering.render_key(key))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        key = self.row()
        self.only_admins()
        refuse_managed(key)
        with transaction.atomic():
            record_change(request.user, key, "deleted")
            key.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=BlockBody, responses=rendering.KeyAnswer)
    def block(self, request: Request, pk: str) -> Response:
        key = self.acted_on()
        body = BlockBody(data=request.data)
        body.is_valid(raise_exception=True)
        issuing.block_key(key, body.validated_data["reason"])
        record_change(request.user, key, "blocked")
        return Response(rendering.render_key(key))

    @extend_schema(request=None, responses=rendering.KeyAnswer)
    def unblock(self, request: Request, pk: str) -> Response:
        key = self.row()
        self.only_admins()
        issuing.unblock_key(key)
        record_change(request.user, key, "unblocked")
        return Response(rendering.render_key(key))

    @extend_schema(request=RotateBody, responses=rendering.IssuedKeyAnswer)
    def rotate(self, request: Request, pk: str) -> Response:
        key = self.acted_on()
        refuse_managed(key)
        body = RotateBody(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            secret = issuing.rotate_key(key, timedelta(hours=body.validated_data["grace_hours"]))
            record_change(request.user, key, "rotated")
        return shown_once(rendering.render_key(key), secret)

    @extend_schema(request=CloneBody, responses={201: rendering.IssuedKeyAnswer})
    def clone(self, request: Request, pk: str) -> Response:
        key = self.row()
        self.only_admins()
        body = CloneBody(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            made = clone_key(key, body.validated_data["name"], self.person)
            record_change(request.user, made.key, "added", (), {"cloned from": [None, str(key.pk)]})
        return shown_once(rendering.render_key(made.key), made.secret, status.HTTP_201_CREATED)


def shown_once(answer: dict[str, Any], secret: str, code: int = status.HTTP_200_OK) -> Response:
    """An answer with a secret that no cache keeps."""
    response = Response({**answer, "key": secret}, status=code)
    response["Cache-Control"] = "no-store"
    return response
