"""What a provider keeps, as a worker knows it: nobody gets to what another owner made."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from django.db import OperationalError

from gateway_project.clock import uuid7_text
from gateway_project.errors import NotReady, UnknownObject
from keys_app.entries import KeyEntry, Principal
from proxy_app.stored import StoredObjects, keeper_of, owner_of
from usage_app.records import Record, Stored, StoredKind

KEY = KeyEntry(
    id="key-1",
    name="checkout",
    hint="sk-gh-…aaaa",
    user_id="user-1",
    service_id="service-1",
    environment="production",
)
MINE, THEIRS = "service:1/production", "service:2/production"
RESPONSE = Stored(uuid7_text(), 1_700_000_000_000, "response", "resp_1", "provider-1", MINE)


class Shelf:
    """A journal and a ledger of lists."""

    def __init__(self, *rows: Stored) -> None:
        self.written: list[Record] = []
        self.rows = list(rows)
        self.asked = 0
        self.objects = StoredObjects(self.written.append, self.find, self.listed)

    def find(self, kind: StoredKind, object_id: str) -> Sequence[Stored]:
        self.asked += 1
        return [row for row in self.rows if (row.kind, row.object_id) == (kind, object_id)]

    def listed(self, kind: StoredKind, owner: str) -> Sequence[Stored]:
        return [row for row in self.rows if (row.kind, row.owner) == (kind, owner)]


def test_a_service_shares_what_it_made_a_user_without_one_has_it_alone() -> None:
    assert owner_of(Principal(KEY, None, None)) == "service:service-1"
    assert owner_of(Principal(replace(KEY, service_id=""), None, None)) == "user:user-1"
    assert owner_of(Principal(replace(KEY, service_id="", user_id=""), None, None)) == "key:key-1"
    assert keeper_of(Principal(KEY, None, None)) == "service:service-1/production"


async def test_what_this_worker_made_is_known_at_once_and_journalled() -> None:
    shelf = Shelf()
    shelf.objects.keep(RESPONSE)
    assert await shelf.objects.find("response", "resp_1", MINE) is RESPONSE
    assert shelf.written == [RESPONSE]
    assert shelf.asked == 0


async def test_what_another_worker_made_is_read_from_the_ledger_and_waited_for_once() -> None:
    shelf = Shelf(RESPONSE)
    assert await shelf.objects.find("response", "resp_1", MINE) == RESPONSE
    with pytest.raises(UnknownObject):
        await shelf.objects.find("response", "resp_2", MINE)
    assert shelf.asked == 3


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_strangers_thing_and_one_that_never_was_are_told_in_the_same_words(remembered: bool) -> None:
    shelf = Shelf() if remembered else Shelf(RESPONSE)
    if remembered:
        shelf.objects.keep(RESPONSE)
    said = []
    for object_id in ("resp_1", "resp_9"):
        with pytest.raises(UnknownObject) as refused:
            await shelf.objects.find("response", object_id, THEIRS)
        said.append(refused.value.detail.replace(object_id, "…"))
    assert said[0] == said[1]


async def test_an_id_of_one_kind_is_not_one_of_another() -> None:
    shelf = Shelf(RESPONSE)
    shelf.objects.keep(RESPONSE)
    with pytest.raises(UnknownObject):
        await shelf.objects.find("file", "resp_1", MINE)


async def test_what_was_deleted_is_gone_here_before_the_ledger_knows() -> None:
    shelf = Shelf(RESPONSE)
    shelf.objects.keep(msgspec.structs.replace(RESPONSE, state="gone"))
    with pytest.raises(UnknownObject):
        await shelf.objects.find("response", "resp_1", MINE)
    assert await shelf.objects.listed("response", MINE) == []


async def test_a_list_is_the_owners_newest_first_with_what_is_not_in_the_ledger_yet() -> None:
    later = msgspec.structs.replace(RESPONSE, object_id="resp_2", at_ms=RESPONSE.at_ms + 1)
    theirs = msgspec.structs.replace(RESPONSE, object_id="resp_3", owner=THEIRS)
    shelf = Shelf(RESPONSE, theirs)
    shelf.objects.keep(later)
    assert [each.object_id for each in await shelf.objects.listed("response", MINE)] == ["resp_2", "resp_1"]


async def test_without_a_database_nobody_is_told_that_their_thing_does_not_exist() -> None:
    def away(kind: StoredKind, name: str) -> Sequence[Stored]:
        raise OperationalError

    objects = StoredObjects([].append, away, away)
    with pytest.raises(NotReady):
        await objects.find("response", "resp_1", MINE)
