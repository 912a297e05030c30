"""Reading along: who may, what is told of it, and that the audit log has it before a word is shown."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer
from django.contrib.auth.models import Permission

from keys_app.models import AuditEntry, Membership, User
from tests.seeding import People
from tests.usage_app.live.calls import finish, live_call
from tests.usage_app.live.viewer import connect
from usage_app import consumers
from usage_app.live import LiveCall, Registry
from usage_app.live_groups import EVERYTHING_GROUP, service_group
from usage_app.live_publisher import LivePublisher
from usage_app.live_words import LEASE_S, MOST_READINGS, READ, LiveWords


class Said:
    """Words of a call that a test says."""

    def __init__(self) -> None:
        self.text = ""
        self.is_over = False
        self.is_closed = False

    def shown(self) -> dict[str, str]:
        return {"text": self.text} if self.text else {}

    def close(self) -> None:
        self.is_closed = True


class Layer(InMemoryChannelLayer):
    """Keeps what was sent to each viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.full: set[str] = set()

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        if channel in self.full:
            raise ChannelFull
        self.sent.append((channel, json.loads(message["text"])))


def wish(**fields: Any) -> dict[str, Any]:
    whole = {"call": "c1", "groups": ["g"], "reply": "viewer", "on": True, "again": True}
    return {"type": READ, **whole, **fields}


class Worker:
    def __init__(self) -> None:
        self.layer, self.said = Layer(), Said()
        self.words = LiveWords(self.layer, lambda _id: self.said, lambda _id, groups: "g" in groups)

    async def told(self, now: float = 0.0) -> list[dict[str, Any]]:
        self.layer.sent.clear()
        await self.words.tell(now)
        return [frame for _channel, frame in self.layer.sent]


async def test_a_reader_gets_what_is_new_each_time_and_nothing_when_nothing_is() -> None:
    worker = Worker()
    worker.words.hear(wish(), 0.0)
    assert [frame["said"] for frame in await worker.told()] == [{}]  # it was found
    worker.said.text = "Hello"
    assert [frame["said"] for frame in await worker.told()] == [{"text": [0, "Hello"]}]
    worker.said.text = "Hello there"
    assert [(frame["n"], frame["said"]) for frame in await worker.told()] == [(2, {"text": [5, " there"]})]
    assert await worker.told() == []
    worker.said.text = "Hello [hidden]"
    assert [frame["said"] for frame in await worker.told()] == [{"text": [0, "Hello [hidden]"]}]


async def test_who_is_stuck_misses_nothing_later_and_keeps_nobody_from_hearing_on() -> None:
    worker = Worker()
    for viewer in ("stuck", "viewer"):
        worker.words.hear(wish(reply=viewer), 0.0)
    await worker.told()
    worker.layer.full.add("stuck")
    worker.said.text = "Hello"
    assert [frame["said"] for frame in await worker.told()] == [{"text": [0, "Hello"]}]
    worker.said.is_over = True
    await worker.told()
    assert [frame["over"] for frame in await worker.told()] == [True]
    worker.layer.full.clear()
    assert [(frame["n"], frame["said"], frame["over"]) for frame in await worker.told()] == [
        (1, {"text": [0, "Hello"]}, True)
    ]
    assert worker.words.readings == {}


async def test_what_came_with_the_end_is_told_before_it_is_over() -> None:
    worker = Worker()
    worker.words.hear(wish(), 0.0)
    worker.said.is_over = True
    assert [frame["over"] for frame in await worker.told()] == [False]
    worker.said.text = "the last"
    assert [(frame["said"], frame["over"]) for frame in await worker.told()] == [
        ({"text": [0, "the last"]}, True)
    ]
    assert worker.words.readings == {}
    assert worker.said.is_closed


async def test_a_wish_outside_of_ones_groups_finds_nothing() -> None:
    worker = Worker()
    worker.words.hear(wish(groups=["others"]), 0.0)
    assert await worker.told() == []


async def test_a_renewal_without_the_right_ends_the_reading_and_so_does_leaving() -> None:
    for last in (wish(on=False), wish(groups=[], again=False)):
        worker = Worker()
        worker.words.hear(wish(), 0.0)
        worker.said.text = "more"
        worker.words.hear(last, 1.0)
        assert await worker.told(1.0) == []
        assert worker.said.is_closed


async def test_a_reader_who_renews_nothing_is_forgotten() -> None:
    worker = Worker()
    worker.words.hear(wish(), 0.0)
    worker.words.hear(wish(again=False), LEASE_S - 1)
    await worker.told(LEASE_S + 1)
    assert worker.words.readings
    await worker.told(3 * LEASE_S)
    assert not worker.words.readings


async def test_who_missed_a_frame_asks_again_and_gets_all() -> None:
    worker = Worker()
    worker.words.hear(wish(), 0.0)
    worker.said.text = "Hello"
    await worker.told()
    worker.words.hear(wish(), 1.0)
    assert [(frame["n"], frame["said"]) for frame in await worker.told(1.0)] == [(0, {"text": [0, "Hello"]})]


async def test_a_renewal_alone_begins_nothing_and_readings_are_bounded() -> None:
    worker = Worker()
    worker.words.hear(wish(again=False), 0.0)
    assert not worker.words.readings
    for number in range(MOST_READINGS + 5):
        worker.words.hear(wish(call=f"c{number}"), 0.0)
    assert len(worker.words.readings) == MOST_READINGS


@pytest.fixture
async def speaking(
    monkeypatch: pytest.MonkeyPatch, people: People
) -> AsyncIterator[tuple[Registry, LiveCall, Said]]:
    """A worker with one call of checkout's in flight, and what is said in it."""
    monkeypatch.setattr(channel_layers, "backends", {})
    registry, said = Registry(), Said()
    call = live_call(service_id=str(people.checkout.pk), is_heard=True)
    registry.open(call)
    publisher = LivePublisher(registry, get_channel_layer(), "worker-1", None, lambda _id: said)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(publisher.run())
        await asyncio.sleep(0)
        yield registry, call, said
        task.cancel()


def grant(user: User) -> None:
    user.user_permissions.add(Permission.objects.get(codename="read_bodies"))


async def reads() -> list[str]:
    return [entry.actor async for entry in AuditEntry.objects.filter(verb="read")]


@pytest.mark.django_db(transaction=True)
async def test_an_admin_reads_along_and_the_log_has_it_once(
    people: People, speaking: tuple[Registry, LiveCall, Said]
) -> None:
    registry, call, said = speaking
    socket, _, _ = await connect(people.root)
    row = (await socket.hear("open"))["open"][0]
    assert row["heard"]
    assert await reads() == []
    said.text = "Hel"
    await socket.say(json.dumps({"read": call.id}))
    assert (await socket.hear("said"))["said"] == {"text": [0, "Hel"]}
    assert await reads() == ["root"]
    said.text = "Hello"
    assert (await socket.hear("said"))["said"] == {"text": [3, "lo"]}
    finish(registry, call)
    said.is_over = True
    assert (await socket.hear("over"))["over"]
    assert await reads() == ["root"]
    entry = await AuditEntry.objects.aget(verb="read")
    assert entry.object_id == call.id
    await socket.leave()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["alice", "bob", "charlie"])
async def test_without_the_right_or_the_sight_not_a_word_is_told(
    people: People, speaking: tuple[Registry, LiveCall, Said], who: str
) -> None:
    _registry, call, said = speaking
    said.text = "confidential"
    viewer = getattr(people, who)
    if who != "alice":  # who sees the call but may not read; the others may, but do not see it
        await sync_to_async(grant)(viewer)
    socket, _, _ = await connect(viewer)
    await socket.hear("whole")
    await socket.say(json.dumps({"read": call.id}))
    for _ in range(3):
        frame = await socket.hear("now")  # the next heartbeats: nothing else comes
        assert "confidential" not in json.dumps(frame)
    assert await reads() == []
    await socket.leave()


@pytest.mark.django_db(transaction=True)
async def test_a_right_that_was_taken_away_ends_the_reading(
    people: People, speaking: tuple[Registry, LiveCall, Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    _registry, call, said = speaking
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    await sync_to_async(grant)(people.alice)
    socket, _, _ = await connect(people.alice)
    await socket.hear("open")
    said.text = "one"
    await socket.say(json.dumps({"read": call.id}))
    await socket.hear("said")
    await sync_to_async(Membership.objects.filter(user=people.alice).delete)()
    assert (await socket.hear("reset"))["reset"]
    await socket.hear("whole")
    said.text = "one two"
    for _ in range(2):
        assert "two" not in json.dumps(await socket.hear("now"))
    await socket.leave()


async def test_the_publisher_lets_read_what_is_in_the_readers_groups() -> None:
    layer, registry = Layer(), Registry()
    call = live_call(service_id="s1")
    registry.open(call)
    publisher = LivePublisher(registry, layer, "worker-1", None, lambda _id: Said())
    for groups, found in (([service_group("s2")], 0), ([service_group("s1")], 1), ([EVERYTHING_GROUP], 1)):
        await publisher.hear(wish(call=call.id, groups=groups, reply=str(groups)))
        assert len(publisher.words.readings) >= found
        assert bool([key for key in publisher.words.readings if key[0] == str(groups)]) is bool(found)
