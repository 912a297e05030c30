"""Policy rows as the data plane holds them: frozen, small, without spend. No Django here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import msgspec


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
    extra_nanodollars: int = 0  # a temporary increase, until `extra_until_ms` (None: there is none)
    extra_until_ms: int | None = None

    def limit_at(self, now_ms: int) -> int:
        """The amount, with the temporary increase while it lasts."""
        if self.extra_until_ms is None or now_ms >= self.extra_until_ms:
            return self.amount_nanodollars
        return self.amount_nanodollars + self.extra_nanodollars


@dataclass(frozen=True, slots=True)
class RateLimitEntry:
    id: str
    scope: str
    scope_id: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel: int | None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None


Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class UserEntry:
    """A person; what they may use bounds each of their keys."""

    id: str
    name: str
    is_active: bool
    role: str
    email: str = ""
    models_allowed: tuple[str, ...] = ()
    endpoints_allowed: tuple[str, ...] = ()
    networks: Networks = ()


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    id: str
    name: str
    is_active: bool
    models_allowed: tuple[str, ...] = ()
    keeps_bodies: bool = False
    bodies_days: int = 7


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
    networks: Networks = ()
    origins: tuple[str, ...] = ()
    expires_at_ms: int | None = None
    blocked: bool = False
    trusts_identity_headers: bool = False
    identity_secret: str = field(default="", repr=False)  # proves whom a call is for; '' for none
    reports_cost: bool = False
    allows_unpriced: bool = False
    previous_until_ms: int | None = None  # set on the entry filed under the rotated-out secret


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the data plane decides by, at one version. Replaced whole, never changed but for
    what is remembered in `found`.

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
    people: Mapping[str, str] = field(default_factory=dict)  # user id by name and by e-mail, lower case
    #: `demanding`'s memory of what limits whom, as this version has it
    found: dict[tuple[str, ...], Any] = field(init=False, default_factory=dict, repr=False, compare=False)


class Principal(msgspec.Struct, frozen=True):
    """Who is behind a call."""

    key: KeyEntry
    user: UserEntry | None
    service: ServiceEntry | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A grant: who may call as which key, until when (milliseconds since the epoch)."""

    key_id: str
    user_id: str
    username: str
    until_ms: int
