"""The policy rows of this app as the snapshot files them: whole at start, then row by row as they change.

Runs in the snapshot's thread. How a row becomes an entry is `snapshot_entries`'.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any, TypeVar

from keys_app.entries import BudgetEntry, KeyEntry, RateLimitEntry, ServiceEntry, UserEntry
from keys_app.models import VirtualKey
from keys_app.snapshot_entries import read_budgets, read_keys, read_rates, read_services, read_users

KEY_TABLE = "keys_app_virtualkey"
USER_TABLE = "keys_app_user"
SERVICE_TABLE = "keys_app_service"
BUDGET_TABLE = "keys_app_budget"
RATE_TABLE = "keys_app_ratelimit"

Limit = TypeVar("Limit", BudgetEntry, RateLimitEntry)
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """Entries as the snapshot shows them, and where each row is filed so that it can be taken out again."""

    keys: Mapping[str, KeyEntry] = field(default_factory=dict)
    users: Mapping[str, UserEntry] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, ServiceEntry] = field(default_factory=dict)
    budgets: Mapping[Place, tuple[BudgetEntry, ...]] = field(default_factory=dict)
    rate_limits: Mapping[Place, tuple[RateLimitEntry, ...]] = field(default_factory=dict)
    key_hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    budget_places: Mapping[str, Place] = field(default_factory=dict)
    rate_places: Mapping[str, Place] = field(default_factory=dict)

    def pieces(self, size: int) -> Iterator[tuple[str, dict[Any, Any]]]:
        """(field, some of its rows) until all are told, but for the places, which follow from the rest."""
        for name in ("keys", "users", "services", "budgets", "rate_limits"):
            rows = iter(getattr(self, name).items())
            while piece := dict(islice(rows, size)):
                yield name, piece

    @classmethod
    def assemble(cls, pieces: Iterable[tuple[str, dict[Any, Any]]]) -> "PolicyRows":
        """The rows whose pieces these are."""
        rows = cls()
        tables: dict[str, dict[Any, Any]] = {each.name: getattr(rows, each.name) for each in fields(rows)}
        for name, piece in pieces:
            tables[name].update(piece)
        for digest, key in rows.keys.items():
            known = tables["key_hashes"].get(key.id, ())
            # The secret in use stands before the one that was rotated out.
            rotated = key.previous_until_ms is not None
            tables["key_hashes"][key.id] = (*known, digest) if rotated else (digest, *known)
        tables["people"].update(_people(rows.users))
        tables["budget_places"].update(_places(rows.budgets))
        tables["rate_places"].update(_places(rows.rate_limits))
        return rows

    def discard(self) -> None:
        """Let go of rows nobody else holds, one by one: 100,000 at once would hold up the event loop."""
        for rows in (self.keys, self.budgets, self.rate_limits, self.key_hashes):
            assert isinstance(rows, dict)
            while rows:
                rows.popitem()


class PolicySection:
    """Keys, users, services, budgets and rate limits: a `snapshot.Section`."""

    name = "policy"
    tables = frozenset({KEY_TABLE, USER_TABLE, SERVICE_TABLE, BUDGET_TABLE, RATE_TABLE})

    def load(self) -> PolicyRows:
        keys, hashes = _file_keys({}, {}, (), read_keys(None))
        budgets, budget_places = _file_limits({}, {}, (), read_budgets(None))
        rates, rate_places = _file_limits({}, {}, (), read_rates(None))
        users = {entry.id: entry for entry in read_users(None)}
        services = {entry.id: entry for entry in read_services(None)}
        return PolicyRows(
            keys, users, _people(users), services, budgets, rates, hashes, budget_places, rate_places
        )

    def refresh(self, previous: PolicyRows, changed: Mapping[str, frozenset[str]]) -> PolicyRows:
        """Reads the changed rows first and files them then, so that a failure leaves nothing half done."""
        rows = previous
        if ids := changed.get(USER_TABLE):
            users = {key: entry for key, entry in rows.users.items() if key not in ids}
            users.update((entry.id, entry) for entry in read_users(ids))
            rows = replace(rows, users=users, people=_people(users))
        if ids := changed.get(SERVICE_TABLE):
            services = {key: entry for key, entry in rows.services.items() if key not in ids}
            services.update((entry.id, entry) for entry in read_services(ids))
            rows = replace(rows, services=services)
        if ids := changed.get(KEY_TABLE):
            keys, hashes = _file_keys(rows.keys, rows.key_hashes, ids, read_keys(ids))
            rows = replace(rows, keys=keys, key_hashes=hashes)
        if ids := changed.get(BUDGET_TABLE):
            budgets, places = _file_limits(rows.budgets, rows.budget_places, ids, read_budgets(ids))
            rows = replace(rows, budgets=budgets, budget_places=places)
        if ids := changed.get(RATE_TABLE):
            rates, places = _file_limits(rows.rate_limits, rows.rate_places, ids, read_rates(ids))
            rows = replace(rows, rate_limits=rates, rate_places=places)
        return rows


# ---------------------------------------------------------------- filing


def _file_keys(
    keys: Mapping[str, KeyEntry],
    hashes: Mapping[str, tuple[str, ...]],
    changed: Iterable[str],
    found: Iterable[tuple[KeyEntry, str, str, int]],
) -> tuple[dict[str, KeyEntry], dict[str, tuple[str, ...]]]:
    """Copies with the changed keys taken out and the found ones put in, under each of their hashes."""
    filed, places = dict(keys), dict(hashes)
    for key_id in changed:
        for digest in places.pop(key_id, ()):
            filed.pop(digest, None)
    rotated = []
    for entry, digest, previous, previous_until_ms in found:
        filed[digest] = entry
        places[entry.id] = (digest,)
        if previous:
            rotated.append((entry, digest, previous, previous_until_ms))
    for entry, digest, previous, previous_until_ms in rotated:
        # A secret in use wins over one that was rotated out.
        if previous not in filed:
            filed[previous] = replace(entry, previous_until_ms=previous_until_ms)
            places[entry.id] = (digest, previous)
    return filed, places


def _file_limits(
    entries: Mapping[Place, tuple[Limit, ...]],
    places: Mapping[str, Place],
    changed: Iterable[str],
    found: Iterable[Limit],
) -> tuple[dict[Place, tuple[Limit, ...]], dict[str, Place]]:
    filed: dict[Place, tuple[Limit, ...]] = dict(entries)
    filed_at: dict[str, Place] = dict(places)
    for entry_id in changed:
        former = filed_at.pop(entry_id, None)
        if former is not None:
            left = tuple(entry for entry in filed[former] if entry.id != entry_id)
            if left:
                filed[former] = left
            else:
                del filed[former]
    for entry in found:
        place: Place = (entry.scope, entry.scope_id)
        here: list[Limit] = list(filed[place]) if place in filed else []
        here.append(entry)
        filed[place] = tuple(sorted(here, key=_by_id))
        filed_at[entry.id] = place
    return filed, filed_at


def _people(users: Mapping[str, UserEntry]) -> dict[str, str]:
    """Whom a claim means: a name wins over an e-mail address, an address of two people means nobody."""
    emails: dict[str, str] = {}
    for entry in users.values():
        if entry.email:
            address = entry.email.casefold()
            emails[address] = "" if address in emails else entry.id
    found = {address: user_id for address, user_id in emails.items() if user_id}
    found.update((entry.name.casefold(), entry.id) for entry in users.values())
    return found


def _by_id(entry: BudgetEntry | RateLimitEntry) -> str:
    return entry.id


def _places(entries: Mapping[Place, tuple[Limit, ...]]) -> dict[str, Place]:
    return {entry.id: place for place, filed in entries.items() for entry in filed}


def limits_of_rows(budget_ids: frozenset[str], rate_ids: frozenset[str]) -> PolicyRows:
    """The budgets and rate limits of these rows alone, filed as the snapshot files them."""
    budgets, budget_places = _file_limits({}, {}, (), read_budgets(budget_ids))
    rates, rate_places = _file_limits({}, {}, (), read_rates(rate_ids))
    return PolicyRows(
        budgets=budgets, rate_limits=rates, budget_places=budget_places, rate_places=rate_places
    )


def entries_of(key: VirtualKey) -> tuple[KeyEntry, UserEntry | None, ServiceEntry | None]:
    """A key with its owner and service, from their rows as they are now."""
    entry = next(read_keys(frozenset({str(key.pk)})))[0]
    user = next(read_users(frozenset({entry.user_id})), None) if entry.user_id else None
    service = next(read_services(frozenset({entry.service_id})), None) if entry.service_id else None
    return entry, user, service
