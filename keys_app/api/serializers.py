"""Bodies of the management API, read strictly: an unknown field is an error that names it."""

from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway_project.clock import now
from gateway_project.money import parse_usd
from keys_app.identity_proof import SHORTEST_SECRET
from keys_app.issuing import BudgetTerms, LimitTerms
from keys_app.models import Budget, Environment, Membership, Service, User

MOST_ITEMS = 500


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know: a misspelt budget must never be taken for none."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(str(name) for name in data if name not in known):
                raise serializers.ValidationError(
                    {name: [_("Unknown field.")] for name in unknown}, "unknown_field"
                )
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.STR)
class OwnerField(serializers.Field[Any, str, str, Any]):
    """A user or a service, by id or by name.

    With `veiled` in the context an unknown one is a row that nobody has: whoever may not know what
    there is gets the same refusal for it as for somebody else's.
    """

    def __init__(self, rows: type[Model], names: tuple[str, ...], **options: Any) -> None:
        self.rows, self.names = rows, names
        super().__init__(**options)

    def to_internal_value(self, data: str) -> Any:
        if not isinstance(data, str) or not data.strip():
            raise serializers.ValidationError(_("Takes an id or a name."))
        found = find_by_id_or_name(self.rows._default_manager.all(), self.names, data.strip())
        if found is None and self.context.get("veiled"):
            return self.rows()
        if found is None:
            noun = self.rows._meta.verbose_name
            raise serializers.ValidationError(
                _("There is no %(noun)s %(name)r.") % {"noun": noun, "name": data}
            )
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.pk)


def find_by_id_or_name(rows: QuerySet[Any], names: tuple[str, ...], text: str) -> Any:
    """One row by id, else by the first name column that has it; None when there is none."""
    try:
        if row := rows.filter(pk=UUID(text)).first():
            return row
    except ValueError:
        pass
    wanted = Q()
    for name in names:
        wanted |= Q(**{name: text})
    matches = list(rows.filter(wanted)[:2])
    return matches[0] if len(matches) == 1 else None


def user_field(**options: Any) -> OwnerField:
    return OwnerField(User, ("username", "email"), required=False, allow_null=True, **options)


def service_field(**options: Any) -> OwnerField:
    return OwnerField(Service, ("name",), required=False, allow_null=True, **options)


class NetworkField(serializers.CharField):
    """10.0.0.0/8, or one address."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return str(ip_network(text, strict=False))
        except ValueError:
            raise serializers.ValidationError(_("%(text)r is not a network.") % {"text": text}) from None


class OriginField(serializers.CharField):
    """https://app.example.org, without a path."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data).rstrip("/")
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise serializers.ValidationError(_("%(text)r is not an origin.") % {"text": text})
        return text.lower()


def names_field(child: serializers.Field[Any, Any, Any, Any] | None = None) -> serializers.ListField:
    """A list of model names or patterns, endpoints, networks or origins; null means the empty list."""
    return serializers.ListField(
        child=child or serializers.CharField(max_length=200),
        required=False,
        allow_null=True,
        max_length=MOST_ITEMS,
    )


class BudgetBody(StrictSerializer):
    """A budget of a key: dollars per period. Hard refuses, soft only tells."""

    amount_usd = serializers.DecimalField(18, 9, min_value=Decimal(0))
    period = serializers.ChoiceField(Budget.Period.choices, default=Budget.Period.MONTH)
    every = serializers.IntegerField(min_value=1, max_value=100_000, default=1)
    hard = serializers.BooleanField(default=True)

    def to_internal_value(self, data: Any) -> BudgetTerms:
        values = super().to_internal_value(data)
        # Inside a partial body DRF skips required fields and defaults, here too.
        if "amount_usd" not in values:
            raise serializers.ValidationError({"amount_usd": [_("This field is required.")]})
        values = {"period": Budget.Period.MONTH, "every": 1, "hard": True, **values}
        counts = values["period"] in (Budget.Period.EVERY_HOURS, Budget.Period.EVERY_DAYS)
        if values["every"] != 1 and not counts:
            raise serializers.ValidationError({"every": [_("Only for every_hours and every_days.")]})
        return BudgetTerms(
            amount_nanodollars=parse_usd(values["amount_usd"]),
            period=values["period"],
            hard=values["hard"],
            every=values["every"],
            anchor_at=now() if counts else None,
        )


def count_field() -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, allow_null=True)


class LimitsBody(StrictSerializer):
    """How fast a key may be used; null or absent: no such limit."""

    requests_per_minute = count_field()
    tokens_per_minute = count_field()
    input_tokens_per_minute = count_field()
    output_tokens_per_minute = count_field()
    parallel = count_field()

    def to_internal_value(self, data: Any) -> LimitTerms:
        return LimitTerms(**super().to_internal_value(data))


class KeyBody(StrictSerializer):
    """What a virtual key is made of, and what of it may be changed."""

    name = serializers.CharField(max_length=120)
    user = user_field()
    service = service_field()
    environment = serializers.ChoiceField(Environment.choices, required=False)
    models = names_field()
    no_models = serializers.BooleanField(required=False)
    endpoints = names_field()
    networks = names_field(NetworkField(max_length=64))
    origins = names_field(OriginField(max_length=200))
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    trusts_identity_headers = serializers.BooleanField(required=False)
    identity_secret = serializers.CharField(
        min_length=SHORTEST_SECRET, max_length=200, required=False, allow_blank=True, write_only=True
    )
    reports_cost = serializers.BooleanField(required=False)
    allows_unpriced = serializers.BooleanField(required=False)
    budgets = BudgetBody(many=True, required=False)
    limits = LimitsBody(required=False, allow_null=True)

    def validate_budgets(self, budgets: list[BudgetTerms]) -> list[BudgetTerms]:
        kinds = [(terms.period, terms.every, terms.hard) for terms in budgets]
        if len(set(kinds)) != len(kinds):
            raise serializers.ValidationError(_("Two budgets of the same period and kind."))
        return budgets

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= now():
            raise serializers.ValidationError(_("This time has passed."))
        return value


class RotateBody(StrictSerializer):
    """How long the old secret goes on working."""

    grace_hours = serializers.IntegerField(min_value=0, max_value=90 * 24, default=24)


class BlockBody(StrictSerializer):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class CloneBody(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")


class BulkBody(StrictSerializer):
    """What to do to which keys. `expires_at` belongs to expire, `user` and `service` to move."""

    action = serializers.ChoiceField(["block", "unblock", "expire", "move"])
    keys = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1000)
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(required=False)
    user = user_field()
    service = service_field()

    def validate(self, values: Any) -> Any:
        belongs = {"expire": {"expires_at"}, "move": {"user", "service"}, "block": {"reason"}}
        named = {name for name in ("expires_at", "user", "service") if values.get(name) is not None}
        if odd := sorted(named - belongs.get(values["action"], set())):
            raise serializers.ValidationError({name: [_("Not for this action.")] for name in odd})
        return values


class ImportBody(StrictSerializer):
    csv = serializers.CharField(max_length=2_000_000, trim_whitespace=False)


class ServiceBody(StrictSerializer):
    """An application or a team."""

    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)
    cost_centre = serializers.CharField(max_length=64, required=False, allow_blank=True)
    parent = service_field()  # type: ignore[assignment]
    is_active = serializers.BooleanField(required=False)
    models = names_field()
    keeps_bodies = serializers.BooleanField(required=False)
    bodies_days = serializers.IntegerField(min_value=1, max_value=365, required=False)


class MembershipBody(StrictSerializer):
    service = OwnerField(Service, ("name",))
    role = serializers.ChoiceField(Membership.Role.choices, default=Membership.Role.MEMBER)


class UserBody(StrictSerializer):
    """A person. The password is set by the person, or by an admin in the admin."""

    username = serializers.CharField(max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True)
    models = names_field()
    endpoints = names_field()
    networks = names_field(NetworkField(max_length=64))
    most_keys = serializers.IntegerField(min_value=0, max_value=10_000, required=False)
    longest_key_days = serializers.IntegerField(min_value=1, max_value=3650, required=False, allow_null=True)
    role = serializers.ChoiceField(User.Role.choices, required=False)
    is_active = serializers.BooleanField(required=False)
    services = MembershipBody(many=True, required=False)
