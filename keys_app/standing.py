"""The effective policy of a key: each level's limit, what is used and held of it, which binds first.

Live figures come from the worker's own limit store where there is one in this process; else what is
spent comes from the ledger's sums, and what is held is unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from django.apps import apps
from django.db.models import Q
from django.http import HttpRequest
from msgspec.structs import replace

from gateway_project.clock import from_ms, now_ms
from gateway_project.errors import LimitsUnavailable
from keys_app import demanding
from keys_app.entries import Principal, Snapshot
from keys_app.limits.contract import Demand, LevelState, LimitStore
from keys_app.limits.states import level_states
from keys_app.models import Budget, RateLimit, Scope, VirtualKey
from keys_app.snapshot_rows import entries_of, limits_of_rows


@dataclass(frozen=True, slots=True)
class Standing:
    """Levels in the order they are asked. `is_live`: `held` and the rates are known."""

    levels: tuple[LevelState, ...]
    is_live: bool


def live_store(request: HttpRequest) -> LimitStore | None:
    """The limit store of the worker that answers, None where it has none."""
    services = getattr(request, "scope", {}).get("state", {}).get("services")
    store: LimitStore | None = getattr(services, "limits", None)
    return None if store is None or store.needs_load else store


def principal_of(key: VirtualKey) -> Principal:
    """Who is behind a key, from the rows as they are now."""
    entry, user, service = entries_of(key)
    return Principal(entry, user, service)


def demand_of(
    key: VirtualKey, *, model: str = "", provider: str = "", deployment: str = "", end_user: str = ""
) -> Demand:
    """Every budget and limit that a call of this key meets, from the rows as they are now."""
    picture, principal = _picture_of(key)
    at_ms = now_ms()
    whole = demanding.demand(
        picture, principal, model=model, provider=provider, end_user=end_user, now_ms=at_ms
    )
    if not deployment:
        return whole
    step = demanding.step_demand(picture, principal, provider="", deployment=deployment, now_ms=at_ms)
    return Demand((*whole.budgets, *step.budgets), (*whole.rates, *step.rates))


def _picture_of(key: VirtualKey) -> tuple[Snapshot, Principal]:
    """The limits that may meet calls of this key, and no other service's."""
    named = Q(scope__in=[Scope.ENVIRONMENT, Scope.END_USER, Scope.GLOBAL])
    named |= Q(scope__in=[Scope.MODEL, Scope.PROVIDER, Scope.DEPLOYMENT])
    levels = Q(key=key) | Q(scope=Scope.USER, user=key.user_id) if key.user_id else Q(key=key)
    if key.service_id:
        levels |= Q(scope=Scope.SERVICE, service=key.service_id)
    mine = (levels | named) & (Q(service=None) | Q(service=key.service_id) | ~named)
    rows = limits_of_rows(
        frozenset(str(pk) for pk in Budget.objects.filter(mine).values_list("pk", flat=True)),
        frozenset(str(pk) for pk in RateLimit.objects.filter(mine).values_list("pk", flat=True)),
    )
    return Snapshot(0, 0, {}, {}, {}, rows.budgets, rows.rate_limits), principal_of(key)


def standing_of(key: VirtualKey, store: LimitStore | None, **asked: str) -> Standing:
    """What limits a key now. Asked for no model, provider or deployment, the levels of each follow, as they
    bind calls to it; which level binds first is told of those that every call meets."""
    found = standing(demand_of(key, **asked), store)
    if any(asked.get(name) for name in ("model", "provider", "deployment")):
        return found
    besides = standing(demanding.named_demand(*_picture_of(key), now_ms()), store)
    some = (replace(level, binds_first=False) for level in besides.levels)
    return Standing((*found.levels, *some), found.is_live)


def standing(demand: Demand, store: LimitStore | None) -> Standing:
    """Each level as it stands now. For synchronous code."""
    if store is not None:
        try:
            return Standing(async_to_sync(store.state)(demand, now_ms()), True)
        except LimitsUnavailable:
            pass
    spent = _spent(demand)
    uses = {charge: (amount, 0, 0) for charge, amount in spent.items()}
    return Standing(level_states(demand, uses, {}, now_ms()), False)


def _spent(demand: Demand) -> Mapping[tuple[str, str], int]:
    """The ledger's sums of these budgets in these periods."""
    wanted = Q(pk__in=[])
    for budget_id, period in demand.charges:
        wanted |= Q(budget_id=budget_id, period=period)
    rows = apps.get_model("usage_app", "BudgetSpend")._default_manager.filter(wanted)
    found = rows.values_list("budget_id", "period", "spent_nanodollars")
    return {(budget_id, period): amount for budget_id, period, amount in found}


def as_dict(level: LevelState, is_live: bool) -> dict[str, Any]:
    """A level as the API answers it; what is not known is null."""
    is_budget = level.kind == "budget"
    known = is_live or is_budget
    return {
        "kind": level.kind,
        "scope": level.scope,
        "name": level.name,
        "limit": level.limit,
        "spent": level.spent if known else None,
        "held": (level.held if is_live else None) if is_budget else None,
        "left": level.left if known else None,
        "resets_at": None if level.resets_at_ms is None else from_ms(level.resets_at_ms),
        "hard": level.hard,
        "period": level.period,
        "calls_in_flight": level.calls_in_flight if is_live else None,
        "binds_first": level.binds_first if known else False,
    }
