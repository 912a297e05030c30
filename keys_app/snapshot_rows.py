"""The policy rows of this app as frozen entries: read whole at start, then row by row as they change.

Runs in the snapshot's thread. What is damaged (by hand or by SQL) is read as the stricter of what
it could mean.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from gateway_project.conf import config
from keys_app.entries import BudgetEntry, KeyEntry, RateLimitEntry, ServiceEntry, UserEntry
from keys_app.identity_secrets import read_identity_secret
from keys_app.models import Budget, RateLimit, Service, User, VirtualKey

KEY_TABLE = "keys_app_virtualkey"
USER_TABLE = "keys_app_user"
SERVICE_TABLE = "keys_app_service"
BUDGET_TABLE = "keys_app_budget"
RATE_TABLE = "keys_app_ratelimit"

_BATCH = 500
#: nothing has this name and nobody calls from this address
_NO_NAME = ("",)
_NO_NETWORK = (IPv4Network("0.0.0.0/32"),)
_BY_REFERENCE = frozenset({"key", "user", "service"})

logger = logging.getLogger("gatehouse.snapshot")


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
        keys, hashes = _file_keys({}, {}, (), _read_keys(None))
        budgets, budget_places = _file_limits({}, {}, (), _read_budgets(None))
        rates, rate_places = _file_limits({}, {}, (), _read_rates(None))
        users = {entry.id: entry for entry in _read_users(None)}
        services = {entry.id: entry for entry in _read_services(None)}
        return PolicyRows(
            keys, users, _people(users), services, budgets, rates, hashes, budget_places, rate_places
        )

    def refresh(self, previous: PolicyRows, changed: Mapping[str, frozenset[str]]) -> PolicyRows:
        """Reads the changed rows first and files them then, so that a failure leaves nothing half done."""
        rows = previous
        if ids := changed.get(USER_TABLE):
            users = {key: entry for key, entry in rows.users.items() if key not in ids}
            users.update((entry.id, entry) for entry in _read_users(ids))
            rows = replace(rows, users=users, people=_people(users))
        if ids := changed.get(SERVICE_TABLE):
            services = {key: entry for key, entry in rows.services.items() if key not in ids}
            services.update((entry.id, entry) for entry in _read_services(ids))
            rows = replace(rows, services=services)
        if ids := changed.get(KEY_TABLE):
            keys, hashes = _file_keys(rows.keys, rows.key_hashes, ids, _read_keys(ids))
            rows = replace(rows, keys=keys, key_hashes=hashes)
        if ids := changed.get(BUDGET_TABLE):
            budgets, places = _file_limits(rows.budgets, rows.budget_places, ids, _read_budgets(ids))
            rows = replace(rows, budgets=budgets, budget_places=places)
        if ids := changed.get(RATE_TABLE):
            rates, places = _file_limits(rows.rate_limits, rows.rate_places, ids, _read_rates(ids))
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
    budgets, budget_places = _file_limits({}, {}, (), _read_budgets(budget_ids))
    rates, rate_places = _file_limits({}, {}, (), _read_rates(rate_ids))
    return PolicyRows(
        budgets=budgets, rate_limits=rates, budget_places=budget_places, rate_places=rate_places
    )


def entries_of(key: VirtualKey) -> tuple[KeyEntry, UserEntry | None, ServiceEntry | None]:
    """A key with its owner and service, from their rows as they are now."""
    entry = next(_read_keys(frozenset({str(key.pk)})))[0]
    user = next(_read_users(frozenset({entry.user_id})), None) if entry.user_id else None
    service = next(_read_services(frozenset({entry.service_id})), None) if entry.service_id else None
    return entry, user, service


# ---------------------------------------------------------------- reading


def _select(rows: "QuerySet[Any]", ids: frozenset[str] | None, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Values of all rows, or of those with these ids. Read to the end before anything is filed."""
    if ids is None:
        yield from rows.values_list(*columns).iterator(chunk_size=2000)
        return
    wanted = sorted(ids)
    for start in range(0, len(wanted), _BATCH):
        yield from rows.filter(pk__in=wanted[start : start + _BATCH]).values_list(*columns)


def _read_keys(ids: frozenset[str] | None) -> Iterator[tuple[KeyEntry, str, str, int]]:
    """(entry, hash, rotated-out hash or '', its end) of each key."""
    columns = (
        "id", "name", "prefix", "last_four", "user_id", "service_id", "environment", "models_allowed",
        "no_models", "endpoints_allowed", "networks", "origins", "expires_at", "blocked_at",
        "trusts_identity_headers", "reports_cost", "allows_unpriced", "secret_hash", "previous_hash",
        "previous_until", "identity_secret_encrypted",
    )  # fmt: skip
    for row in _select(VirtualKey.objects.order_by(), ids, *columns):
        yield _key_entry(row), row[17], row[18] or "", _ms(row[19]) or 0


def _key_entry(row: tuple[Any, ...]) -> KeyEntry:
    return KeyEntry(
        id=str(row[0]),
        name=row[1],
        hint=f"{row[2]}…{row[3]}",
        user_id=_reference(row[4]),
        service_id=_reference(row[5]),
        environment=row[6],
        models_allowed=_names(row[7]),
        no_models=row[8],
        endpoints_allowed=_names(row[9]),
        networks=_networks(row[10]),
        origins=() if not isinstance(row[11], list) else tuple(map(str, row[11])),
        expires_at_ms=_ms(row[12]),
        blocked=row[13] is not None,
        trusts_identity_headers=row[14],
        reports_cost=row[15],
        allows_unpriced=row[16],
        identity_secret=read_identity_secret(row[0], row[20]),
    )


def _read_users(ids: frozenset[str] | None) -> Iterator[UserEntry]:
    columns = ("username", "is_active", "role", "email", "models_allowed", "endpoints_allowed", "networks")
    for row in _select(User.objects.order_by(), ids, "id", *columns):
        yield UserEntry(
            str(row[0]), row[1], row[2], row[3], row[4], _names(row[5]), _names(row[6]), _networks(row[7])
        )


def _read_services(ids: frozenset[str] | None) -> Iterator[ServiceEntry]:
    columns = ("name", "is_active", "models_allowed", "keeps_bodies", "bodies_days")
    for row in _select(Service.objects.order_by(), ids, "id", *columns):
        yield ServiceEntry(str(row[0]), row[1], row[2], _names(row[3]), row[4], row[5])


_SCOPE_COLUMNS = ("id", "scope", "key_id", "user_id", "service_id", "target")


def _read_budgets(ids: frozenset[str] | None) -> Iterator[BudgetEntry]:
    columns = (
        "amount_nanodollars", "period", "every", "anchor_at", "time_zone", "hard",
        "extra_nanodollars", "extra_until",
    )  # fmt: skip
    enabled = Budget.objects.filter(is_enabled=True).order_by()
    for row in _select(enabled, ids, *_SCOPE_COLUMNS, *columns):
        yield BudgetEntry(
            id=str(row[0]),
            scope=row[1],
            scope_id=_scope_id(row),
            amount_nanodollars=row[6],
            period=row[7],
            every=row[8],
            anchor_ms=_ms(row[9]),
            time_zone=_zone(row[10] or config().time_zone),
            hard=row[11],
            extra_nanodollars=row[12],
            extra_until_ms=_ms(row[13]),
        )


def _read_rates(ids: frozenset[str] | None) -> Iterator[RateLimitEntry]:
    columns = (
        "requests_per_minute", "tokens_per_minute", "parallel",
        "input_tokens_per_minute", "output_tokens_per_minute",
    )  # fmt: skip
    enabled = RateLimit.objects.filter(is_enabled=True).order_by()
    for row in _select(enabled, ids, *_SCOPE_COLUMNS, *columns):
        yield RateLimitEntry(str(row[0]), row[1], _scope_id(row), *row[6:])


def _scope_id(row: tuple[Any, ...]) -> str:
    """The level's id; a named level within a service is '<service id>/<name>'."""
    scope, references, target = row[1], {"key": row[2], "user": row[3], "service": row[4]}, row[5]
    if scope == "global":
        return ""
    if scope in _BY_REFERENCE:
        return _reference(references[scope])
    service_id = _reference(references["service"])
    return f"{service_id}/{target}" if service_id else str(target)


def _reference(value: Any) -> str:
    return "" if value is None else str(value)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)


def _names(value: Any) -> tuple[str, ...]:
    if not value:
        return () if value is None or isinstance(value, list) else _NO_NAME
    return tuple(map(str, value)) if isinstance(value, list) else _NO_NAME


def _networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    if value is None or value == []:
        return ()
    found: list[IPv4Network | IPv6Network] = []
    for text in value if isinstance(value, list) else [value]:
        try:
            found.append(ip_network(str(text).strip(), strict=False))
        except ValueError:
            logger.warning("A key allows the network %r, which is none.", text)
    return tuple(found) or _NO_NETWORK


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        logger.warning("A budget names the time zone %r, which is none: it runs by UTC.", name)
        return "UTC"
    return name
