"""The publisher: silent while nobody watches, whole pictures, then what changed, in order."""

import json
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer

from tests.usage_app.live.calls import finish, live_call
from usage_app.live import Registry
from usage_app.live_groups import EVERYTHING_GROUP, service_group, user_group
from usage_app.live_publisher import LEASE_S, MAX_ENDED, LivePublisher


class RecordingLayer(InMemoryChannelLayer):
    """Keeps what was sent instead of passing it on."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.sent.append((group, json.loads(message["text"])))

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        self.sent.append((channel, json.loads(message["text"])))

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        taken, self.sent = self.sent, []
        return taken


@pytest.fixture
def layer() -> RecordingLayer:
    return RecordingLayer()


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def publisher(registry: Registry, layer: RecordingLayer) -> LivePublisher:
    return LivePublisher(registry, layer, "worker-1")


async def watch(publisher: LivePublisher, *groups: str, whole: bool = True) -> None:
    await publisher.hear({"groups": list(groups), "reply": "viewer", "whole": whole})


def at(publisher: LivePublisher, seconds: float = 0.25) -> float:
    """An instant after the last frame."""
    return max((each.sent_at for each in publisher.watched.values()), default=0.0) + seconds


async def test_nothing_is_sent_while_nobody_watches(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    registry.open(live_call())
    await publisher.tick(1000.0)
    assert layer.take() == []


async def test_a_viewer_first_gets_the_whole_picture(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    flying, over = live_call(), live_call()
    registry.open(flying)
    registry.open(over)
    finish(registry, over)
    await watch(publisher, EVERYTHING_GROUP)
    [(channel, frame)] = layer.take()
    assert channel == "viewer"
    assert frame["whole"]
    assert frame["epoch"] == "worker-1"
    assert [row["id"] for row in frame["open"]] == [flying.id]
    assert [row["id"] for row in frame["end"]] == [over.id]


async def test_a_picture_says_since_when_it_has_every_call(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    """Figures of the last minute are made of it: what it lost counts for a shorter time, not as nothing."""
    mine, others = user_group("user-1"), [live_call(user_id="user-2") for _ in range(MAX_ENDED + 1)]
    for call in others:
        registry.open(call)
        finish(registry, call)
    await watch(publisher, EVERYTHING_GROUP, mine)
    assert [frame["from"] for _channel, frame in layer.take()] == [others[1].finished_at_ms, 0]
    for _ in range(registry.ended.maxlen or 0):
        finish(registry, live_call(user_id="user-2"))
    await watch(publisher, mine)
    [(_channel, frame)] = layer.take()
    assert frame["from"] == registry.ended[0].finished_at_ms


async def test_frames_tell_what_opened_moved_and_ended_in_sequence(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    await watch(publisher, EVERYTHING_GROUP)
    layer.take()
    call = live_call()
    registry.open(call)
    await publisher.tick(at(publisher))
    call.enter("streaming", 12.0)
    call.output_tokens = 9
    await publisher.tick(at(publisher))
    finish(registry, call)
    await publisher.tick(at(publisher))
    opened, moved, ended = (frame for _group, frame in layer.take())
    assert [row["id"] for row in opened["open"]] == [call.id]
    assert moved["move"] == [[call.id, moved["move"][0][1]]]
    assert moved["move"][0][1]["tokens"] == 9
    assert ended["end"][0]["status"] == "ok"
    assert [opened["seq"], moved["seq"], ended["seq"]] == [1, 2, 3]


async def test_a_quiet_tick_says_nothing_but_once_a_second_that_the_worker_lives(
    publisher: LivePublisher, layer: RecordingLayer
) -> None:
    await watch(publisher, EVERYTHING_GROUP)
    layer.take()
    start = at(publisher, 0.0)
    for step in range(1, 13):
        await publisher.tick(start + step * 0.25)
    assert len(layer.take()) == 3


async def test_each_group_hears_of_its_own_calls_alone(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    await watch(publisher, EVERYTHING_GROUP, service_group("s1"), user_group("u1"))
    layer.take()
    registry.open(live_call(id="of-service", service_id="s1"))
    registry.open(live_call(id="of-user", user_id="u1"))
    registry.open(live_call(id="of-nobody", service_id="s2", user_id="u2"))
    await publisher.tick(at(publisher))
    told = {group: [row["id"] for row in frame["open"]] for group, frame in layer.take()}
    assert told == {
        EVERYTHING_GROUP: ["of-service", "of-user", "of-nobody"],
        service_group("s1"): ["of-service"],
        user_group("u1"): ["of-user"],
    }


async def test_a_group_that_nobody_renews_is_dropped(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    await watch(publisher, EVERYTHING_GROUP)
    layer.take()
    registry.open(live_call())
    await publisher.tick(at(publisher, LEASE_S + 0.1))
    assert layer.take() == []
    assert not publisher.watched


async def test_a_flood_is_told_in_one_bounded_frame(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    await watch(publisher, EVERYTHING_GROUP)
    layer.take()
    for _ in range(MAX_ENDED + 50):
        call = live_call()
        registry.open(call)
        finish(registry, call)
    await publisher.tick(at(publisher))
    [(_group, frame)] = layer.take()
    assert len(frame["end"]) == MAX_ENDED
    assert frame["hidden"] == 50


async def test_calls_that_ended_unseen_are_forgotten(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    await watch(publisher, EVERYTHING_GROUP)
    for _ in range(500):
        call = live_call()
        registry.open(call)
        await publisher.tick(at(publisher)) if _ == 250 else None
        finish(registry, call)
    await publisher.tick(at(publisher))
    assert not publisher._known


async def test_a_picture_carries_no_secret_and_no_ids_of_people(
    publisher: LivePublisher, registry: Registry, layer: RecordingLayer
) -> None:
    registry.open(live_call(user_id="person-id", key_id="key-id"))
    await watch(publisher, EVERYTHING_GROUP)
    [(_channel, frame)] = layer.take()
    assert "person-id" not in json.dumps(frame)
    assert "key-id" not in json.dumps(frame)


@pytest.mark.parametrize("kind", ["picture", "live.count", "live.stop"])
async def test_a_viewer_who_is_stuck_keeps_nobody_from_hearing_on(registry: Registry, kind: str) -> None:
    """The memory's layer takes a hundred messages that nobody fetched, and then none."""
    layer = InMemoryChannelLayer(capacity=1)
    publisher = LivePublisher(registry, layer, "worker-1", stop=lambda _wish: 1)
    stuck, other = await layer.new_channel(), await layer.new_channel()
    await layer.send(stuck, {"type": "live.frame"})
    asked = {"groups": [EVERYTHING_GROUP], "whole": True, "wish": {}}
    for channel in (stuck, other):
        await publisher.hear({**asked, "reply": channel, **({} if kind == "picture" else {"type": kind})})
    assert (await layer.receive(other))["type"] in ("live.frame", "live.counted", "live.stopped")
