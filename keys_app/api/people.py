"""Services and people over the management API, and how people get in and leave."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from keys_app.access_links import make_link
from keys_app.api import rendering
from keys_app.api.bodies import OffboardBody
from keys_app.api.management import ManagementViewSet, columns, refuse_managed
from keys_app.api.problems import Conflict
from keys_app.api.serializers import ServiceBody, UserBody
from keys_app.audit import differences, record_change, values_of
from keys_app.models import Membership, Service, User
from keys_app.offboarding import keys_of, offboard
from keys_app.roles import apply_role
from keys_app.sessions import end_sessions, open_sessions

COLUMNS = {"models": "models_allowed", "endpoints": "endpoints_allowed"}


def by_text(*names: str) -> Any:
    """A filter `search` that looks for a part of any of these columns."""

    def search(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        wanted = Q()
        for name in names:
            wanted |= Q(**{f"{name}__icontains": text})
        return rows.filter(wanted)

    return search


class NamedRows(ManagementViewSet):
    """List, create, retrieve and change rows that have a unique name."""

    scope = "people"
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
        page = self.paginate_queryset(self.filtered()) or []
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
        before = values_of(row) if verb == "changed" else {}
        with transaction.atomic():
            self.write(row, dict(body.validated_data))
            fields = sorted(set(body.validated_data) & {"services"})
            record_change(request.user, row, verb, fields, differences(before, values_of(row)))
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
    filters = {
        "name": "name",
        "cost_centre": "cost_centre",
        "parent": "parent_id",
        "is_active": "is_active",
        "search": by_text("name", "description", "cost_centre"),
    }

    def new_row(self) -> Service:
        return Service()

    def render(self, row: Service) -> dict[str, Any]:
        return rendering.render_service(row)

    def write(self, row: Service, values: dict[str, Any]) -> None:
        above = values.get("parent")
        while above is not None:
            if above.pk == row.pk:
                raise ValidationError({"parent": [_("A service cannot stand above itself.")]})
            above = above.parent
        super().write(row, values)


@extend_schema_view(
    list=extend_schema(responses=rendering.UserAnswer(many=True)),
    retrieve=extend_schema(responses=rendering.UserAnswer),
    create=extend_schema(request=UserBody, responses={201: rendering.UserAnswer}),
    partial_update=extend_schema(request=UserBody(partial=True), responses=rendering.UserAnswer),
)
class UserViewSet(NamedRows):
    """People. A new one has no password until they set one by a link, or an admin does."""

    queryset = User.objects.prefetch_related("memberships__service")
    serializer_class = UserBody
    body = UserBody
    filters = {
        "role": "role",
        "is_active": "is_active",
        "service": "memberships__service_id",
        "search": by_text("username", "email", "first_name", "last_name"),
    }

    def new_row(self) -> User:
        user = User()
        user.set_unusable_password()
        return user

    def render(self, row: User) -> dict[str, Any]:
        return rendering.render_user(row)

    def write(self, row: User, values: dict[str, Any]) -> None:
        services = values.pop("services", None)
        was_admin = row.is_superuser and row.is_active and not row._state.adding
        row.role = values.pop("role", row.role)
        apply_role(row)
        stays = row.is_superuser and values.get("is_active", row.is_active)
        others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=row.pk)
        if was_admin and not stays and not others.exists():
            raise Conflict(_("This is the last admin: make somebody else one first."))
        super().write(row, values)
        if not row.is_active:
            end_sessions(row)
        if services is None:
            return
        Membership.objects.filter(user=row).exclude(service__in=[m["service"] for m in services]).delete()
        for member in services:
            Membership.objects.update_or_create(
                user=row, service=member["service"], defaults={"role": member["role"]}
            )

    @extend_schema(request=None, responses={201: OpenApiTypes.OBJECT})
    def link(self, request: Request, pk: str) -> Response:
        """A link to set a password, answered this once; it works once and ends by itself."""
        user: User = self.row()
        if not user.is_active or user.username == "master":
            raise Conflict(_("This person may not sign in."))
        response = Response({"link": make_link(user, request.user)}, status=status.HTTP_201_CREATED)
        response["Cache-Control"] = "no-store"
        return response

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def leaving(self, request: Request, pk: str) -> Response:
        """The keys that stop with this person unless they are handed over."""
        keys = rendering.render_keys(keys_of(self.row())[:1000])
        return Response({"results": keys})

    @extend_schema(request=OffboardBody, responses=OpenApiTypes.OBJECT)
    def offboard(self, request: Request, pk: str) -> Response:
        """Deactivate: the named keys go to somebody else, all others are blocked, sessions end."""
        user: User = self.row()
        body = OffboardBody(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        keys = list(keys_of(user).filter(pk__in=wanted.get("keys", [])))
        if len(keys) != len(set(wanted.get("keys", []))):
            raise ValidationError({"keys": [_("Not all of these keys are this person's.")]})
        done = offboard(
            request.user,
            user,
            hand_over=keys,
            to_user=wanted.get("to_user"),
            to_service=wanted.get("to_service"),
        )
        return Response(done)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def sessions(self, request: Request, pk: str) -> Response:
        """Where this person is signed in."""
        return Response({"results": [rendering.render_session(row) for row in open_sessions(self.row())]})

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def end_sessions(self, request: Request, pk: str) -> Response:
        """Sign this person out everywhere."""
        user: User = self.row()
        count = end_sessions(user)
        record_change(request.user, user, "signed out")
        return Response({"ended": count})
