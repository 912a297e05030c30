"""Which budgets have calls without a price in their period: what these cost is in no sum, and in no charge.

Asked of the roll-ups, for any number of budgets at once: to a quarter of an hour, of end users' budgets to a
day of the reporting zone, for their calls are summed by days alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from keys_app.demanding import kept_apart
from keys_app.models import Budget, Scope
from usage_app.budget_states import BudgetState
from usage_app.models import KnownName
from usage_app.reports_claims import newest_unpriced_of_end_users
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
    """The same, of which those with such calls say so; four queries for any number of them."""
    newest = _newest_by_scope(states) | _newest_by_end_user(states)
    if not newest:
        return list(states)
    ids = _ids_of(states)
    found = []
    for state in states:
        keys = _keys_of(state, ids.get(_named(state.budget), ()))
        ends = [newest[key] for key in keys if key in newest]
        found.append(replace(state, has_unpriced=any(end > state.started_at for end in ends)))
    return found


def _newest_by_scope(states: Sequence[BudgetState]) -> dict[tuple[str, ...], datetime]:
    told = [state for state in states if state.budget.scope in COLUMNS]
    if not told:
        return {}
    since = min(state.started_at for state in told)
    columns = tuple(dict.fromkeys(name for state in told for name in COLUMNS[state.budget.scope]))
    return _by_scope(columns, newest_unpriced(columns, since, quarters_kept_from()))


def _newest_by_end_user(states: Sequence[BudgetState]) -> dict[tuple[str, ...], datetime]:
    """The same by (scope, service or '', the period that an end user's charges are kept under)."""
    told = [state for state in states if state.budget.scope == Scope.END_USER]
    newest: dict[tuple[str, ...], datetime] = {}
    if not told:
        return newest
    periods = {state.period.key for state in told}
    for service_id, end_user, end in newest_unpriced_of_end_users(min(state.started_at for state in told)):
        for period in periods:
            for service in {"", service_id}:
                key = (Scope.END_USER, service, kept_apart(period, end_user))
                newest[key] = max(newest.get(key, end), end)
    return newest


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


def _keys_of(state: BudgetState, ids: Sequence[str]) -> list[tuple[str, ...]]:
    """Where the calls of a budget are among the newest; `ids` is what it names."""
    budget, scope = state.budget, state.budget.scope
    match scope:
        case Scope.KEY | Scope.USER | Scope.SERVICE:
            return [(scope, str(getattr(budget, f"{scope}_id")))]
        case Scope.ENVIRONMENT if budget.service_id:
            return [(scope, budget.target, str(budget.service_id))]
        case Scope.ENVIRONMENT | Scope.MODEL:
            return [(scope, budget.target)]
        case Scope.GLOBAL:
            return [(scope,)]
        case Scope.END_USER:
            period = state.period.key
            # Of one each, the name as it stands in the period: a long one is a digest.
            kept = f"{period}/{state.end_user}" if state.end_user else kept_apart(period, budget.target)
            return [(scope, str(budget.service_id or ""), kept)]
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
