"""The command palette: everybody's, over what they see."""

import pytest

from gateway_project import clock
from keys_app.models import User
from proxy_app.models import Model
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse

ALL = "?range=24h&environment=&service="
HTMX = {"HX-Request": "true"}


def found(browse: Browse, user: User, text: str) -> dict[str, list[str]]:
    """Title of a group -> the addresses in it."""
    answer = browse(user).get("/ui/find/", {"s": text}, headers=HTMX)
    assert answer.status_code == 200
    return {str(title): [each.href for each in group] for title, group in answer.context["groups"]}


def test_without_a_word_the_pages_are_offered(people: People, browse: Browse) -> None:
    groups = found(browse, people.bob, "")
    assert list(groups) == ["Go to"]
    assert f"/ui/live/{ALL}" in groups["Go to"]


@pytest.mark.parametrize(
    ("who", "seen"), [("root", True), ("alice", True), ("bob", False), ("charlie", False)]
)
def test_a_key_is_found_by_who_sees_it(people: People, browse: Browse, who: str, seen: bool) -> None:
    key = people.keys["checkout-prod"]
    for text in ("CHECKOUT-prod", key.last_four):
        groups = found(browse, getattr(people, who), text)
        assert (f"/ui/keys/{key.pk}/" in groups.get("Keys", [])) is seen


@pytest.mark.parametrize(("who", "seen"), [("root", True), ("alice", True), ("charlie", False)])
def test_a_service_and_a_call_are_found_by_who_sees_them(
    people: People, browse: Browse, who: str, seen: bool
) -> None:
    row = make_request(people.keys["checkout-prod"], clock.now())
    save([row])
    viewer = getattr(people, who)
    assert (f"/ui/{ALL}{people.checkout.pk}" in found(browse, viewer, "check").get("Services", [])) is seen
    assert found(browse, viewer, str(row.pk)).get("Calls", []) == (
        [f"/ui/requests/{row.pk}/"] if seen else []
    )


def test_models_that_ones_keys_may_call_are_found(people: People, browse: Browse) -> None:
    for name in ("gpt-hidden", "gpt-open", "gpt-*"):
        Model.objects.create(name=name)
    people.keys["checkout-test"].__class__.objects.filter(user=people.bob).update(models_allowed=["gpt-open"])
    assert found(browse, people.bob, "gpt").get("Models") == [f"/ui/requests/{ALL}&model=gpt-open"]
    assert len(found(browse, people.root, "gpt")["Models"]) == 2


def test_people_and_the_control_pages_are_an_admins(people: People, browse: Browse) -> None:
    assert found(browse, people.root, "charl")["Users"] == [f"/ui/requests/{ALL}&user={people.charlie.pk}"]
    assert (
        f"/admin/keys_app/user/{people.charlie.pk}/change/" in found(browse, people.root, "charl")["Control"]
    )
    assert found(browse, people.alice, "charl") == {}
    assert "Control" not in found(browse, people.alice, "checkout")
    assert any("/admin/" in href for href in found(browse, people.root, "Audit")["Go to"])
    assert found(browse, people.bob, "Audit") == {}


def test_nothing_found_says_what_was_looked_for_and_no_markup(people: People, browse: Browse) -> None:
    page = browse(people.bob).get("/ui/find/", {"s": "<b>zz"}, headers=HTMX).content.decode()
    assert "&lt;b&gt;zz" in page
    assert "<b>zz" not in page
