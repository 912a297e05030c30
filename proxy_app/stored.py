"""What providers keep for callers, as one worker knows it: whose it is, and at which provider.

Providers know only the gateway's own account, so everybody's things lie together there: nobody gets to
one through the gateway that was not made by the same service (or user, or key) in the same environment.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeVar
from urllib.parse import urlsplit

from django.db import DatabaseError, InterfaceError, close_old_connections

from gateway_project.errors import NotReady, UnknownObject
from keys_app.entries import Principal
from proxy_app.catalogue import Catalogue, ProviderEntry
from proxy_app.google_files import HOST_WORD
from usage_app import stored as ledger
from usage_app.records import Record, Stored, StoredKind

log = logging.getLogger("gatehouse.calls")

REMEMBERED = 20_000
#: Another worker's journal reaches the database within this time, when nothing is behind.
PATIENCE_S = 0.4

Find = Callable[[StoredKind, str], Sequence[Stored]]
List = Callable[[StoredKind, str], Sequence[Stored]]
Charged = Callable[[str, str], int | None]
Found = TypeVar("Found")


def spoken(kind: StoredKind) -> str:
    """A kind as a sentence names it."""
    return kind.replace("_", " ")


def owner_of(principal: Principal) -> str:
    """Who shares what this caller makes: its service ('service:<id>'), else its user, else the key."""
    key = principal.key
    if key.service_id:
        return f"service:{key.service_id}"
    return f"user:{key.user_id}" if key.user_id else f"key:{key.id}"


def keeper_of(principal: Principal) -> str:
    """The owner of what a provider keeps: environments do not see one another's."""
    return f"{owner_of(principal)}/{principal.key.environment}"


def _of_the_newest(make: Callable[[Catalogue], Found]) -> Callable[[Catalogue], Found]:
    """What is derived from a catalogue, kept as long as it is the newest that was asked about."""
    kept: tuple[Catalogue, Found] | None = None

    @wraps(make)
    def found(catalogue: Catalogue) -> Found:
        nonlocal kept
        if kept is None or kept[0] is not catalogue:
            kept = (catalogue, make(catalogue))
        return kept[1]

    return found


@_of_the_newest
def providers_by_name(catalogue: Catalogue) -> dict[str, ProviderEntry]:
    """Every provider that serves some model here."""
    models = (*catalogue.by_name.values(), *(model for _, model in catalogue.patterns))
    return {each.provider.name: each.provider for model in models for each in model.deployments}


def provider_at(catalogue: Catalogue, provider_id: str) -> ProviderEntry | None:
    """A provider that serves some model here; None when it serves none any more."""
    return next((each for each in providers_by_name(catalogue).values() if each.id == provider_id), None)


@_of_the_newest
def gemini_hosts(catalogue: Catalogue) -> frozenset[str]:
    """Other hosts than Google's own at which a Gemini stands that serves some model here, in lower case."""
    found = {
        urlsplit(each.base_url).hostname or ""
        for each in providers_by_name(catalogue).values()
        if "gemini" in each.formats and each.addressing == "plain" and not each.is_sandbox
    }
    return frozenset(host for host in found if host and HOST_WORD not in host)


class StoredObjects:
    """What was made through this worker is known at once; the rest is read from the ledger."""

    def __init__(
        self,
        write: Callable[[Record], None],
        find: Find = ledger.find,
        listed: List = ledger.listed,
        charged: Charged = ledger.charged,
    ) -> None:
        self._write = write
        self._find = find
        self._listed = listed
        self._charged = charged
        self._recent: OrderedDict[tuple[StoredKind, str, str], Stored] = OrderedDict()

    def keep(self, record: Stored) -> None:
        """Write to the journal that a provider keeps this, or does no longer."""
        self._write(record)
        key = (record.kind, record.object_id, record.owner)
        self._recent.pop(key, None)
        self._recent[key] = record
        while len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)

    async def find(self, kind: StoredKind, object_id: str, owner: str) -> Stored:
        """The owner's thing of this id. Raises UnknownObject: for a stranger's too, in the same words."""
        record = self._recent.get((kind, object_id, owner))
        for wait_s in (0.0, PATIENCE_S):
            if record is None:
                await asyncio.sleep(wait_s)
                rows = await self._ask(lambda: self._find(kind, object_id))
                record = next((row for row in rows if row.owner == owner), None)
        if record is None or record.state == "gone":
            raise UnknownObject(f"There is no {spoken(kind)} '{object_id[:200]}' here that this key may see.")
        return record

    async def listed(self, kind: StoredKind, owner: str) -> list[Stored]:
        """What an owner has of a kind, the newest first."""
        rows = await self._ask(lambda: self._listed(kind, owner))
        known = {(row.object_id, row.provider_id): row for row in rows}
        for record in self._recent.values():
            if record.kind == kind and record.owner == owner:
                known[record.object_id, record.provider_id] = record
        kept = [record for record in known.values() if record.state != "gone"]
        return sorted(kept, key=lambda record: record.at_ms, reverse=True)

    async def charged(self, request_id: str, cause: str) -> int | None:
        """What the ledger has been told that a call cost later; None when nothing."""
        return await self._ask(lambda: self._charged(request_id, cause))

    async def _ask(self, question: Callable[[], Found]) -> Found:
        def ask() -> Found:
            try:
                return question()
            finally:
                close_old_connections()

        try:
            return await asyncio.to_thread(ask)
        except (DatabaseError, InterfaceError):
            log.warning("stored objects cannot be looked up: the database is away")
            raise NotReady("What is stored cannot be looked up now.", retry_after_s=5) from None
