"""Policy rows as the data plane holds them: frozen, small, without spend. No Django here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any


@dataclass(frozen=True, slots=True)
class BudgetEntry:
    """A budget at one level. `amount` in nanodollars."""

    id: str
    scope: str  # Scope value
    scope_id: str  # id of key, user, service; name of environment, model, provider, end user; '' global
    amount_nanodollars: int
    period: str
    every: int
    anchor_ms: int | None
    time_zone: str
    hard: bool


@dataclass(frozen=True, slots=True)
class RateLimitEntry:
    id: str
    scope: str
    scope_id: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel: int | None


@dataclass(frozen=True, slots=True)
class UserEntry:
    id: str
    name: str
    is_active: bool
    role: str


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    id: str
    name: str
    is_active: bool
    models_allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A virtual key. `hint` is what may be shown; the secret is known to nobody."""

    id: str
    name: str
    hint: str
    user_id: str
    service_id: str
    environment: str
    models_allowed: tuple[str, ...] = ()
    no_models: bool = False
    endpoints_allowed: tuple[str, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    origins: tuple[str, ...] = ()
    expires_at_ms: int | None = None
    blocked: bool = False
    trusts_identity_headers: bool = False
    reports_cost: bool = False
    allows_unpriced: bool = False
    previous_until_ms: int | None = None  # set on the entry filed under the rotated-out secret


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the data plane decides by, at one version. Replaced whole, never changed.

    `sections` holds what other apps keep beside the keys: 'catalogue' (proxy_app.catalogue.Catalogue)
    and 'prices' (usage_app.pricing.PriceBook).
    """

    version: int
    loaded_at_ms: int
    keys: Mapping[str, KeyEntry]  # by hex SHA-256 of the secret
    users: Mapping[str, UserEntry]
    services: Mapping[str, ServiceEntry]
    budgets: Mapping[tuple[str, str], tuple[BudgetEntry, ...]]  # by (scope, scope_id)
    rate_limits: Mapping[tuple[str, str], tuple[RateLimitEntry, ...]]
    sections: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is behind a call."""

    key: KeyEntry
    user: UserEntry | None
    service: ServiceEntry | None
