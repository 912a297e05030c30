"""LiteLLM's words for a key, read strictly and written as its clients expect them.

A field that would limit a key and is not known here is an error: a limit must never be dropped.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from gateway_project.clock import from_ms, now
from gateway_project.money import NANODOLLARS_PER_DOLLAR, round_usd
from keys_app.issuing import BudgetTerms, LimitTerms
from keys_app.models import Budget, RateLimit, Scope, VirtualKey
from keys_app.standing import demand_of, standing

#: fields that are applied
APPLIED = frozenset(
    {"key", "key_alias", "key_name", "duration", "models", "user_id", "team_id", "blocked", "metadata"}
    | {"max_budget", "soft_budget", "budget_duration"}
    | {"rpm_limit", "tpm_limit", "max_parallel_requests"}
)
#: fields that say something about a key and limit nothing
INERT = frozenset({"tags", "send_invite_email", "spend", "key_type", "config", "aliases"})
_DURATION = re.compile(r"(\d+)(s|m|h|d|w|mo)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 30 * 86_400}
LARGEST_METADATA = 8_192
_LONGEST_S = 100 * 365 * 86_400


def check_fields(body: Any) -> Mapping[str, Any]:
    """The body, or ValidationError for fields that would mean something and do not here."""
    if not isinstance(body, Mapping):
        raise ValidationError(_("The body is not a JSON object."))
    known = APPLIED | INERT
    meant = {str(name) for name, value in body.items() if value not in (None, {}, [], "")}
    unknown = sorted(meant - known)
    if unknown:
        raise ValidationError({name: [_("Not supported here.")] for name in unknown}, "unknown_field")
    return body


def parse_expiry(body: Mapping[str, Any]) -> datetime | None:
    """`duration` ('30d') from now on; None, -1 and 'permanent': never."""
    text = body.get("duration")
    if text in (None, "", "permanent", "-1", -1):
        return None
    seconds = parse_duration("duration", text)
    return now() + timedelta(seconds=seconds)


def parse_duration(field: str, text: Any) -> int:
    """'30d' in seconds."""
    match = _DURATION.fullmatch(str(text).strip())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST_S:
        raise ValidationError({field: [_("Takes a duration such as 30d, 12h or 1mo.")]})
    return seconds


def parse_budgets(body: Mapping[str, Any]) -> list[BudgetTerms]:
    """`max_budget` is a hard budget and `soft_budget` a soft one, both per `budget_duration`."""
    period, every = _period(body.get("budget_duration"))
    counts = period in (Budget.Period.EVERY_HOURS, Budget.Period.EVERY_DAYS)
    anchor = now() if counts else None
    return [
        BudgetTerms(amount, period, hard, every, anchor)
        for field, hard in (("max_budget", True), ("soft_budget", False))
        if (amount := _amount(field, body.get(field))) is not None
    ]


def _period(duration: Any) -> tuple[str, int]:
    if duration in (None, ""):
        return Budget.Period.TOTAL, 1
    match = _DURATION.fullmatch(str(duration).strip())
    if match and match[2] == "mo" and int(match[1]) == 1:
        return Budget.Period.MONTH, 1
    seconds = parse_duration("budget_duration", duration)
    if seconds % 86_400 == 0:
        return Budget.Period.EVERY_DAYS, seconds // 86_400
    if seconds % 3600 == 0:
        return Budget.Period.EVERY_HOURS, seconds // 3600
    raise ValidationError({"budget_duration": [_("Whole hours or days.")]})


def _amount(field: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
        raise ValidationError({field: [_("Takes an amount in dollars.")]})
    return round_usd(Decimal(str(value)))


def parse_limits(body: Mapping[str, Any]) -> LimitTerms:
    """rpm, tpm and parallel requests."""
    return LimitTerms(
        requests_per_minute=_count(body, "rpm_limit"),
        tokens_per_minute=_count(body, "tpm_limit"),
        parallel=_count(body, "max_parallel_requests"),
    )


def _count(body: Mapping[str, Any], field: str) -> int | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValidationError({field: [_("Takes a whole number.")]})
    return value


def parse_metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    """What automation keeps beside a key: an object of a few kilobytes, given back as it came."""
    value = body.get("metadata") or {}
    if not isinstance(value, dict) or len(json.dumps(value)) > LARGEST_METADATA:
        raise ValidationError({"metadata": [_("Takes an object of at most 8 KB.")]})
    return value


def parse_models(body: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Names and whether none at all is meant ('no-default-models'); [] and 'all-…' mean all allowed."""
    names = body.get("models") or []
    if not isinstance(names, list) or not all(isinstance(name, str) and len(name) <= 200 for name in names):
        raise ValidationError({"models": [_("Takes a list of names.")]})
    if "no-default-models" in names:
        return [], True
    if {"all-team-models", "all-proxy-models"} & set(names):
        return [], False
    return names, False


def render_info(key: VirtualKey) -> dict[str, Any]:
    """A key as LiteLLM describes it. `spend` is that of its budget's period; without a budget it is
    not counted here: null, never 0."""
    budgets = list(Budget.objects.filter(scope=Scope.KEY, key=key, is_enabled=True).order_by("id"))
    hard = next((budget for budget in budgets if budget.hard), None)
    soft = next((budget for budget in budgets if not budget.hard), None)
    limit = RateLimit.objects.filter(scope=Scope.KEY, key=key, is_enabled=True).first()
    first = hard or soft
    spent, resets_at = _spend(key, first) if first else (None, None)
    return {
        "token": key.secret_hash,
        "token_id": key.secret_hash,
        "key_name": f"sk-...{key.last_four}",
        "key_alias": key.name,
        "spend": spent,
        "expires": key.expires_at,
        "models": ["no-default-models"] if key.no_models else key.models_allowed,
        "user_id": key.user.username if key.user else None,
        "team_id": str(key.service_id) if key.service_id else None,
        "team_alias": key.service.name if key.service else None,
        "max_budget": _dollars(hard),
        "soft_budget": _dollars(soft),
        "budget_duration": _duration(first) if first else None,
        "budget_reset_at": resets_at,
        "rpm_limit": limit.requests_per_minute if limit else None,
        "tpm_limit": limit.tokens_per_minute if limit else None,
        "max_parallel_requests": limit.parallel if limit else None,
        "blocked": key.blocked_at is not None,
        "metadata": key.metadata,
        "created_at": key.created_at,
    }


def _spend(key: VirtualKey, budget: Budget) -> tuple[float | None, datetime | None]:
    """Dollars that a budget has spent in its present period, and when that ends."""
    levels = standing(demand_of(key), None).levels
    level = next((one for one in levels if one.kind == "budget" and one.id == str(budget.pk)), None)
    if level is None:
        return None, None
    ends = None if level.resets_at_ms is None else from_ms(level.resets_at_ms)
    return level.spent / NANODOLLARS_PER_DOLLAR, ends


def _dollars(budget: Budget | None) -> float | None:
    """LiteLLM's clients expect a number; the exact amount is in our own API."""
    return None if budget is None else budget.amount_nanodollars / NANODOLLARS_PER_DOLLAR


def _duration(budget: Budget) -> str | None:
    match budget.period:
        case Budget.Period.EVERY_DAYS:
            return f"{budget.every}d"
        case Budget.Period.EVERY_HOURS:
            return f"{budget.every}h"
        case Budget.Period.TOTAL:
            return None
        case period:
            return {"hour": "1h", "day": "1d", "week": "7d", "month": "1mo"}[period]
