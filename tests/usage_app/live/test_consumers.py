"""The live socket, spoken to as a browser does: who may watch, what each sees, when it closes."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session

from keys_app.models import Membership
from tests.seeding import People
from tests.usage_app.live.calls import finish, live_call
from tests.usage_app.live.viewer import connect
from usage_app import consumers
from usage_app.live import Registry

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_stranger_is_refused(people: People, registry: Registry) -> None:
    _socket, connected, code = await connect(None)
    assert not connected
    assert code == consumers.SIGN_IN_AGAIN


async def test_an_admin_sees_a_call_from_its_arrival_to_its_end(people: People, registry: Registry) -> None:
    socket, connected, _ = await connect(people.root)
    assert connected
    assert (await socket.hear("whole"))["open"] == []
    call = live_call()
    registry.open(call)
    assert (await socket.hear("open"))["open"][0]["id"] == call.id
    call.enter("streaming", 100.0)
    call.output_tokens = 5
    assert (await socket.hear("move"))["move"][0][1]["tokens"] == 5
    finish(registry, call)
    assert (await socket.hear("end"))["end"][0]["status"] == "ok"
    await socket.leave()


async def test_no_message_to_charlie_tells_of_calls_that_are_not_charlies(
    people: People, registry: Registry
) -> None:
    registry.open(live_call(service_id=str(people.checkout.pk), service_name="checkout"))
    socket, _, _ = await connect(people.charlie)
    assert (await socket.hear("whole"))["open"] == []
    registry.open(live_call(service_id=str(people.checkout.pk), user_id=str(people.bob.pk)))
    mine = live_call(user_id=str(people.charlie.pk))
    registry.open(mine)
    assert [row["id"] for row in (await socket.hear("open"))["open"]] == [mine.id]
    await socket.leave()


async def test_a_manager_sees_the_managed_service(people: People, registry: Registry) -> None:
    call = live_call(service_id=str(people.checkout.pk))
    registry.open(call)
    socket, _, _ = await connect(people.alice)
    assert [row["id"] for row in (await socket.hear("open"))["open"]] == [call.id]
    await socket.leave()


async def test_signing_out_closes_the_socket_at_the_next_check(
    people: People, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    socket, _, _ = await connect(people.root)
    await socket.hear("whole")
    await sync_to_async(people.root.__class__.objects.filter(pk=people.root.pk).update)(is_active=False)
    assert await socket.closing_code() == consumers.SIGN_IN_AGAIN


async def test_a_session_that_is_gone_closes_the_socket(
    people: People, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    socket, _, _ = await connect(people.root)
    await socket.hear("whole")
    await sync_to_async(Session.objects.all().delete)()
    assert await socket.closing_code() == consumers.SIGN_IN_AGAIN


async def test_a_right_that_was_taken_away_ends_what_is_shown(
    people: People, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    registry.open(live_call(service_id=str(people.checkout.pk)))
    socket, _, _ = await connect(people.alice)
    await socket.hear("open")
    await sync_to_async(Membership.objects.filter(user=people.alice).delete)()
    assert (await socket.hear("reset"))["reset"]
    assert (await socket.hear("whole"))["open"] == []
    await socket.leave()


async def test_a_viewer_who_asks_again_gets_the_whole_picture(people: People, registry: Registry) -> None:
    socket, _, _ = await connect(people.root)
    await socket.hear("whole")
    await socket.say("not json")
    await socket.say('{"again": true}')
    assert (await socket.hear("whole"))["whole"]
    await socket.leave()


async def test_a_viewer_who_does_not_read_is_dropped(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "SEND_S", 0.01)
    viewer = consumers.LiveConsumer()
    viewer.is_open = True
    closed: list[int] = []

    async def never(*_args: Any, **_kwargs: Any) -> None:
        await asyncio.Event().wait()

    async def close(code: int) -> None:
        closed.append(code)

    monkeypatch.setattr(viewer, "send", never)
    monkeypatch.setattr(viewer, "close", close)
    await viewer.live_frame({"text": "{}"})
    assert closed == [consumers.TOO_SLOW]
    assert not viewer.is_open


async def test_a_viewer_who_does_not_take_a_frame_in_time_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "SEND_S", 0.01)
    consumer, closed = consumers.LiveConsumer(), []

    async def never(**_frame: str) -> None:
        await asyncio.Event().wait()

    async def close(code: int) -> None:
        closed.append(code)

    monkeypatch.setattr(consumer, "send", never)
    monkeypatch.setattr(consumer, "close", close)
    consumer.is_open = True
    for _ in range(2):
        await consumer.live_frame({"text": "{}"})
    assert closed == [consumers.TOO_SLOW]
