"""Signing in and out, the language, the policy on scripts, and addresses that lead nowhere."""

import re

from django.test import Client

from gateway_project.csp import FOR_UNFOLD, STRICT
from tests.seeding import People
from tests.usage_app.views.conftest import Browse


def test_name_and_password_open_the_page_that_was_asked_for(people: People) -> None:
    client = Client()
    answer = client.post(
        "/ui/sign-in/?next=/ui/live/", {"username": "bob", "password": "a long password", "next": "/ui/live/"}
    )
    assert answer.status_code == 302
    assert answer["Location"] == "/ui/live/"
    assert client.get("/ui/live/").status_code == 200


def test_a_wrong_password_and_an_unknown_name_read_the_same(people: People) -> None:
    def told(name: str) -> str:
        page = Client().post("/ui/sign-in/", {"username": name, "password": "wrong"}).content.decode()
        return page[page.index('role="alert"') : page.index("<form")]

    assert told("bob") == told("nobody")


def test_what_is_to_be_typed_next_has_the_focus(people: People) -> None:
    def focused(page: str) -> list[str]:
        return re.findall(r'<input [^>]*name="(\w+)"[^>]* autofocus', page)

    client = Client()
    assert focused(client.get("/ui/sign-in/").content.decode()) == ["username"]
    again = client.post("/ui/sign-in/", {"username": "bob", "password": "wrong"})
    assert focused(again.content.decode()) == ["password"]


def test_a_foreign_address_is_never_followed_after_sign_in(people: People) -> None:
    answer = Client().post(
        "/ui/sign-in/",
        {"username": "bob", "password": "a long password", "next": "https://elsewhere.example/"},
    )
    assert answer["Location"] == "/ui/"


def test_signing_out_takes_a_post(people: People, browse: Browse) -> None:
    client = browse(people.bob)
    assert client.get("/ui/sign-out/").status_code == 405
    assert client.get("/ui/").status_code == 200
    assert client.post("/ui/sign-out/").status_code == 302
    assert client.get("/ui/").status_code == 302


def test_the_language_is_kept_for_the_browser_and_the_person(people: People, browse: Browse) -> None:
    client = browse(people.bob)
    answer = client.post("/ui/language/", {"language": "ko", "next": "/ui/live/"})
    assert answer["Location"] == "/ui/live/"
    assert '<html lang="ko">' in client.get("/ui/live/").content.decode()
    people.bob.refresh_from_db()
    assert people.bob.language == "ko"


def test_a_language_that_is_not_there_changes_nothing(people: People, browse: Browse) -> None:
    client = browse(people.bob)
    client.post("/ui/language/", {"language": "xx", "next": "//elsewhere.example"})
    people.bob.refresh_from_db()
    assert people.bob.language == ""


def test_our_pages_allow_no_inline_script_or_style_and_the_admin_what_unfold_needs(
    people: People, browse: Browse
) -> None:
    client = browse(people.root)
    for page in ("/ui/", "/ui/sign-in/", "/ui/requests/", "/ui/nothing/"):
        assert client.get(page)["Content-Security-Policy"] == STRICT
    assert client.get("/admin/")["Content-Security-Policy"] == FOR_UNFOLD
    assert "unsafe" not in STRICT


def test_an_unknown_page_is_a_page(people: People, browse: Browse) -> None:
    signed_in = browse(people.bob).get("/ui/nothing/")
    assert signed_in.status_code == 404
    assert "gh-sidebar" in signed_in.content.decode()
    stranger = Client().get("/ui/nothing/")
    assert stranger.status_code == 404
    assert "gh-sidebar" not in stranger.content.decode()


def test_the_themes_colours_come_as_a_stylesheet(db: None) -> None:
    answer = Client().get("/ui/theme.css")
    assert answer["Content-Type"].startswith("text/css")
    assert "--color-primary-600:" in answer.content.decode()
