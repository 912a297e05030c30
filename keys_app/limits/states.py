"""The effective policy from counters: each limit, what is used of it, which binds first. Pure."""

from collections.abc import Mapping
from itertools import groupby

import msgspec

from keys_app.limits.contract import BudgetDemand, Demand, LevelState, RateState


def level_states(
    demand: Demand,
    budgets: Mapping[tuple[str, str], tuple[int, int, int]],
    windows: Mapping[str, tuple[int, int, int, int]],
    now_ms: int,
) -> tuple[LevelState, ...]:
    """`budgets`: spent, held, calls by (id, period); `windows`: requests, tokens, open, reset ms by id."""
    states = [
        _budget_state(budget, *budgets.get((budget.budget_id, budget.period), (0, 0, 0)))
        for budget in demand.budgets
    ]
    for rate in demand.rates:
        requests, tokens, opened, reset_ms = windows.get(rate.id, (0, 0, 0, 0))
        resets_at_ms = now_ms + reset_ms if reset_ms else None
        for kind, limit, used in (
            ("requests", rate.requests_per_minute, requests),
            ("tokens", rate.tokens_per_minute, tokens),
            ("parallel", rate.parallel, opened),
        ):
            if limit is not None:
                if kind == "tokens" and rate.counts != "both":
                    kind = f"{rate.counts}_tokens"
                left = max(0, limit - used)
                at_ms = None if kind == "parallel" else resets_at_ms
                states.append(LevelState(kind, rate.id, rate.scope, rate.name, limit, used, 0, left, at_ms))
    return mark_tightest(states)


def _budget_state(budget: BudgetDemand, spent: int, held: int, calls: int) -> LevelState:
    return LevelState(
        kind="budget",
        id=budget.budget_id,
        scope=budget.scope,
        name=budget.name,
        limit=budget.limit_nanodollars,
        spent=spent,
        held=held,
        left=max(0, budget.limit_nanodollars - spent - held),
        resets_at_ms=budget.resets_at_ms,
        hard=budget.hard,
        period=budget.period,
        calls_in_flight=calls,
    )


def mark_tightest(states: list[LevelState]) -> tuple[LevelState, ...]:
    """The hard limit of each kind with the least left is the one that binds first."""
    tightest = set()
    by_kind = sorted((state for state in states if state.hard), key=lambda state: state.kind)
    for _, group in groupby(by_kind, key=lambda state: state.kind):
        tightest.add(id(min(group, key=lambda state: state.left)))
    return tuple(
        msgspec.structs.replace(state, binds_first=True) if id(state) in tightest else state
        for state in states
    )


def tightest(known: RateState | None, limit: int | None, used: int, reset_ms: int) -> RateState | None:
    """Of what is known and one more limit, the one with less left."""
    if limit is None:
        return known
    remaining = limit - used if limit > used else 0
    if known is not None and known.remaining <= remaining:
        return known
    return RateState(limit, remaining, reset_ms)
