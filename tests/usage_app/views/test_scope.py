"""What a page shows is what its address says, and what it links to opens just that: whatever another page
left behind in the session."""

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.test import Client

from tests.seeding import People, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app.pivot import DIMENSIONS

HTMX = {"HX-Request": "true"}
#: Pages that show a range, an environment and a service.
CHOOSING = ("/ui/", "/ui/live/", "/ui/requests/", "/ui/usage/", "/ui/models/", "/ui/prices/")
SUMS = (
    *(f"/ui/?range=24h&by={name}" for name in DIMENSIONS),
    *(f"/ui/usage/?range=24h&by={name}" for name in DIMENSIONS),
    "/ui/usage/?range=24h&by=service&and=environment",
    "/ui/usage/?range=24h&by=model&and=environment&columns=second&measure=requests",
    "/ui/usage/?range=7d&by=service&columns=day&measure=requests",
    "/ui/models/?range=24h",
    "/ui/prices/?range=24h",
    "/ui/?range=24h&environment=test",
)


@pytest.fixture
def client(people: People, browse: Browse) -> Client:
    seed_requests(people, 150, 20)
    return browse(people.root)


def leave(client: Client, people: People) -> None:
    """Look at one service in one environment for an hour, on another page."""
    client.get(f"/ui/requests/?range=1h&environment=experiment&service={people.search.pk}")


def links(client: Client, page: str) -> Iterator[tuple[str, str]]:
    """(address, text) of what a page leads to."""
    text = client.get(page).content.decode()
    for href, inner in re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', text, re.DOTALL):
        if not href.startswith("#"):
            yield urljoin(page, html.unescape(href)), re.sub(r"<[^>]+>|\s", "", html.unescape(inner))


def counted(client: Client, address: str) -> Any:
    path, _, query = address.partition("?")
    return client.get(f"{path}?{query}&fragment=count", headers=HTMX).context["counted"].calls


@pytest.mark.parametrize("page", SUMS)
def test_a_number_opens_the_calls_it_counts_whatever_was_looked_at_elsewhere(
    client: Client, people: People, page: str
) -> None:
    leave(client, people)
    opened = 0
    for address, text in set(links(client, page)):
        if urlsplit(address).path == "/ui/requests/" and text.isdecimal():
            leave(client, people)
            assert counted(client, address) == int(text), address
            opened += 1
    assert opened or "/ui/models/" in page


@pytest.mark.parametrize("by", [*DIMENSIONS])
def test_a_line_of_a_table_opens_its_calls(client: Client, people: People, by: str) -> None:
    for page in (f"/ui/?range=24h&by={by}", f"/ui/usage/?range=24h&by={by}"):
        leave(client, people)
        for row in client.get(page).context["rows"]:
            leave(client, people)
            assert counted(client, urljoin(page, row.link)) == row.totals.requests, row.link


@pytest.mark.parametrize("page", [*SUMS, "/ui/requests/?range=24h", "/ui/live/?range=24h"])
def test_every_link_to_such_a_page_says_its_whole_choice(client: Client, people: People, page: str) -> None:
    leave(client, people)
    found = [address for address, _text in links(client, page) if urlsplit(address).path in CHOOSING]
    assert len(found) > len(CHOOSING)
    for address in found:
        told = parse_qs(urlsplit(address).query, keep_blank_values=True)
        assert {"environment", "service"} <= set(told), address
        assert "range" in told or {"since", "until"} <= set(told), address


def test_the_navigation_keeps_what_a_page_shows(client: Client, people: People) -> None:
    """As after Back: the page is the browser's, the session is another page's."""
    before = list(links(client, "/ui/usage/?range=yesterday"))
    leave(client, people)
    address = next(address for address, text in before if text == "Usage")
    chosen = client.get(address).context["selection"]
    assert (chosen.range, chosen.environment, chosen.service_id) == ("yesterday", "", "")


def test_parts_of_a_page_keep_its_choice_and_leave_that_of_others(client: Client, people: People) -> None:
    text = client.get("/ui/?by=key").content.decode()
    found = re.search(r'hx-get="([^"]*fragment=body)"', text)
    assert found
    leave(client, people)
    part = client.get(urljoin("/ui/", html.unescape(found[1])), headers=HTMX)
    chosen = part.context["selection"]
    assert (chosen.range, chosen.environment, chosen.service_id) == ("24h", "", "")
    assert client.get("/ui/usage/").context["selection"].environment == "experiment"


def test_the_calls_of_a_key_and_of_a_service_are_all_of_them(client: Client, people: People) -> None:
    key = people.keys["checkout-test"]
    leave(client, people)
    for page, wanted in (
        (f"/ui/keys/{key.pk}/", f"key={key.pk}"),
        (f"/ui/services/{people.checkout.pk}/", f"service={people.checkout.pk}"),
        (f"/admin/keys_app/virtualkey/{key.pk}/change/", f"key={key.pk}"),
    ):
        found = [address for address, _text in links(client, page) if f"&{wanted}" in address]
        assert found, page
        for address in found:
            leave(client, people)
            chosen = client.get(address).context["selection"]
            assert chosen.environment == "", address
            assert ("service" in wanted) is bool(chosen.service_id), address


def test_what_the_palette_finds_keeps_the_page_it_was_opened_on(client: Client, people: People) -> None:
    text = client.get("/ui/usage/?range=7d&environment=test").content.decode()
    found = re.search(r'hx-get="(/ui/find/[^"]*)"', text)
    assert found
    leave(client, people)
    groups = client.get(f"{html.unescape(found[1])}&s=", headers=HTMX).context["groups"]
    hrefs = {each.label: each.href for each in groups[0][1]}
    chosen = client.get(hrefs["Models"]).context["selection"]
    assert (chosen.range, chosen.environment, chosen.service_id) == ("7d", "test", "")
    assert hrefs["Budgets"] == "/ui/budgets/"


def test_what_is_exported_or_saved_is_what_the_page_shows_without_scripts_too(
    client: Client, people: People
) -> None:
    text = client.get("/ui/requests/?model=gpt-5").content.decode()
    queries = [html.unescape(found) for found in re.findall(r'name="query" value="([^"]*)"', text)]
    assert len(queries) == 2
    for query in queries:
        told = parse_qs(query.lstrip("?"), keep_blank_values=True)
        assert told == {"model": ["gpt-5"], "range": ["24h"], "environment": [""], "service": [""]}
