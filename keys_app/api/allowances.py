"""Budgets and rate limits of every level over the management API, with credit and increases."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.clock import now
from gateway_project.money import parse_usd, usd_string
from keys_app import crediting, managing
from keys_app.api.authentication import IsManager, acting_user
from keys_app.api.bodies import BudgetRowBody, IncreaseBody, LimitRowBody, TopUpBody
from keys_app.api.management import ManagementViewSet, refuse_managed
from keys_app.audit import differences, record_change, values_of
from keys_app.issuing import LimitTerms
from keys_app.models import Budget, RateLimit, TopUp, User


class ScopedAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    scope = serializers.CharField()
    key = serializers.UUIDField(allow_null=True)
    user = serializers.UUIDField(allow_null=True)
    service = serializers.UUIDField(allow_null=True)
    target = serializers.CharField()
    is_enabled = serializers.BooleanField()
    set_by_manager = serializers.BooleanField()
    managed_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class BudgetRowAnswer(ScopedAnswer):
    amount_usd = serializers.CharField()
    amount_nanodollars = serializers.IntegerField()
    period = serializers.CharField()
    every = serializers.IntegerField()
    anchor_at = serializers.DateTimeField(allow_null=True)
    time_zone = serializers.CharField()
    hard = serializers.BooleanField()
    alert_percents = serializers.ListField(child=serializers.IntegerField())
    extra_usd = serializers.CharField()
    extra_until = serializers.DateTimeField(allow_null=True)


class LimitRowAnswer(ScopedAnswer):
    requests_per_minute = serializers.IntegerField(allow_null=True)
    tokens_per_minute = serializers.IntegerField(allow_null=True)
    input_tokens_per_minute = serializers.IntegerField(allow_null=True)
    output_tokens_per_minute = serializers.IntegerField(allow_null=True)
    parallel = serializers.IntegerField(allow_null=True)


class TopUpAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    amount_usd = serializers.CharField()
    note = serializers.CharField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()


class ScopedViewSet(ManagementViewSet):
    """Rows of one level each."""

    scope = "allowances"
    body: type[BudgetRowBody] | type[LimitRowBody]
    model: type[Budget] | type[RateLimit]
    permission_classes = [IsManager]
    filters = {
        "scope": "scope",
        "key": "key_id",
        "user": "user_id",
        "service": "service_id",
        "target": "target",
        "is_enabled": "is_enabled",
    }

    def render(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def person(self) -> User | None:
        """Who signed in; None for a management key, which may do what its scopes say."""
        return acting_user(self.request.user)

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        return rows if self.person is None else managing.allowances_of(self.person, rows)

    def changed_row(self) -> Any:
        """The row of the address, for who may change it."""
        row = self.row()
        refuse_managed(row)
        if self.person is not None:
            managing.check_change(self.person, row)
        return row

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([self.render(row) for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.render(self.row()))

    def create(self, request: Request) -> Response:
        return self._write(request, self.model(), "added", status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.changed_row()
        return self._write(request, row, "changed", status.HTTP_200_OK)

    def destroy(self, request: Request, pk: str) -> Response:
        row = self.changed_row()
        with transaction.atomic():
            record_change(request.user, row, "deleted", (), values_of(row))
            row.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _write(self, request: Request, row: Any, verb: str, code: int) -> Response:
        veiled = self.person is not None and not self.person.sees_everything
        context = {"row": row, "veiled": veiled}
        body = self.body(data=request.data, partial=verb == "changed", context=context)
        body.is_valid(raise_exception=True)
        before = values_of(row) if verb == "changed" else {}
        for name, value in self.columns(dict(body.validated_data)).items():
            setattr(row, name, value)
        with transaction.atomic():
            if verb == "changed":
                managing.note_change(self.person, row)
            elif self.person is not None:
                managing.check_new(self.person, row)
            row.save()
            record_change(request.user, row, verb, (), differences(before, values_of(row)))
        return Response(self.render(row), status=code)

    def columns(self, values: dict[str, Any]) -> Mapping[str, Any]:
        return values


@extend_schema_view(
    list=extend_schema(responses=BudgetRowAnswer(many=True)),
    retrieve=extend_schema(responses=BudgetRowAnswer),
    create=extend_schema(request=BudgetRowBody, responses={201: BudgetRowAnswer}),
    partial_update=extend_schema(request=BudgetRowBody(partial=True), responses=BudgetRowAnswer),
    destroy=extend_schema(responses={204: None}),
)
class BudgetViewSet(ScopedViewSet):
    """Budgets of every level."""

    model = Budget
    queryset = Budget.objects.all()
    serializer_class = BudgetRowBody
    body = BudgetRowBody
    filters = {**ScopedViewSet.filters, "period": "period", "hard": "hard"}

    def columns(self, values: dict[str, Any]) -> Mapping[str, Any]:
        if "amount_usd" in values:
            values["amount_nanodollars"] = parse_usd(values.pop("amount_usd"))
        counts = values.get("period", "") in (Budget.Period.EVERY_HOURS, Budget.Period.EVERY_DAYS)
        if counts and values.get("anchor_at") is None:
            values["anchor_at"] = now()
        return values

    def render(self, row: Budget) -> dict[str, Any]:
        return {
            **render_scope(row),
            "amount_usd": usd_string(row.amount_nanodollars),
            "amount_nanodollars": row.amount_nanodollars,
            "period": row.period,
            "every": row.every,
            "anchor_at": row.anchor_at,
            "time_zone": row.time_zone,
            "hard": row.hard,
            "alert_percents": row.alert_percents,
            "extra_usd": usd_string(row.extra_nanodollars),
            "extra_until": row.extra_until,
        }

    @extend_schema(request=IncreaseBody, responses=BudgetRowAnswer)
    def increase(self, request: Request, pk: str) -> Response:
        """More until an instant, without touching the amount; `amount_usd` 0 takes it away."""
        row = self.changed_row()
        body = IncreaseBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        crediting.increase(request.user, row, parse_usd(values["amount_usd"]), values.get("until"))
        return Response(self.render(row))

    @extend_schema(methods=["POST"], request=TopUpBody, responses={201: TopUpAnswer})
    def top_up(self, request: Request, pk: str) -> Response:
        """Prepaid credit for a budget in total."""
        row = self.changed_row()
        body = TopUpBody(data=request.data)
        body.is_valid(raise_exception=True)
        amount = parse_usd(body.validated_data["amount_usd"])
        made = crediting.top_up(request.user, row, amount, body.validated_data["note"])
        return Response(render_top_up(made), status=status.HTTP_201_CREATED)

    @extend_schema(responses=TopUpAnswer(many=True))
    def top_ups(self, request: Request, pk: str) -> Response:
        """The credit that was added to this budget, newest first."""
        page = self.paginate_queryset(TopUp.objects.filter(budget=self.row())) or []
        return self.get_paginated_response([render_top_up(row) for row in page])


@extend_schema_view(
    list=extend_schema(responses=LimitRowAnswer(many=True)),
    retrieve=extend_schema(responses=LimitRowAnswer),
    create=extend_schema(request=LimitRowBody, responses={201: LimitRowAnswer}),
    partial_update=extend_schema(request=LimitRowBody(partial=True), responses=LimitRowAnswer),
    destroy=extend_schema(responses={204: None}),
)
class RateLimitViewSet(ScopedViewSet):
    """Rate limits of every level."""

    model = RateLimit
    queryset = RateLimit.objects.all()
    serializer_class = LimitRowBody
    body = LimitRowBody

    def render(self, row: RateLimit) -> dict[str, Any]:
        return {**render_scope(row), **{name: getattr(row, name) for name in LimitTerms.NAMES}}


def render_scope(row: Budget | RateLimit) -> dict[str, Any]:
    """The level a row stands at."""
    return {
        "id": str(row.pk),
        "scope": row.scope,
        "key": row.key_id and str(row.key_id),
        "user": row.user_id and str(row.user_id),
        "service": row.service_id and str(row.service_id),
        "target": row.target,
        "is_enabled": row.is_enabled,
        "set_by_manager": row.set_by_manager,
        "managed_by": row.managed_by,
        "created_at": row.created_at,
    }


def render_top_up(row: TopUp) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "amount_usd": usd_string(row.amount_nanodollars),
        "note": row.note,
        "made_by": row.made_by,
        "made_at": row.made_at,
    }
