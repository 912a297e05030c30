"""Which budgets have calls without a price in their period: what these cost is in no sum, and in no charge.

Asked of the roll-ups, for any number of budgets at once. What end users' calls cost is known by days alone,
so of their budgets it is not told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from keys_app.models import Budget, Scope
from usage_app.budget_states import BudgetState
from usage_app.models import KnownName
from usage_app.reports_ranges import quarters_kept_from
from usage_app.reports_reading import newest_unpriced

#: Scope of a budget -> columns of the roll-ups that tell its calls; none of all calls.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    Scope.KEY: ("key_id",),
    Scope.USER: ("user_id",),
    Scope.SERVICE: ("service_id",),
    Scope.ENVIRONMENT: ("environment", "service_id"),
    Scope.MODEL: ("model",),
    Scope.PROVIDER: ("provider_id",),
    Scope.DEPLOYMENT: ("deployment_id",),
    Scope.GLOBAL: (),
}
#: Scopes that name what the roll-ups know by its id.
_NAMED = (Scope.PROVIDER, Scope.DEPLOYMENT)


def with_unpriced(states: Sequence[BudgetState]) -> list[BudgetState]:
    """The same, of which those with such calls say so; three queries for any number of them."""
    told = [state for state in states if state.budget.scope in COLUMNS]
    if not told:
        return list(states)
    since = min(state.started_at for state in told)
    columns = tuple(dict.fromkeys(name for state in told for name in COLUMNS[state.budget.scope]))
    newest = _by_scope(columns, newest_unpriced(columns, since, quarters_kept_from()))
    if not newest:
        return list(states)
    ids = _ids_of(told)
    found = []
    for state in states:
        keys = _keys_of(state.budget, ids.get(_named(state.budget), ()))
        ends = [newest[key] for key in keys if key in newest]
        found.append(replace(state, has_unpriced=any(end > state.started_at for end in ends)))
    return found


def _by_scope(
    columns: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], datetime]]
) -> dict[tuple[str, ...], datetime]:
    """When the newest of these calls was over, by (scope, values of its columns)."""
    places = {
        scope: [columns.index(name) for name in names]
        for scope, names in COLUMNS.items()
        if set(names) <= set(columns)
    }
    newest: dict[tuple[str, ...], datetime] = {}
    for values, end in rows:
        for scope, at in places.items():
            key = (scope, *(values[place] for place in at))
            newest[key] = max(newest.get(key, end), end)
            if scope == Scope.ENVIRONMENT:  # of any service
                newest[key[:2]] = max(newest.get(key[:2], end), end)
    return newest


def _keys_of(budget: Budget, ids: Sequence[str]) -> list[tuple[str, ...]]:
    """Where the calls of a budget are among the newest; `ids` is what it names."""
    scope = budget.scope
    match scope:
        case Scope.KEY | Scope.USER | Scope.SERVICE:
            return [(scope, str(getattr(budget, f"{scope}_id")))]
        case Scope.ENVIRONMENT if budget.service_id:
            return [(scope, budget.target, str(budget.service_id))]
        case Scope.ENVIRONMENT | Scope.MODEL:
            return [(scope, budget.target)]
        case Scope.GLOBAL:
            return [(scope,)]
        case _:
            return [(scope, each) for each in ids]


def _named(budget: Budget) -> tuple[str, str]:
    return budget.scope, budget.target


def _ids_of(states: Sequence[BudgetState]) -> dict[tuple[str, str], list[str]]:
    """The ids of what budgets name."""
    wanted = {state.budget.target for state in states if state.budget.scope in _NAMED}
    found: dict[tuple[str, str], list[str]] = {}
    if wanted:
        known = KnownName.objects.filter(kind__in=_NAMED, name__in=wanted)
        for kind, name, ref in known.values_list("kind", "name", "ref"):
            found.setdefault((kind, name), []).append(ref)
    return found
