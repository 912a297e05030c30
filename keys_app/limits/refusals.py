"""The sentences and headers of a refusal: which level, how much, when it goes on. Pure.

Each carries its level as it stood, for the row of the call (`allowances`).
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway_project.errors import BudgetExceeded, RateLimited
from gateway_project.money import usd_string
from keys_app.limits.allowances import of_budget, of_rate
from keys_app.limits.contract import (
    HELD_RETRY_S,
    PARALLEL_RETRY_S,
    BudgetDemand,
    RateDemand,
    RateState,
    rate_headers,
)

_PERIODS = {
    "hour": "hourly budget",
    "day": "daily budget",
    "week": "weekly budget",
    "month": "monthly budget",
    "total": "total budget",
}


def budget_refusal(
    budget: BudgetDemand, spent: int, held: int, calls: int, asked: int, later: int = 0
) -> BudgetExceeded:
    """`held` of `calls` open calls, of it `later` for costs that come later; `asked` is what this call would
    have to hold besides."""
    refusal = _budget_refusal(budget, spent, held, calls, asked, later)
    told = refusal.allowance = of_budget(budget, spent, held)
    told.asked, told.refused = asked, True
    return refusal


def _budget_refusal(
    budget: BudgetDemand, spent: int, held: int, calls: int, asked: int, later: int
) -> BudgetExceeded:
    what = _PERIODS.get(budget.period_name, "budget")
    sums = f"${usd_string(spent)} of ${usd_string(budget.limit_nanodollars)} spent"
    if spent + asked <= budget.limit_nanodollars:
        number = "1 call" if calls == 1 else f"{calls} calls"
        sums = f"{sums}, ${usd_string(held)} held"
        detail = f"The rest of the {what} of {budget.name} is held by {number} in flight: {sums}"
        if spent + later + asked <= budget.limit_nanodollars:
            return BudgetExceeded(f"{detail}.", retry_after_s=HELD_RETRY_S)
        # Nobody knows when: a client that tries again in seconds would do so for hours.
        detail = f"{detail}, ${usd_string(later)} of it until batches are done"
    elif spent >= budget.limit_nanodollars:
        detail = f"The {what} of {budget.name} is used up: {sums}"
    else:
        need = f"this call may cost up to ${usd_string(asked)}"
        detail = f"The {what} of {budget.name} does not cover this call: {sums}, and {need}"
    return _until_reset(budget, detail)


def _until_reset(budget: BudgetDemand, detail: str) -> BudgetExceeded:
    headers = {"x-should-retry": "false"}
    if budget.resets_at_ms is None:
        return BudgetExceeded(f"{detail}. It does not reset.", headers=headers)
    resets_at = datetime.fromtimestamp(budget.resets_at_ms / 1000, UTC)
    headers["x-gatehouse-resets-at"] = resets_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    local = resets_at.astimezone(ZoneInfo(budget.time_zone))
    when = f"{local:%Y-%m-%d %H:%M} ({budget.time_zone})"
    return BudgetExceeded(f"{detail}. It resets at {when}.", headers=headers)


def requests_refusal(rate: RateDemand, state: RateState, wait_ms: int) -> RateLimited:
    """`wait_ms` until the oldest request of the last minute stops counting."""
    detail = f"The limit of {state.limit} requests a minute of {rate.name} is reached."
    refusal = RateLimited(detail, retry_after_s=wait_ms / 1000, headers=rate_headers(state, None))
    return _with_rate(refusal, rate, "requests", state, 1)


def tokens_refusal(rate: RateDemand, state: RateState, wait_ms: int, asked: int) -> RateLimited:
    """`wait_ms` until enough tokens of the last minute stop counting."""
    left = f"{state.remaining} are left, this call needs about {asked}"
    kind = "tokens" if rate.counts == "both" else f"{rate.counts} tokens"
    detail = f"The limit of {state.limit} {kind} a minute of {rate.name} is reached: {left}."
    refusal = RateLimited(detail, retry_after_s=wait_ms / 1000, headers=rate_headers(None, state))
    return _with_rate(refusal, rate, "tokens", state, asked)


def parallel_refusal(rate: RateDemand, limit: int) -> RateLimited:
    number = "1 call" if limit == 1 else f"{limit} calls"
    detail = f"{rate.name[:1].upper()}{rate.name[1:]} may have {number} open at once, and has."
    refusal = RateLimited(detail, retry_after_s=PARALLEL_RETRY_S)
    return _with_rate(refusal, rate, "parallel", RateState(limit, 0, 0), 1)


def _with_rate(
    refusal: RateLimited, rate: RateDemand, kind: str, state: RateState, asked: int
) -> RateLimited:
    told = refusal.allowance = of_rate(rate, kind, state.limit)
    told.left, told.asked, told.refused = state.remaining, asked, True
    told.reset_ms = state.reset_ms or None
    return refusal
