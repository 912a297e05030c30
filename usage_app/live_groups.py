"""Who is told of a call in flight: names of groups, each of calls that some viewer may see.

A group may be narrowed to an environment, a service, or both, as the window's header chooses. Only the
consumer decides which groups a viewer is in; a narrowed one holds nothing that the whole one does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from keys_app.models import Environment
from usage_app.live import LiveCall
from usage_app.selection import NONE
from usage_app.sight import Sight

EVERYTHING_GROUP = "live.all"


def service_group(service_id: str) -> str:
    return f"live.service.{service_id}"


def user_group(user_id: str) -> str:
    return f"live.user.{user_id}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """An environment and a service, each `NONE` for calls that have none; empty for any."""

    environment: str = ""
    service_id: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "Chosen | None":
        """As an address or a session has them; None for what there cannot be, of which nothing is shown."""
        environment, service_id = parameters.get("environment", ""), parameters.get("service", "")
        if environment not in ("", NONE, *Environment.values):
            return None
        if service_id in ("", NONE):
            return cls(environment, service_id)
        try:
            return cls(environment, str(UUID(service_id)))
        except ValueError:
            return None


def narrowed(group: str, chosen: Chosen) -> str:
    """A group's name, of at most 99 letters as channel layers take them."""
    environment = f".in.{chosen.environment}" if chosen.environment else ""
    service = f".of.{chosen.service_id.replace('-', '')}" if chosen.service_id else ""
    return group + environment + service


def groups_of(call: LiveCall) -> tuple[str, ...]:
    """Every group that may see a call, whole and narrowed."""
    return _groups_of(call.service_id, call.user_id, call.environment)


@lru_cache(maxsize=4096)
def _groups_of(service_id: str, user_id: str, environment: str) -> tuple[str, ...]:
    whole = [EVERYTHING_GROUP]
    if service_id:
        whole.append(service_group(service_id))
    if user_id:
        whole.append(user_group(user_id))
    choices = [Chosen(within, of) for within in ("", environment or NONE) for of in ("", service_id or NONE)]
    return tuple(narrowed(group, chosen) for group in whole for chosen in choices)


def groups_for(sight: Sight, chosen: Chosen | None) -> frozenset[str]:
    """The groups whose every call this viewer may see and has chosen to."""
    if chosen is None:
        return frozenset()
    groups = {EVERYTHING_GROUP} if sight.everything else _granted(sight)
    return frozenset(narrowed(group, chosen) for group in groups)


def _granted(sight: Sight) -> set[str]:
    groups = {service_group(str(service_id)) for service_id in sight.service_ids}
    return groups | ({user_group(str(sight.user_id))} if sight.user_id else set())
