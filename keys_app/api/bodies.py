"""Bodies of what an admin sets: levels, credit, management keys, defaults, alert targets."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from rest_framework import serializers

from keys_app.api.authentication import ALL_SCOPES
from keys_app.api.serializers import (
    OwnerField,
    StrictSerializer,
    count_field,
    names_field,
    service_field,
    user_field,
)
from keys_app.issuing import LimitTerms
from keys_app.models import AlertTarget, Budget, Scope, VirtualKey

#: levels that are told by a name
NAMED_SCOPES = (Scope.ENVIRONMENT, Scope.MODEL, Scope.PROVIDER, Scope.DEPLOYMENT)


class ScopedBody(StrictSerializer):
    """A row of one level: a reference, or a name in `target` (within a service where that is given)."""

    scope = serializers.ChoiceField(Scope.choices)
    key = OwnerField(VirtualKey, (), required=False, allow_null=True)
    user = user_field()
    service = service_field()
    target = serializers.CharField(max_length=200, required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False)

    def validate(self, values: Any) -> Any:
        if self.partial:
            moved = sorted({"scope", "key", "user", "service", "target"} & set(values))
            if moved:
                message = _("A level is not moved: make another row.")
                raise serializers.ValidationError({name: [message] for name in moved})
            return values
        for name, problem in scope_problems(values["scope"], values):
            raise serializers.ValidationError({name: [problem]})
        return values


def scope_problems(scope: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) for a level's reference and name; a named level may stand within a service."""
    named = scope in NAMED_SCOPES or scope == Scope.END_USER
    for name in ("key", "user", "service"):
        given = bool(values.get(name))
        if name == scope and not given:
            yield name, _("This level needs one.")
        elif given and name != scope and not (name == "service" and named):
            yield name, _("Not at this level.")
    if scope in NAMED_SCOPES and not values.get("target"):
        yield "target", _("This level needs a name.")
    if not named and values.get("target"):
        yield "target", _("Not at this level.")


class BudgetRowBody(ScopedBody):
    """A budget of any level."""

    amount_usd = serializers.DecimalField(18, 9, min_value=Decimal(0))
    period = serializers.ChoiceField(Budget.Period.choices, required=False)
    every = serializers.IntegerField(min_value=1, max_value=100_000, required=False)
    anchor_at = serializers.DateTimeField(required=False, allow_null=True)
    time_zone = serializers.CharField(max_length=64, required=False, allow_blank=True)
    hard = serializers.BooleanField(required=False)
    alert_percents = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1000), required=False, max_length=10
    )

    def validate_time_zone(self, name: str) -> str:
        if name:
            try:
                ZoneInfo(name)
            except (ValueError, OSError, KeyError):
                raise serializers.ValidationError(_("This is no time zone.")) from None
        return name

    def validate_alert_percents(self, percents: list[int]) -> list[int]:
        return sorted(set(percents))

    def validate(self, values: Any) -> Any:
        values = super().validate(values)
        row: Any = self.context["row"]
        if self.partial and {"period", "every"} & set(values):
            # Its spend is counted by period: another one would begin at 0.
            message = _("A budget's period is not changed: make another budget.")
            raise serializers.ValidationError({"period": [message]})
        period = values.get("period", row.period)
        counts = period in (Budget.Period.EVERY_HOURS, Budget.Period.EVERY_DAYS)
        if not counts and values.get("every", 1) != 1:
            raise serializers.ValidationError({"every": [_("Only for every_hours and every_days.")]})
        if not counts and values.get("anchor_at") is not None:
            raise serializers.ValidationError({"anchor_at": [_("Only for every_hours and every_days.")]})
        return values


class LimitRowBody(ScopedBody):
    """A rate limit of any level."""

    requests_per_minute = count_field()
    tokens_per_minute = count_field()
    input_tokens_per_minute = count_field()
    output_tokens_per_minute = count_field()
    parallel = count_field()

    def validate(self, values: Any) -> Any:
        values = super().validate(values)
        row = self.context["row"]
        if all(values.get(name, getattr(row, name)) is None for name in LimitTerms.NAMES):
            raise serializers.ValidationError(_("Set at least one of the limits."))
        return values


class TopUpBody(StrictSerializer):
    amount_usd = serializers.DecimalField(18, 9)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class IncreaseBody(StrictSerializer):
    amount_usd = serializers.DecimalField(18, 9, min_value=Decimal(0))
    until = serializers.DateTimeField(required=False, allow_null=True)


class OffboardBody(StrictSerializer):
    """`keys` are handed over to `to_user`, `to_service` or both; all others of the person are blocked."""

    keys = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=1000)
    to_user = user_field()
    to_service = service_field()


class ManagementKeyBody(StrictSerializer):
    """A key for automation and what it may do."""

    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(child=serializers.ChoiceField(ALL_SCOPES), min_length=1, max_length=20)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        return sorted(set(scopes))


class DefaultsBody(StrictSerializer):
    """What a new key of an environment starts with; null takes it away."""

    models = names_field()
    key_days = serializers.IntegerField(min_value=1, max_value=3650, required=False, allow_null=True)
    budget_usd = serializers.DecimalField(18, 9, min_value=Decimal(0), required=False, allow_null=True)
    budget_period = serializers.ChoiceField(Budget.Period.choices[:5], required=False)
    requests_per_minute = count_field()
    tokens_per_minute = count_field()
    parallel = count_field()


class AlertTargetBody(StrictSerializer):
    """Where alerts go. `secret` signs a webhook; it is written and never read."""

    name = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(AlertTarget.Kind.choices)
    address = serializers.CharField(max_length=500)
    secret = serializers.CharField(max_length=200, min_length=16, required=False, write_only=True)
    service = service_field()
    is_enabled = serializers.BooleanField(required=False)
