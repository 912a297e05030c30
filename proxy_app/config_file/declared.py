"""What a configuration file says, in our own words and without Django: plain data, names as keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None: the default."""

    connect_s: float | None = None
    first_content_s: float | None = None
    idle_s: float | None = None
    total_s: float | None = None


@dataclass(frozen=True, slots=True)
class DeclaredProvider:
    """`credential` None: the variable it comes from is not set."""

    name: str
    kind: str
    base_url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    credential: str | None = field(default="", repr=False)
    may_be_private: bool | None = None
    timeouts: Timeouts = Timeouts()
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class DeclaredPrice:
    """Nanodollars per million units by `Price` column; `unpriced_reason` when nothing can be counted."""

    rates: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)  # of what is no token, by unit
    tiers: tuple[Mapping[str, int], ...] = ()
    context_window: int | None = None
    unpriced_reason: str = ""
    of_tiers: Mapping[str, "DeclaredPrice"] = field(default_factory=dict)  # where it is served otherwise


@dataclass(frozen=True, slots=True)
class DeclaredDeployment:
    provider: str
    upstream_model: str
    weight: int = 1
    order: int = 1
    is_enabled: bool = True
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    timeouts: Timeouts = Timeouts()
    tags: tuple[str, ...] = ()
    price: DeclaredPrice | None = None
    quirks: Mapping[str, Any] = field(default_factory=dict)  # None: not to be set; others stay as they are


@dataclass(slots=True)
class DeclaredModel:
    name: str
    deployments: list[DeclaredDeployment] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    description: str = ""
    strategy: str = "weighted"


@dataclass(frozen=True, slots=True)
class DeclaredFallback:
    model: str
    cause: str
    target: str
    order: int


@dataclass(frozen=True, slots=True)
class DeclaredBudget:
    amount_nanodollars: int
    period: str = "month"
    hard: bool = True
    every: int = 1


@dataclass(frozen=True, slots=True)
class DeclaredLimits:
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class DeclaredService:
    name: str
    description: str = ""
    cost_centre: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    name: str
    secret: str = field(repr=False)
    service: str = ""
    user: str = ""
    environment: str = "production"
    models: tuple[str, ...] = ()
    budgets: tuple[DeclaredBudget, ...] = ()
    limits: DeclaredLimits = DeclaredLimits()


@dataclass(slots=True)
class Declared:
    """A whole file. `file` is its name: what its rows are managed by. Notices are sentences to show."""

    file: str
    providers: dict[str, DeclaredProvider] = field(default_factory=dict)
    models: dict[str, DeclaredModel] = field(default_factory=dict)
    fallbacks: list[DeclaredFallback] = field(default_factory=list)
    services: dict[str, DeclaredService] = field(default_factory=dict)
    keys: list[DeclaredKey] = field(default_factory=list)
    master_key: str | None = field(default=None, repr=False)
    notices: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def all_notices(self) -> list[str]:
        """The notices, with the settings nobody understood listed once, at the end."""
        if not self.unknown:
            return list(self.notices)
        listed = ", ".join(sorted(self.unknown))
        return [*self.notices, f"{self.file} has settings that do nothing here: {listed}."]


JSON = Mapping[str, Any]
