"""What a stranger's sockets say while a service's calls come and go: nothing of it, not even how many."""

from typing import Any

import pytest

from tests.seeding import People
from tests.usage_app.live.calls import finish, live_call
from tests.usage_app.live.viewer import Viewer, connect
from usage_app.live import LiveCall, Registry
from usage_app.routing import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)

#: Every socket but the navigation's, which tells a number alone (`test_counting`).
FRAMES = [f"/{route.pattern}" for route in websocket_urlpatterns if route.name != "count"]
MARK, LAST_FOUR, COST = "orchid", "q7zx", 987_654_321


def secret_call(people: People) -> LiveCall:
    return live_call(
        model=f"{MARK}-llm",
        key_name=f"{MARK}-key",
        key_hint=f"sk-gh-…{LAST_FOUR}",
        user_id=str(people.bob.pk),
        user_name=f"ophelia.{MARK}",
        service_id=str(people.checkout.pk),
        service_name=f"{MARK}-vault",
        client=f"{MARK}-client/1",
    )


async def frames_until(socket: Viewer, call_id: str, kind: str) -> list[dict[str, Any]]:
    """Every frame up to the one that tells of this call under a name."""
    found: list[dict[str, Any]] = []
    while not any(row["id"] == call_id for frame in found for row in frame.get(kind, ())):
        found.append(await socket.hear("epoch"))
    return found


@pytest.mark.parametrize("address", FRAMES)
async def test_no_frame_to_a_stranger_tells_of_the_service(
    people: People, registry: Registry, address: str
) -> None:
    before = secret_call(people)
    registry.open(before)
    sockets = [(await connect(user, address))[0] for user in (people.charlie, people.root)]
    heard: list[list[dict[str, Any]]] = [[await socket.hear("whole")] for socket in sockets]
    during, mine = secret_call(people), live_call(user_id=str(people.charlie.pk), key_name="charlie's")
    registry.open(during)
    registry.open(mine)
    for socket, frames in zip(sockets, heard, strict=True):
        frames += await frames_until(socket, mine.id, "open")
    for call in (before, during, mine):
        call.enter("streaming", 40.0)
        call.cost_nanodollars, call.error_code = COST, "" if call is mine else f"{MARK}-error"
        finish(registry, call)
    for socket, frames in zip(sockets, heard, strict=True):
        frames += await frames_until(socket, mine.id, "end")
        await socket.leave()
    told, admin_told = (str(frames).lower() for frames in heard)
    for trace in (MARK, LAST_FOUR, str(people.checkout.pk), before.id, during.id):
        assert trace not in told
    for trace in (MARK, LAST_FOUR, before.id, during.id):
        assert trace in admin_told
    for frame in heard[0]:
        rows = [row for name in ("open", "end") for row in frame.get(name, ())]
        assert {row["id"] for row in rows} <= {mine.id}
        assert all(call_id == mine.id for call_id, _changes in frame.get("move", ()))
        assert not frame.get("hidden")
