"""One budget or limit at each level that the harness's call meets, for tests of all levels alike."""

from dataclasses import replace
from typing import Any

from keys_app.entries import BudgetEntry, RateLimitEntry, Snapshot

#: level -> (scope, what it is filed under); the call is key-1's, of user-1 and service-1, to model gpt
#: by provider alpha. A level within a service is filed under '<service>/<name>'.
LEVELS: dict[str, tuple[str, str]] = {
    "key": ("key", "key-1"),
    "user": ("user", "user-1"),
    "service": ("service", "service-1"),
    "environment": ("environment", "production"),
    "environment within a service": ("environment", "service-1/production"),
    "model": ("model", "gpt"),
    "model within a service": ("model", "service-1/gpt"),
    "provider": ("provider", "alpha"),
    "provider within a service": ("provider", "service-1/alpha"),
    "deployment": ("deployment", "alpha/gpt-test"),
    "one end user": ("end_user", "ann"),
    "each end user": ("end_user", ""),
    "each end user of a service": ("end_user", "service-1/"),
    "global": ("global", ""),
}
#: who the call says is behind it, so that the levels of end users apply
END_USER = "ann"


def with_budget(picture: Snapshot, level: str, nanodollars: int, **fields: Any) -> Snapshot:
    scope, filed = LEVELS[level]
    entry = BudgetEntry("b1", scope, filed, nanodollars, "total", 1, None, "UTC", True, **fields)
    return replace(picture, budgets={**picture.budgets, (scope, filed): (entry,)})


def with_rate(picture: Snapshot, level: str, **limits: int) -> Snapshot:
    scope, filed = LEVELS[level]
    values = {"requests_per_minute": None, "tokens_per_minute": None, "parallel": None, **limits}
    entry = RateLimitEntry("r1", scope, filed, **values)
    return replace(picture, rate_limits={**picture.rate_limits, (scope, filed): (entry,)})
