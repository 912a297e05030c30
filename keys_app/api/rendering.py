"""Rows as the management API answers them. A secret or its hash is never among them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from gateway_project.clock import now
from gateway_project.money import usd_string
from keys_app.issuing import LimitTerms, key_state
from keys_app.models import Budget, KeyUse, RateLimit, Scope, Service, SignIn, User, VirtualKey


class BudgetAnswer(serializers.Serializer[Any]):
    """A budget as it stands."""

    id = serializers.UUIDField()
    amount_usd = serializers.CharField()
    amount_nanodollars = serializers.IntegerField()
    period = serializers.CharField()
    every = serializers.IntegerField()
    hard = serializers.BooleanField()


class LimitsAnswer(serializers.Serializer[Any]):
    requests_per_minute = serializers.IntegerField(allow_null=True)
    tokens_per_minute = serializers.IntegerField(allow_null=True)
    input_tokens_per_minute = serializers.IntegerField(allow_null=True)
    output_tokens_per_minute = serializers.IntegerField(allow_null=True)
    parallel = serializers.IntegerField(allow_null=True)


class KeyAnswer(serializers.Serializer[Any]):
    """A virtual key without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    hint = serializers.CharField()
    state = serializers.ChoiceField(["active", "blocked", "expired", "owner_inactive", "service_inactive"])
    user = serializers.UUIDField(allow_null=True)
    user_name = serializers.CharField(allow_null=True)
    service = serializers.UUIDField(allow_null=True)
    service_name = serializers.CharField(allow_null=True)
    environment = serializers.CharField()
    models = serializers.ListField(child=serializers.CharField())
    no_models = serializers.BooleanField()
    endpoints = serializers.ListField(child=serializers.CharField())
    networks = serializers.ListField(child=serializers.CharField())
    origins = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    blocked_at = serializers.DateTimeField(allow_null=True)
    blocked_reason = serializers.CharField()
    previous_until = serializers.DateTimeField(allow_null=True)
    trusts_identity_headers = serializers.BooleanField()
    proves_identity = serializers.BooleanField()
    reports_cost = serializers.BooleanField()
    allows_unpriced = serializers.BooleanField()
    budgets = BudgetAnswer(many=True)
    limits = LimitsAnswer()
    managed_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class IssuedKeyAnswer(KeyAnswer):
    """A virtual key with its secret, which is answered this once."""

    key = serializers.CharField()


class ServiceAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    cost_centre = serializers.CharField()
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    is_active = serializers.BooleanField()
    models = serializers.ListField(child=serializers.CharField())
    keeps_bodies = serializers.BooleanField()
    bodies_days = serializers.IntegerField()
    managed_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class MembershipAnswer(serializers.Serializer[Any]):
    service = serializers.UUIDField()
    service_name = serializers.CharField()
    role = serializers.CharField()


class UserAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.CharField()
    role = serializers.CharField()
    models = serializers.ListField(child=serializers.CharField())
    endpoints = serializers.ListField(child=serializers.CharField())
    networks = serializers.ListField(child=serializers.CharField())
    most_keys = serializers.IntegerField()
    longest_key_days = serializers.IntegerField(allow_null=True)
    is_active = serializers.BooleanField()
    services = MembershipAnswer(many=True)
    created_at = serializers.DateTimeField()


def render_keys(keys: Iterable[VirtualKey]) -> list[dict[str, Any]]:
    """Several keys with budgets, limits and last use, in a constant number of queries."""
    rows = list(keys)
    ids = [row.pk for row in rows]
    budgets: dict[UUID | None, list[Budget]] = defaultdict(list)
    for budget in Budget.objects.filter(scope=Scope.KEY, key__in=ids, is_enabled=True).order_by(
        "created_at", "id"
    ):
        budgets[budget.key_id].append(budget)
    limits = {
        limit.key_id: limit
        for limit in RateLimit.objects.filter(scope=Scope.KEY, key__in=ids, is_enabled=True)
    }
    used = dict(KeyUse.objects.filter(key_id__in=ids).values_list("key_id", "last_used_at"))
    at = now()
    return [_render(row, budgets[row.pk], limits.get(row.pk), used.get(row.pk), at) for row in rows]


def render_key(key: VirtualKey) -> dict[str, Any]:
    """One key as `KeyAnswer`."""
    return render_keys([key])[0]


def _render(
    key: VirtualKey,
    budgets: list[Budget],
    limit: RateLimit | None,
    last_used_at: datetime | None,
    at: datetime,
) -> dict[str, Any]:
    return {
        "id": str(key.pk),
        "name": key.name,
        "hint": key.hint,
        "state": key_state(key, at),
        "user": key.user_id and str(key.user_id),
        "user_name": key.user.username if key.user else None,
        "service": key.service_id and str(key.service_id),
        "service_name": key.service.name if key.service else None,
        "environment": key.environment,
        "models": key.models_allowed,
        "no_models": key.no_models,
        "endpoints": key.endpoints_allowed,
        "networks": key.networks,
        "origins": key.origins,
        "expires_at": key.expires_at,
        "blocked_at": key.blocked_at,
        "blocked_reason": key.blocked_reason,
        "previous_until": key.previous_until,
        "trusts_identity_headers": key.trusts_identity_headers,
        "proves_identity": bool(key.identity_secret_encrypted),
        "reports_cost": key.reports_cost,
        "allows_unpriced": key.allows_unpriced,
        "budgets": [_budget(budget) for budget in budgets],
        "limits": _limits(limit),
        "managed_by": key.managed_by,
        "created_at": key.created_at,
        "last_used_at": last_used_at,
    }


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "id": str(budget.pk),
        "amount_usd": usd_string(budget.amount_nanodollars),
        "amount_nanodollars": budget.amount_nanodollars,
        "period": budget.period,
        "every": budget.every,
        "hard": budget.hard,
    }


def _limits(limit: RateLimit | None) -> dict[str, int | None]:
    return {name: getattr(limit, name, None) for name in LimitTerms.NAMES}


def render_session(row: SignIn) -> dict[str, Any]:
    """A session without the key that opens it."""
    return {"id": str(row.pk), "began_at": row.began_at, "address": row.address, "client": row.client}


def render_service(service: Service) -> dict[str, Any]:
    """One service as `ServiceAnswer`."""
    return {
        "id": str(service.pk),
        "name": service.name,
        "description": service.description,
        "cost_centre": service.cost_centre,
        "parent": service.parent_id and str(service.parent_id),
        "is_active": service.is_active,
        "models": service.models_allowed,
        "keeps_bodies": service.keeps_bodies,
        "bodies_days": service.bodies_days,
        "managed_by": service.managed_by,
        "created_at": service.created_at,
    }


def render_user(user: User) -> dict[str, Any]:
    """One person as `UserAnswer`; `memberships__service` should be prefetched."""
    return {
        "id": str(user.pk),
        "username": user.username,
        "email": user.email,
        "role": user.role,
        "models": user.models_allowed,
        "endpoints": user.endpoints_allowed,
        "networks": user.networks,
        "most_keys": user.most_keys,
        "longest_key_days": user.longest_key_days,
        "is_active": user.is_active,
        "services": [
            {"service": str(m.service_id), "service_name": m.service.name, "role": m.role}
            for m in user.memberships.all()
        ],
        "created_at": user.date_joined,
    }
