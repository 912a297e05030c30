"""What an admin sets besides: management keys, environments' defaults, alert targets; and the audit log."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.clock import now
from gateway_project.money import parse_usd, usd_string
from keys_app.alert_targets import check_address, set_secret, shown_address
from keys_app.api.authentication import ManagementPrincipal
from keys_app.api.bodies import AlertTargetBody, DefaultsBody, ManagementKeyBody
from keys_app.api.management import ManagementViewSet, columns
from keys_app.audit import differences, record_change, values_of
from keys_app.models import AlertTarget, AuditEntry, Environment, EnvironmentDefaults, ManagementKey
from keys_app.secrets import MANAGEMENT_PREFIX, mint


class ManagementKeyViewSet(ManagementViewSet):
    """Keys for automation. A key makes no key that may do more than it may itself."""

    scope = "access"
    queryset = ManagementKey.objects.all()
    serializer_class = ManagementKeyBody
    filters = {"name": "name"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([render_management_key(row) for row in page])

    @extend_schema(request=ManagementKeyBody, responses={201: OpenApiTypes.OBJECT})
    def create(self, request: Request) -> Response:
        body = ManagementKeyBody(data=request.data)
        body.is_valid(raise_exception=True)
        self._not_wider(body.validated_data["scopes"])
        minted = mint(MANAGEMENT_PREFIX)
        row = ManagementKey(
            **body.validated_data,
            secret_hash=minted.secret_hash,
            last_four=minted.last_four,
            created_by=str(request.user)[:150],
        )
        with transaction.atomic():
            row.save()
            record_change(request.user, row, "added", (), {"scopes": [None, row.scopes]})
        answer = {**render_management_key(row), "key": minted.secret}
        response = Response(answer, status=status.HTTP_201_CREATED)
        response["Cache-Control"] = "no-store"
        return response

    def _not_wider(self, scopes: Iterable[str]) -> None:
        principal: Any = self.request.user
        if isinstance(principal, ManagementPrincipal) and not all(principal.may(one) for one in scopes):
            raise ValidationError({"scopes": [_("A key gives no right that it has not.")]})

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def block(self, request: Request, pk: str) -> Response:
        row = self.row()
        row.blocked_at = row.blocked_at or now()
        row.save(update_fields=["blocked_at"])
        record_change(request.user, row, "blocked")
        return Response(render_management_key(row))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        row = self.row()
        with transaction.atomic():
            record_change(request.user, row, "deleted")
            row.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


def render_management_key(row: ManagementKey) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "hint": f"{MANAGEMENT_PREFIX}…{row.last_four}",
        "scopes": row.scopes,
        "expires_at": row.expires_at,
        "blocked_at": row.blocked_at,
        "created_at": row.created_at,
        "created_by": row.created_by,
    }


class EnvironmentViewSet(ManagementViewSet):
    """What new keys of an environment start with."""

    scope = "allowances"
    queryset = EnvironmentDefaults.objects.all()
    serializer_class = DefaultsBody

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        rows = {row.environment: row for row in self.filtered()}
        shown = [rows.get(name) or EnvironmentDefaults(environment=name) for name in Environment.values]
        return Response({"results": [render_defaults(row) for row in shown], "next": None})

    @extend_schema(request=DefaultsBody(partial=True), responses=OpenApiTypes.OBJECT)
    def partial_update(self, request: Request, environment: str) -> Response:
        if environment not in Environment.values:
            raise NotFound(_("There is no such environment."))
        row = self.get_queryset().filter(pk=environment).first() or EnvironmentDefaults(
            environment=environment
        )
        body = DefaultsBody(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        values = columns(dict(body.validated_data), {"models": "models_allowed"})
        if "budget_usd" in values:
            dollars = values.pop("budget_usd")
            values["budget_nanodollars"] = None if dollars is None else parse_usd(dollars)
        before = values_of(row)
        for name, value in values.items():
            setattr(row, name, value)
        with transaction.atomic():
            row.save()
            record_change(request.user, row, "changed", (), differences(before, values_of(row)))
        return Response(render_defaults(row))


def render_defaults(row: EnvironmentDefaults) -> dict[str, Any]:
    budget = row.budget_nanodollars
    return {
        "environment": row.environment,
        "models": row.models_allowed,
        "key_days": row.key_days,
        "budget_usd": None if budget is None else usd_string(budget),
        "budget_period": row.budget_period,
        "requests_per_minute": row.requests_per_minute,
        "tokens_per_minute": row.tokens_per_minute,
        "parallel": row.parallel,
    }


class AlertTargetViewSet(ManagementViewSet):
    """Where alerts are told."""

    scope = "allowances"
    queryset = AlertTarget.objects.all()
    serializer_class = AlertTargetBody
    filters = {"kind": "kind", "service": "service_id", "is_enabled": "is_enabled"}

    @extend_schema(operation_id="api_v1_alert_targets_list", responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([render_target(row) for row in page])

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(render_target(self.row()))

    @extend_schema(request=AlertTargetBody, responses={201: OpenApiTypes.OBJECT})
    def create(self, request: Request) -> Response:
        return self._write(request, AlertTarget(), "added", status.HTTP_201_CREATED)

    @extend_schema(request=AlertTargetBody(partial=True), responses=OpenApiTypes.OBJECT)
    def partial_update(self, request: Request, pk: str) -> Response:
        return self._write(request, self.row(), "changed", status.HTTP_200_OK)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        row = self.row()
        with transaction.atomic():
            record_change(request.user, row, "deleted")
            row.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _write(self, request: Request, row: AlertTarget, verb: str, code: int) -> Response:
        body = AlertTargetBody(data=request.data, partial=verb == "changed")
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        before = values_of(row) if verb == "changed" else {}
        if "secret" in values:
            set_secret(row, values.pop("secret"))
        moved = "address" in values and row.address and values["address"] != row.address
        if moved and row.secret_encrypted and "secret" not in body.validated_data:
            raise ValidationError({"secret": [_("A new address needs its own secret.")]})
        for name, value in values.items():
            setattr(row, name, value)
        check_address(row)
        with transaction.atomic():
            row.save()
            record_change(request.user, row, verb, (), differences(before, values_of(row)))
        return Response(render_target(row), status=code)


def render_target(row: AlertTarget) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "kind": row.kind,
        "address": shown_address(row),
        "signs": bool(row.secret_encrypted),
        "service": row.service_id and str(row.service_id),
        "is_enabled": row.is_enabled,
        "created_at": row.created_at,
    }


class AuditViewSet(ManagementViewSet):
    """Who changed what, when and from where, newest first."""

    scope = "audit"
    queryset = AuditEntry.objects.all()
    filters = {
        "actor": "actor",
        "verb": "verb",
        "kind": "kind",
        "object": "object_id",
        "address": "address",
        "since": "at__gte",
        "until": "at__lt",
    }

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([render_entry(row) for row in page])


def render_entry(row: AuditEntry) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "at": row.at,
        "actor": row.actor,
        "address": row.address,
        "verb": row.verb,
        "kind": row.kind,
        "object": row.object_id,
        "object_name": row.object_name,
        "changes": row.changes,
    }
