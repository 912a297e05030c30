"""How each limit that a call met stood when it was admitted, or refused: what the call's row keeps. Pure.

Made when the row is written, from the figures that a grant carries; admission makes nothing of it.
"""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from keys_app.limits.contract import BudgetDemand, Demand, Grant, RateDemand

_NOTHING = (0, 0, 0, 0)


class Allowance(msgspec.Struct, omit_defaults=True, gc=False):
    """One budget, or one figure of a rate limit. What does not apply is left out; so is what is not known."""

    kind: str  # budget | requests | tokens | input_tokens | output_tokens | parallel
    scope: str
    name: str  # '' for the call's own key, and for the whole gateway
    limit: int  # a budget's in nanodollars
    # of a budget
    id: str = ""
    period: str = ""  # as in the call's charges
    per: str = ""  # hour, day, week, month, total, …
    hard: bool = True  # False: it only tells
    spent: int | None = None
    held: int | None = None  # by other calls
    hold: int | None = None  # by this call
    # of a rate limit
    left: int | None = None  # with this call counted in, unless it was refused
    reset_ms: int | None = None
    # of either
    refused: bool = False  # this is what refused the call, or a fallback or deployment of it
    asked: int | None = None  # what it would have taken
    unchecked: bool = False  # it could not be asked


@lru_cache(4096)
def bare_name(scope: str, name: str) -> str:
    """A level's name in a sentence without the word for its scope; '' where there is but one."""
    if scope in ("key", "global"):
        return ""
    return name.removeprefix("the ").removeprefix(f"{scope.replace('_', ' ')} ")


def of_budget(
    budget: BudgetDemand, spent: int | None = None, held: int | None = None, hold: int | None = None
) -> Allowance:
    """A budget, with its figures where they are known."""
    return Allowance(
        "budget",
        budget.scope,
        bare_name(budget.scope, budget.name),
        budget.limit_nanodollars,
        budget.budget_id,
        budget.period,
        budget.period_name,
        budget.hard,
        spent,
        held,
        hold,
    )


def of_rate(rate: RateDemand, kind: str, limit: int) -> Allowance:
    """One figure of a rate limit without what is left; `kind` requests, tokens or parallel."""
    if kind == "tokens" and rate.counts != "both":
        kind = f"{rate.counts}_tokens"
    return Allowance(kind, rate.scope, bare_name(rate.scope, rate.name), limit)


def granted(demand: Demand, grant: Grant) -> Iterator[tuple[tuple[str, str], Allowance]]:
    """Every limit of a demand as the grant found it, each with what tells it from all others of the call."""
    for position, budget in enumerate(demand.budgets):
        if grant.unchecked:
            told = of_budget(budget)
            told.unchecked = True
        else:
            told = of_budget(budget, *grant.budgets[position], grant.held_nanodollars)
        yield (budget.budget_id, budget.period), told
    for position, rate in enumerate(demand.rates):
        requests, tokens, parallel, reset_ms = _NOTHING if grant.unchecked else grant.rates[position]
        for kind, limit, used in (
            ("requests", rate.requests_per_minute, requests),
            ("tokens", rate.tokens_per_minute, tokens),
            ("parallel", rate.parallel, parallel),
        ):
            if limit is None:
                continue
            told = of_rate(rate, kind, limit)
            if grant.unchecked:
                told.unchecked = True
            else:
                told.left = limit - used if used < limit else 0
                told.reset_ms = None if kind == "parallel" else reset_ms
            yield (rate.id, kind), told
