"""Demands for tests of limit stores."""

from keys_app.limits import BudgetDemand, Demand, RateDemand

NOW = 1_795_000_000_000
RESETS_AT = NOW + 3_600_000


def budget(
    budget_id: str = "b1",
    limit: int = 1000,
    *,
    hard: bool = True,
    period: str = "2026-11",
    name: str = "this key",
    resets_at_ms: int | None = RESETS_AT,
) -> BudgetDemand:
    return BudgetDemand(budget_id, period, limit, hard, "key", name, "month", "UTC", resets_at_ms)


def rate(
    rate_id: str = "r1",
    *,
    requests: int | None = None,
    tokens: int | None = None,
    parallel: int | None = None,
    name: str = "this key",
) -> RateDemand:
    return RateDemand(rate_id, "key", name, requests, tokens, parallel)


def demand(*parts: BudgetDemand | RateDemand) -> Demand:
    return Demand(
        tuple(part for part in parts if isinstance(part, BudgetDemand)),
        tuple(part for part in parts if isinstance(part, RateDemand)),
    )
