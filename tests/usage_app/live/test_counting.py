"""The number beside Live in the navigation: of the calls that one may see, of what the pages show."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from keys_app.models import Membership
from tests.seeding import People
from tests.usage_app.live.calls import finish, live_call
from tests.usage_app.live.viewer import Viewer, connect
from usage_app import consumers
from usage_app.live import Registry

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/ui/ws/count/"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "COUNT_S", 0.01)


async def told(socket: Viewer, count: int) -> None:
    """Until this number is told."""
    while (await socket.next())["count"] != count:
        pass


async def test_the_number_goes_up_and_down_with_the_calls(people: People, registry: Registry) -> None:
    call = live_call()
    registry.open(call)
    socket, _, _ = await connect(people.root, ADDRESS)
    assert await socket.next() == {"count": 1}
    registry.open(live_call())
    await told(socket, 2)
    finish(registry, call)
    await told(socket, 1)
    await socket.leave()


async def test_a_stranger_is_told_a_number_of_the_own_calls_alone(people: People, registry: Registry) -> None:
    registry.open(live_call(service_id=str(people.checkout.pk), user_id=str(people.bob.pk)))
    socket, _, _ = await connect(people.charlie, ADDRESS)
    assert await socket.next() == {"count": 0}
    registry.open(live_call(service_id=str(people.checkout.pk), user_id=str(people.bob.pk)))
    registry.open(live_call(user_id=str(people.charlie.pk)))
    assert await socket.next() == {"count": 1}
    await socket.leave()


async def test_a_call_that_one_may_see_twice_over_counts_once(people: People, registry: Registry) -> None:
    registry.open(live_call(service_id=str(people.checkout.pk), user_id=str(people.alice.pk)))
    socket, _, _ = await connect(people.alice, ADDRESS)
    assert await socket.next() == {"count": 1}
    await socket.leave()


async def test_the_number_follows_what_the_header_chose(
    people: People, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    for environment in ("test", "test", "production"):
        registry.open(live_call(environment=environment))
    socket, _, _ = await connect(people.root, ADDRESS)
    await told(socket, 3)
    await sync_to_async(_choose)("test")
    await told(socket, 2)
    await socket.leave()


async def test_the_number_is_of_what_its_page_shows(people: People, registry: Registry) -> None:
    """Though another page has chosen something else since."""
    for environment in ("test", "production"):
        registry.open(live_call(environment=environment))
    socket, _, _ = await connect(people.root, f"{ADDRESS}?range=24h&environment=&service=")
    await sync_to_async(_choose)("test")
    await told(socket, 2)
    await socket.leave()


def _choose(environment: str) -> None:
    session = SessionStore(Session.objects.get().session_key)
    session["window"] = {"environment": environment}
    session.save()


async def test_who_loses_a_service_is_told_of_its_calls_no_more(
    people: People, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    registry.open(live_call(service_id=str(people.checkout.pk)))
    socket, _, _ = await connect(people.alice, ADDRESS)
    await told(socket, 1)
    await sync_to_async(Membership.objects.filter(user=people.alice).delete)()
    await told(socket, 0)
    await socket.leave()


async def test_signing_out_closes_it(
    people: People, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_S", 0.01)
    socket, _, _ = await connect(people.root, ADDRESS)
    await sync_to_async(Session.objects.all().delete)()
    assert await socket.closing_code() == consumers.SIGN_IN_AGAIN
    _socket, connected, code = await connect(None, ADDRESS)
    assert (connected, code) == (False, consumers.SIGN_IN_AGAIN)
