"""Snapshots for pure tests."""

from collections import defaultdict
from typing import Any

from keys_app.entries import (
    BudgetEntry,
    KeyEntry,
    Principal,
    RateLimitEntry,
    ServiceEntry,
    Snapshot,
    UserEntry,
)

NOW = 1_795_000_000_000  # 2026-11-18 11:06:40 UTC


def key(**values: Any) -> KeyEntry:
    plain: dict[str, Any] = {
        "id": "k1", "name": "key", "hint": "sk-gh-…9f2c", "user_id": "", "service_id": "",
        "environment": "production",
    }  # fmt: skip
    return KeyEntry(**{**plain, **values})


def principal(service: ServiceEntry | None = None, user: UserEntry | None = None, **values: Any) -> Principal:
    if service is not None:
        values["service_id"] = service.id
    if user is not None:
        values["user_id"] = user.id
    return Principal(key(**values), user, service)


def budget(scope: str, scope_id: str = "", budget_id: str = "", **values: Any) -> BudgetEntry:
    plain: dict[str, Any] = {
        "id": budget_id or f"{scope}:{scope_id}", "scope": scope, "scope_id": scope_id,
        "amount_nanodollars": 10**9, "period": "month", "every": 1, "anchor_ms": None, "time_zone": "UTC",
        "hard": True,
    }  # fmt: skip
    return BudgetEntry(**{**plain, **values})


def limit(scope: str, scope_id: str = "", requests: int | None = 5) -> RateLimitEntry:
    return RateLimitEntry(f"limit:{scope}:{scope_id}", scope, scope_id, requests, None, None)


def snapshot(
    keys: dict[str, KeyEntry] | None = None,
    users: tuple[UserEntry, ...] = (),
    services: tuple[ServiceEntry, ...] = (),
    limits: tuple[BudgetEntry | RateLimitEntry, ...] = (),
) -> Snapshot:
    budgets: defaultdict[tuple[str, str], tuple[BudgetEntry, ...]] = defaultdict(tuple)
    rates: defaultdict[tuple[str, str], tuple[RateLimitEntry, ...]] = defaultdict(tuple)
    for entry in limits:
        if isinstance(entry, BudgetEntry):
            budgets[entry.scope, entry.scope_id] += (entry,)
        else:
            rates[entry.scope, entry.scope_id] += (entry,)
    return Snapshot(
        1, NOW, keys or {}, {user.id: user for user in users},
        {service.id: service for service in services}, dict(budgets), dict(rates),
    )  # fmt: skip
