"""Forms that are out of date, and pages that fail: in the house's look and words, without the inside."""

import logging

import pytest
from django.test import Client, RequestFactory
from django.utils import translation

from gateway_project.csp import STRICT
from tests.seeding import PASSWORD, People
from tests.usage_app.views.conftest import Browse
from usage_app.views import failures
from usage_app.views.overview import OverviewView


def sign_in_form(client: Client) -> dict[str, str]:
    """What a tab with the sign-in page sends, whenever it is sent."""
    page = client.get("/ui/sign-in/?next=/ui/live/").content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    return {
        "username": "bob",
        "password": PASSWORD,
        "next": "/ui/live/",
        "csrfmiddlewaretoken": token,
    }


def test_who_signs_in_in_two_tabs_goes_on_in_both(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    first, second = sign_in_form(client), sign_in_form(client)
    for form in (first, second):
        answer = client.post("/ui/sign-in/", form)
        assert (answer.status_code, answer["Location"]) == (302, "/ui/live/")
    foreign = second | {"next": "https://elsewhere.example/"}
    assert client.post("/ui/sign-in/", foreign)["Location"] == "/ui/"


def test_a_form_that_is_out_of_date_says_so_and_leads_back(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.bob)
    answer = client.post("/ui/sign-out/", headers={"Referer": "http://testserver/ui/budgets/"})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Nothing was changed." in page
    assert 'href="http://testserver/ui/budgets/"' in page
    assert "gh-sidebar" in page
    assert answer["Content-Security-Policy"] == STRICT and "style=" not in page and "<style" not in page
    assert client.get("/ui/").status_code == 200
    elsewhere = client.post("/ui/sign-out/", headers={"Referer": "https://elsewhere.example/"})
    assert "elsewhere" not in elsewhere.content.decode()
    stranger = Client(enforce_csrf_checks=True).post("/ui/sign-in/", {}, headers={"Accept-Language": "ko"})
    assert stranger.status_code == 403
    assert '<html lang="ko">' in stranger.content.decode()


def test_a_page_that_fails_says_what_was_not_lost_and_no_detail(
    people: People, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the inside of it")

    monkeypatch.setattr(OverviewView, "get", fail)
    client = Client(raise_request_exception=False)
    client.force_login(people.bob)
    with caplog.at_level(logging.ERROR):
        answer = client.get("/ui/?range=7d", headers={"Accept-Language": "ko"})
    page = answer.content.decode()
    assert answer.status_code == 500
    assert '<html lang="ko">' in page
    assert 'href="/ui/?range=7d"' in page
    assert "the inside of it" not in page and "RuntimeError" not in page
    failure_id = page.split('<code class="gh-mono">')[1].split("<")[0]
    assert any(failure_id in record.getMessage() for record in caplog.records)


def test_the_page_of_a_failure_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not marked for one: a query would fail. Nor does it need what middleware adds to a request."""
    with translation.override("en"):
        answer = failures.failed(RequestFactory().post("/ui/keys/new/"))
    assert answer.status_code == 500
    assert "This page could not be made" in answer.content.decode()
    assert "/ui/keys/new/" not in answer.content.decode()  # what was sent is not sent again by a link


@pytest.mark.parametrize("path", ["/api/v1/keys/", "/key/info"])
def test_who_asks_an_api_is_told_in_json(path: str) -> None:
    request = RequestFactory().post(path)
    answers = {
        404: failures.not_found(request),
        403: failures.no_permission(request),
        500: failures.failed(request),
    }
    for status, told in (*answers.items(), (403, failures.not_from_this_page(request))):
        assert told.status_code == status
        assert told["Content-Type"] == "application/problem+json"


def test_an_address_of_the_api_that_is_none_is_told_in_json(people: People, browse: Browse) -> None:
    answer = browse(people.bob).get("/api/v1/nothing/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
