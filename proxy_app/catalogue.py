"""Models, deployments and providers as the data plane holds them: the snapshot's 'catalogue'.

The entries are plain data; `load` and `refresh` read them from the database in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy_app.providers.accounts import Account


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `idle_s` is the longest silence between two chunks of an answer."""

    connect_s: float = 5.0
    first_content_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    id: str
    name: str
    kind: str
    base_url: str  # without a trailing slash
    format: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # authentication included
    may_be_private: bool = False
    credential_state: str = "ok"  # or a key of `providers.readiness.PROBLEMS`
    price_kind: str = ""  # genai-prices provider id
    quirks: Mapping[str, Any] = field(default_factory=dict)
    is_sandbox: bool = False
    other_formats: tuple[str, ...] = ()  # that it speaks besides its main one
    addressing: str = "plain"  # a style of `providers.addressing`
    settings: Mapping[str, str] = field(default_factory=dict)  # region, project, location, api_version
    auth: str = ""  # how `account` proves requests
    account: Account | None = field(default=None, repr=False)  # where a key alone is not enough
    derived: list[str] = field(default_factory=list, repr=False, compare=False)  # secrets made of it

    @property
    def formats(self) -> tuple[str, ...]:
        """Every format it speaks, the main one first."""
        return (self.format, *self.other_formats)


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    id: str
    name: str  # 'provider/upstream model'
    model_id: str
    provider: ProviderEntry
    upstream_model: str  # may hold a * taken from the asked name
    weight: int
    order: int
    timeouts: Timeouts
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    tags: tuple[str, ...] = ()
    price_of: str = ""  # the id of another one, whose price is this one's too

    @property
    def priced_as(self) -> str:
        """The id that the price book knows it by."""
        return self.price_of or self.id


@dataclass(frozen=True, slots=True)
class FallbackEntry:
    cause: str
    target: str  # public name


@dataclass(frozen=True, slots=True)
class ModelEntry:
    id: str
    name: str
    strategy: str
    created_s: int
    deployments: tuple[DeploymentEntry, ...]
    fallbacks: tuple[FallbackEntry, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Public names to models. `by_name` holds names and aliases; `patterns` the wildcards, longest first."""

    by_name: Mapping[str, ModelEntry]
    patterns: tuple[tuple[str, ModelEntry], ...] = ()

    def find(self, name: str) -> ModelEntry | None:
        """The model a public name means, an exact name before the longest pattern. `anthropic/` is no name
        of `anthropic/*`."""
        if model := self.by_name.get(name):
            return model
        for start, model in self.patterns:
            if name.startswith(start) and not (name == start and name.endswith("/")):
                return model
        return None

    def names(self) -> list[str]:
        """Every callable name apart from patterns, sorted."""
        return sorted(self.by_name)
