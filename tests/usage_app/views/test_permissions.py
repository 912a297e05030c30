"""Who sees what: nobody sees a trace of calls that are not theirs, on any page or fragment."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from gateway_project import clock
from tests.seeding import People, make_attempt, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.models import Request

PAGES = (
    "/ui/",
    "/ui/live/",
    "/ui/requests/",
    "/ui/usage/",
    "/ui/usage/?by=key&and=service&columns=day",
    "/ui/usage/?by=client",
    "/ui/exports/",
    "/ui/budgets/",
    "/ui/models/",
    "/ui/prices/",
    "/ui/get-started/",
)
FRAGMENTS = (
    "/ui/?fragment=body&by=key",
    "/ui/?fragment=body&by=service",
    "/ui/?fragment=body&by=user",
    "/ui/requests/?fragment=table",
    "/ui/requests/?fragment=tail",
    "/ui/requests/?fragment=choices",
    "/ui/requests/?fragment=count",
    "/ui/get-started/?fragment=first",
)


@pytest.fixture
def secret_call(people: People) -> Request:
    row = make_request(
        people.keys["checkout-prod"],
        clock.now() - timedelta(minutes=2),
        model="claude-opus-4-1",
        session="session-of-checkout",
        end_user="someone@checkout",
    )
    save([row])
    make_attempt(row).save()
    return row


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_sent_to_sign_in_and_back(people: People, page: str) -> None:
    answer = Client().get(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/ui/sign-in/?next=/ui/")


def test_a_fragment_of_a_signed_out_page_sends_the_whole_page_to_sign_in(people: People) -> None:
    answer = Client().get("/ui/?fragment=body", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/ui/sign-in/")


@pytest.mark.parametrize("page", (*PAGES, *FRAGMENTS))
def test_charlie_finds_no_trace_of_checkout_anywhere(
    people: People, secret_call: Request, browse: Browse, page: str
) -> None:
    headers = {"HX-Request": "true"} if "fragment" in page else {}
    answer = browse(people.charlie).get(page, headers=headers)
    assert answer.status_code == 200
    text = answer.content.decode()
    for trace in ("checkout", "claude-opus-4-1", str(secret_call.pk), "someone@"):
        assert trace not in text


def test_naming_another_service_in_the_address_shows_nothing_of_it(
    people: People, secret_call: Request, browse: Browse
) -> None:
    for page in ("/ui/", "/ui/requests/"):
        text = browse(people.charlie).get(page, {"service": str(people.checkout.pk)}).content.decode()
        assert "checkout-prod" not in text
        assert str(secret_call.pk) not in text


def test_a_call_that_is_not_yours_is_as_if_it_were_not_there(
    people: People, secret_call: Request, browse: Browse
) -> None:
    address = reverse("ui:request", args=[secret_call.pk])
    assert "checkout-prod" not in browse(people.charlie).get(address).content.decode()
    old = make_request(people.keys["checkout-prod"], clock.now() - timedelta(days=1))
    save([old])
    assert browse(people.charlie).get(reverse("ui:request", args=[old.pk])).status_code == 404
    assert browse(people.alice).get(reverse("ui:request", args=[old.pk])).status_code == 200


def test_a_manager_sees_the_calls_of_the_managed_service_and_no_other(
    people: People, secret_call: Request, browse: Browse
) -> None:
    other = make_request(people.keys["search-prod"], clock.now() - timedelta(minutes=1))
    save([other])
    text = browse(people.alice).get("/ui/requests/").content.decode()
    assert str(secret_call.pk) in text
    assert str(other.pk) not in text


def test_a_member_of_a_service_sees_only_own_calls(
    people: People, secret_call: Request, browse: Browse
) -> None:
    own = make_request(people.keys["checkout-test"], clock.now() - timedelta(minutes=1))
    save([own])
    text = browse(people.bob).get("/ui/requests/").content.decode()
    assert str(own.pk) in text
    assert str(secret_call.pk) not in text


def test_the_admin_is_in_an_admins_navigation_only(people: People, browse: Browse) -> None:
    assert "/admin/" in browse(people.root).get("/ui/").content.decode()
    assert "/admin/" not in browse(people.bob).get("/ui/").content.decode()


def test_connecting_a_provider_is_offered_to_admins_only(people: People, browse: Browse) -> None:
    assert "data-connect" in browse(people.root).get("/ui/get-started/").content.decode()
    assert "data-connect" not in browse(people.alice).get("/ui/get-started/").content.decode()


def test_the_ledgers_balance_is_shown_to_admins_only(
    people: People, secret_call: Request, browse: Browse
) -> None:
    assert "gh-balance" in browse(people.root).get("/ui/").content.decode()
    assert "gh-balance" not in browse(people.alice).get("/ui/").content.decode()
