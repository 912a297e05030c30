"""The Playground: whose keys it offers, and whom it gives a grant for which."""

import pytest

from gateway_project.clock import now, now_ms
from keys_app.grants import read_grant
from keys_app.models import User, VirtualKey
from tests.seeding import People
from tests.usage_app.views.conftest import Browse


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("root", {"checkout-prod", "checkout-test", "search-prod", "search-lab", "charlie-notebook"}),
        ("alice", {"checkout-prod", "checkout-test"}),
        ("bob", {"checkout-test"}),
        ("charlie", {"charlie-notebook"}),
    ],
)
def test_one_calls_as_keys_that_one_may_use(
    people: People, browse: Browse, who: str, names: set[str]
) -> None:
    client = browse(getattr(people, who))
    page = client.get("/ui/playground/")
    assert {key.name for key in page.context["keys"]} == names
    for name, key in people.keys.items():
        answer = client.post("/ui/playground/grant/", {"key": str(key.pk)})
        assert answer.status_code == (200 if name in names else 404), name
        if name in names:
            claim = read_grant(answer.json()["grant"], now_ms())
            assert claim is not None
            assert (claim.key_id, claim.username) == (str(key.pk), who)
            assert "no-store" in answer["Cache-Control"]


def test_a_key_that_does_not_work_is_not_offered_and_gets_no_grant(people: People, browse: Browse) -> None:
    VirtualKey.objects.filter(name="checkout-prod").update(blocked_at=now())
    VirtualKey.objects.filter(name="checkout-test").update(expires_at=now())
    client = browse(people.alice)
    assert "No key to call with" in client.get("/ui/playground/").content.decode()
    for name in ("checkout-prod", "checkout-test"):
        key = people.keys[name]
        assert client.post("/ui/playground/grant/", {"key": str(key.pk)}).status_code == 404


def test_who_only_looks_calls_nothing(people: People, browse: Browse) -> None:
    User.objects.filter(pk=people.bob.pk).update(role=User.Role.VIEWER)
    people.bob.refresh_from_db()
    client = browse(people.bob)
    assert "only looks" in client.get("/ui/playground/").content.decode()
    key = people.keys["checkout-test"]
    assert client.post("/ui/playground/grant/", {"key": str(key.pk)}).status_code == 404


@pytest.mark.parametrize("wanted", ["", "no-id", "00000000-0000-0000-0000-000000000000"])
def test_rubbish_gets_no_grant(people: People, browse: Browse, wanted: str) -> None:
    assert browse(people.root).post("/ui/playground/grant/", {"key": wanted}).status_code == 404


def test_the_address_names_the_models_to_begin_with(people: People, browse: Browse) -> None:
    page = browse(people.root).get("/ui/playground/?model=a&model=b&model=&model=c&model=d&model=e")
    assert page.context["chosen"] == ["a", "b", "c", "d"]


def test_get_started_offers_a_persons_own_key_before_those_of_others(people: People, browse: Browse) -> None:
    newer = VirtualKey.objects.create(
        name="newer", user=people.charlie, secret_hash="f" * 64, environment="production"
    )
    keys = browse(people.root).get("/ui/get-started/").context["keys"]
    assert [keys[0].user, keys[1]] == [people.root, newer]


def test_the_playground_does_not_begin_with_somebody_elses_key_of_production(
    people: People, browse: Browse
) -> None:
    """What an admin asks in the Playground is billed to the key it begins with."""
    people.keys["search-lab"].delete()
    environments = [key.environment for key in browse(people.root).get("/ui/playground/").context["keys"]]
    assert environments[0] != "production" and environments[-2:] == ["production", "production"]
