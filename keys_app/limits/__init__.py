"""Limits and budgets: one contract, two homes. Memory for one worker, Redis for many."""

from gateway_project.conf import Config
from keys_app.limits.contract import (
    NO_DEMAND,
    UNLIMITED,
    BudgetDemand,
    Demand,
    Grant,
    LevelState,
    LimitStore,
    OpenHold,
    RateDemand,
)
from keys_app.limits.memory import MemoryStore

__all__ = [
    "NO_DEMAND",
    "UNLIMITED",
    "BudgetDemand",
    "Demand",
    "Grant",
    "LevelState",
    "LimitStore",
    "MemoryStore",
    "OpenHold",
    "RateDemand",
    "open_store",
]


def open_store(config: Config) -> LimitStore:
    """The store these settings ask for. It needs `load` before it admits limited calls."""
    if not config.redis_url:
        return MemoryStore()
    from keys_app.limits.redis import RedisStore

    return RedisStore.connect(config.redis_url, fail_open=config.limits_fail_open)
