"""What the header chooses holds on Live too: an environment and a service, never more than one may see."""

from uuid import UUID

import pytest

from tests.seeding import People
from tests.usage_app.live.calls import finish, live_call
from tests.usage_app.live.viewer import ADDRESS, connect
from usage_app.live import LiveCall, Registry
from usage_app.live_groups import Chosen, groups_for, groups_of
from usage_app.sight import EVERYTHING, Sight

SERVICE, OTHER, USER = (str(UUID(int=number)) for number in (1 << 124, 2 << 124, 3 << 124))
CALLS = (
    live_call(service_id=SERVICE, user_id=USER, environment="production"),
    live_call(service_id=SERVICE, environment="test"),
    live_call(service_id=OTHER, user_id=USER, environment="experiment"),
    live_call(user_id=USER, environment=""),
    live_call(environment="production"),
)
SIGHTS = (
    EVERYTHING,
    Sight(),
    Sight(user_id=USER),
    Sight(service_ids=frozenset({SERVICE}), user_id=USER),
    Sight(service_ids=frozenset({SERVICE, OTHER})),
)
CHOICES = [
    Chosen(environment, service)
    for environment in ("", "none", "production", "test", "experiment")
    for service in ("", "none", SERVICE, OTHER)
]


def is_seen(call: LiveCall, sight: Sight) -> bool:
    mine = bool(call.user_id) and call.user_id == sight.user_id
    return sight.everything or mine or call.service_id in sight.service_ids


def is_chosen(call: LiveCall, chosen: Chosen) -> bool:
    within = chosen.environment in ("", call.environment or "none")
    return within and chosen.service_id in ("", call.service_id or "none")


@pytest.mark.parametrize("sight", SIGHTS, ids=["all", "nothing", "own", "managed and own", "managed"])
@pytest.mark.parametrize(
    "chosen", CHOICES, ids=lambda chosen: f"{chosen.environment}-{chosen.service_id[:4]}"
)
def test_a_viewer_is_told_of_exactly_the_calls_that_are_seen_and_chosen(sight: Sight, chosen: Chosen) -> None:
    groups = groups_for(sight, chosen)
    for call in CALLS:
        told = not groups.isdisjoint(groups_of(call))
        assert told == (is_seen(call, sight) and is_chosen(call, chosen))


@pytest.mark.parametrize(
    "parameters", [{"environment": "staging"}, {"service": "live.all"}, {"service": "1"}]
)
def test_a_choice_of_what_there_cannot_be_shows_nothing(parameters: dict[str, str]) -> None:
    assert Chosen.of(parameters) is None
    assert groups_for(EVERYTHING, None) == frozenset()


def test_every_group_s_name_is_one_that_channel_layers_take() -> None:
    for call in CALLS:
        for name in groups_of(call):
            assert len(name) < 100
            assert name.replace(".", "").replace("-", "").isalnum()


@pytest.mark.django_db(transaction=True)
async def test_the_picture_and_what_comes_after_follow_the_choice(people: People, registry: Registry) -> None:
    checkout = str(people.checkout.pk)
    shown = live_call(service_id=checkout, environment="production")
    registry.open(live_call(service_id=checkout, environment="test"))
    registry.open(shown)
    registry.open(live_call(service_id=str(people.search.pk), environment="production"))
    socket, _, _ = await connect(people.root, f"{ADDRESS}?environment=production&service={checkout}")
    assert [row["id"] for row in (await socket.hear("whole"))["open"]] == [shown.id]
    later = live_call(service_id=checkout, environment="production")
    registry.open(live_call(service_id=checkout, environment="experiment"))
    registry.open(later)
    assert [row["id"] for row in (await socket.hear("open"))["open"]] == [later.id]
    finish(registry, later)
    assert [row["id"] for row in (await socket.hear("end"))["end"]] == [later.id]
    await socket.leave()


@pytest.mark.django_db(transaction=True)
async def test_choosing_a_service_of_others_shows_a_stranger_nothing(
    people: People, registry: Registry
) -> None:
    checkout = str(people.checkout.pk)
    registry.open(live_call(service_id=checkout))
    socket, _, _ = await connect(people.charlie, f"{ADDRESS}?service={checkout}")
    assert (await socket.hear("whole"))["open"] == []
    registry.open(live_call(service_id=checkout))
    mine = live_call(service_id=checkout, user_id=str(people.charlie.pk))
    registry.open(mine)
    assert [row["id"] for row in (await socket.hear("open"))["open"]] == [mine.id]
    await socket.leave()
