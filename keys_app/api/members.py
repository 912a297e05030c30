"""Who belongs to a service, over the management API: for admins, and for its managers."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from keys_app import managing
from keys_app.api.authentication import IsManager, acting_user
from keys_app.api.management import ManagementViewSet
from keys_app.api.serializers import StrictSerializer
from keys_app.models import Membership, Service


class MemberBody(StrictSerializer):
    """`user`: the whole user name or e-mail address."""

    user = serializers.CharField(max_length=254)
    role = serializers.ChoiceField(Membership.Role.choices, default=Membership.Role.MEMBER)


class MemberAnswer(serializers.Serializer[Any]):
    user = serializers.UUIDField()
    user_name = serializers.CharField()
    role = serializers.CharField()


class MemberViewSet(ManagementViewSet):
    """People of one service."""

    scope = "people"
    permission_classes = [IsManager]
    queryset = Service.objects.all()
    serializer_class = MemberBody

    def get_queryset(self) -> QuerySet[Service]:
        person = acting_user(self.request.user)
        return super().get_queryset() if person is None else managing.services_of(person)

    @extend_schema(responses=MemberAnswer(many=True))
    def list(self, request: Request, pk: str) -> Response:
        rows = Membership.objects.filter(service=self.row()).select_related("user").order_by("user__username")
        return Response({"results": [render_member(row) for row in rows]})

    @extend_schema(request=MemberBody, responses={201: MemberAnswer})
    def create(self, request: Request, pk: str) -> Response:
        service = self.row()
        body = MemberBody(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            user = managing.find_person(body.validated_data["user"])
        except DjangoValidationError as error:
            raise ValidationError({"user": error.messages}) from None
        member = managing.set_member(request.user, service, user, body.validated_data["role"])
        return Response(render_member(member), status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str, user: str) -> Response:
        managing.remove_member(request.user, member_of(self.row(), user))
        return Response(status=status.HTTP_204_NO_CONTENT)


def member_of(service: Service, user: str) -> Membership:
    """Somebody's part in a service by their id. Raises NotFound."""
    rows = Membership.objects.select_related("user", "service").filter(service=service)
    try:
        found = rows.filter(user=UUID(user)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(_("There is nothing with this id."))
    return found


def render_member(row: Membership) -> dict[str, Any]:
    return {"user": str(row.user_id), "user_name": row.user.username, "role": row.role}
