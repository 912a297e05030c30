"""Services and people over the management API."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from keys_app.api import rendering
from keys_app.api.management import ManagementViewSet, columns, refuse_managed
from keys_app.api.problems import Conflict
from keys_app.api.serializers import ServiceBody, UserBody
from keys_app.audit import record_change
from keys_app.models import Membership, Service, User
from keys_app.roles import apply_role

COLUMNS = {"models": "models_allowed"}


class NamedRows(ManagementViewSet):
    """List, create, retrieve and change rows that have a unique name."""

    body: type[ServiceBody] | type[UserBody]

    def render(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def write(self, row: Any, values: dict[str, Any]) -> None:
        for name, value in columns(values, COLUMNS).items():
            setattr(row, name, value)
        try:
            with transaction.atomic():
                row.full_clean(exclude=["password"])
                row.save()
        except IntegrityError:
            raise Conflict(_("The name is taken.")) from None

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response([self.render(row) for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.render(self.row()))

    def create(self, request: Request) -> Response:
        return self._write(request, self.new_row(), "added", status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.row()
        refuse_managed(row)
        return self._write(request, row, "changed", status.HTTP_200_OK)

    def new_row(self) -> Model:
        raise NotImplementedError

    def _write(self, request: Request, row: Any, verb: str, code: int) -> Response:
        body = self.body(data=request.data, partial=verb == "changed")
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            self.write(row, dict(body.validated_data))
            record_change(request.user, row, verb, sorted(body.validated_data))
        return Response(self.render(self.get_queryset().get(pk=row.pk)), status=code)


@extend_schema_view(
    list=extend_schema(responses=rendering.ServiceAnswer(many=True)),
    retrieve=extend_schema(responses=rendering.ServiceAnswer),
    create=extend_schema(request=ServiceBody, responses={201: rendering.ServiceAnswer}),
    partial_update=extend_schema(request=ServiceBody(partial=True), responses=rendering.ServiceAnswer),
)
class ServiceViewSet(NamedRows):
    """Applications and teams."""

    queryset = Service.objects.all()
    serializer_class = ServiceBody
    body = ServiceBody

    def new_row(self) -> Service:
        return Service()

    def render(self, row: Service) -> dict[str, Any]:
        return rendering.render_service(row)

    def write(self, row: Service, values: dict[str, Any]) -> None:
        parent = values.get("parent")
        if parent is not None and parent.pk == row.pk:
            raise ValidationError({"parent": [_("A service is not its own parent.")]})
        super().write(row, values)


@extend_schema_view(
    list=extend_schema(responses=rendering.UserAnswer(many=True)),
    retrieve=extend_schema(responses=rendering.UserAnswer),
    create=extend_schema(request=UserBody, responses={201: rendering.UserAnswer}),
    partial_update=extend_schema(request=UserBody(partial=True), responses=rendering.UserAnswer),
)
class UserViewSet(NamedRows):
    """People. A new one has no password until an admin sets one."""

    queryset = User.objects.prefetch_related("memberships__service")
    serializer_class = UserBody
    body = UserBody

    def new_row(self) -> User:
        user = User()
        user.set_unusable_password()
        return user

    def render(self, row: User) -> dict[str, Any]:
        return rendering.render_user(row)

    def write(self, row: User, values: dict[str, Any]) -> None:
        services = values.pop("services", None)
        row.role = values.pop("role", row.role)
        apply_role(row)
        super().write(row, values)
        if services is None:
            return
        Membership.objects.filter(user=row).exclude(service__in=[m["service"] for m in services]).delete()
        for member in services:
            Membership.objects.update_or_create(
                user=row, service=member["service"], defaults={"role": member["role"]}
            )
