"""charlie is a stranger to a service: whatever charlie asks, the answer is as if the service did not exist.

Every address comes from the URL configuration, so a new one is covered by being there.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from gateway_project import clock
from keys_app.issuing import issue_key
from keys_app.models import Budget, Service, User, VirtualKey
from tests.keys_app.cast import JSON, with_key
from tests.keys_app.matrix.table import ADMIN_PREFIX
from tests.keys_app.matrix.walking import filled, routes
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from tests.usage_app.views.reading import FORMATS, read_export
from tests.usage_app.views.secret_service import (
    BUDGET,
    CALL,
    EXPORT,
    KEY,
    LAST_FOUR,
    MARK,
    OWNER,
    SERVICE,
    TRACES,
    keep_secret,
)

HOLES = (
    *("pk", "id", "request_id", "key_id", "view_id", "export_id", "budget_id", "price_id"),
    *("service_id", "user", "token", "action", "environment", "url"),
)
ASKED_FOR = tuple(str(each) for each in (SERVICE, KEY, OWNER, BUDGET, EXPORT, CALL))
#: What a page would remember of the address before; a later value of the same name wins.
UNCHOSEN = "range=24h&service=&environment="
#: Questions that pages and endpoints answer; what one does not know it ignores or refuses.
PAGE_QUERIES = (
    "",
    f"service={SERVICE}",
    f"environment=test&key={KEY}&user={OWNER}&range=30d",
    "range=7d&by=service&and=deployment&compare=1",
    "range=month&by=user&and=provider&columns=second&measure=requests",
    "range=7d&by=key&columns=day",
    f"s={MARK[1:]}",  # what the palette looks for; without its first letter, for it is said back
    f"s={CALL}",
    "by=tag",
    "by=client&columns=month",
    f"q={MARK}",
    f"q={LAST_FOUR}&sort=-cost&columns=provider&columns=tags",
)
API_QUERIES = (
    "",
    f"service={SERVICE}",
    f"service={MARK}-vault&limit=500",
    f"key={KEY}",
    "group_by=service,key,user,model,provider,deployment",
    "group_by=environment,status&interval=hour",
)
FRAGMENTS = ("body", "table", "tail", "choices", "count", "first", "list", "said")
EXPORTS = (
    ("requests", "range=24h"),
    ("requests", f"range=24h&service={SERVICE}"),
    ("requests", f"range=24h&session={MARK}-session"),
    ("usage", "range=24h&by=service&and=key"),
    ("usage", f"range=30d&by=tag&environment=&service={SERVICE}"),
    ("usage", "range=7d&by=user&columns=hour&service="),
)
#: What somebody might send: ids of what is secret, in the fields that forms and bodies have.
BODIES: tuple[dict[str, object], ...] = (
    {},
    {"key": str(KEY), "model": "sandbox"},
    {"keys": [str(KEY)], "action": "block"},
    {"service": str(SERVICE), "name": "mine"},
    {"user": str(OWNER), "name": "mine"},
)
#: They end the session that asks.
LEAVING = ("ui/sign-out/", "ui/sessions/")
#: Told anew in every answer: tokens against forgery.
VOLATILE = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": "[^"]*"|data-token="[^"]*"')


def addresses() -> Iterator[tuple[str, dict[str, str]]]:
    """(address, headers) of everything that may be got: each hole with ids of what is secret."""
    for route in routes():
        if route.startswith(ADMIN_PREFIX):
            continue
        for value in ASKED_FOR if "<" in route else [""]:
            path = filled(route, dict.fromkeys(HOLES, value))
            is_page = route.startswith("ui/")
            if not is_page:
                yield from ((f"{path}?{query}", {}) for query in (("",) if value else API_QUERIES))
                continue
            for query in ("",) if value else PAGE_QUERIES:
                yield f"{path}?{UNCHOSEN}&{query}", {}
            for fragment in ("said",) if value else FRAGMENTS:
                yield f"{path}?{UNCHOSEN}&by=service&fragment={fragment}", {"HX-Request": "true"}


def answers(client: Client, *, start: str = "/") -> dict[str, str]:
    """What every address says to somebody who remembers no choice, without what is told anew each time."""
    forget_choices(client)
    found = {}
    for address, headers in addresses():
        if address.startswith(start):
            answer = client.get(address, headers=headers)
            told = b"".join(answer) if answer.streaming else answer.content
            text = f"{answer.status_code} {answer.get('Location', '')} {told.decode()}"
            found[address] = VOLATILE.sub("", text)
    return found


def files(client: Client) -> dict[str, str]:
    """What every export holds."""
    return {
        f"{kind}.{file_format}?{query}": repr(read_export(client, kind, query, file_format))
        for kind, query in EXPORTS
        for file_format in FORMATS
    }


def sendings() -> Iterator[tuple[str, str, dict[str, object]]]:
    """(method, address, body) of what may be sent anywhere."""
    for route in routes():
        if route.startswith(ADMIN_PREFIX) or route in LEAVING:
            continue
        methods = ("post",) if route.startswith("ui/") else ("post", "patch", "delete")
        for value in (str(SERVICE), str(KEY), str(CALL)) if "<" in route else [""]:
            path = filled(route, dict.fromkeys(HOLES, value))
            for method, body in product(methods, BODIES[:2] if value else BODIES):
                yield method, path, body


def forget_choices(client: Client) -> None:
    session = client.session
    for name in [name for name, _value in session.items() if not name.startswith("_auth")]:
        del session[name]
    session.save()


def traces(address: str, told: str) -> list[str]:
    """What of the secret an answer holds that its address did not name."""
    named = quote(address).lower() + address.lower()
    return [trace for trace in TRACES if trace in told.lower() and trace not in named]


def leaks(told: dict[str, str]) -> dict[str, list[str]]:
    return {address: found for address, text in told.items() if (found := traces(address, text))}


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Addresses that say something else, with the first line that does."""
    return [
        f"{address}: {lines}"
        for address, text in after.items()
        if (lines := list(set(text.splitlines()) ^ set(before[address].splitlines()))[:2])
    ]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands, so that an answer that is given twice is the same."""
    at = clock.now()

    class Still(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return at

        @classmethod
        def fromtimestamp(cls, timestamp: float, tz: Any = None) -> Any:
            return datetime.fromtimestamp(timestamp, tz)

    monkeypatch.setattr(clock, "datetime", Still)


@pytest.fixture
def house(people: People) -> People:
    """charlie and vera have calls of their own, so their pages are not merely empty."""
    vera = User.objects.create_user("vera", role=User.Role.VIEWER)
    key, _secret = issue_key(name="vera's own", user=vera)
    for each in (people.keys["charlie-notebook"], key):
        at = clock.now() - timedelta(hours=2)
        save([make_request(each, at, model="sandbox", cost_nanodollars=1_000)])
    return people


def test_every_answer_to_a_stranger_is_as_if_the_service_did_not_exist(house: People, browse: Browse) -> None:
    client = browse(house.charlie)
    before = {**answers(client), **files(client)}
    keep_secret()
    after = {**answers(client), **files(client)}
    assert leaks(after) == {}
    assert changes(before, after) == []


def test_a_viewer_who_is_a_stranger_finds_no_trace(house: People, browse: Browse) -> None:
    keep_secret()
    client = browse(User.objects.get(username="vera"))
    assert leaks({**answers(client), **files(client)}) == {}


def test_a_strangers_key_finds_no_more(house: People) -> None:
    _key, secret = issue_key(name="charlie's program", user=house.charlie)
    client = with_key(secret)
    before = answers(client, start="/api/")
    keep_secret()
    after = answers(client, start="/api/")
    assert leaks(after) == {}
    assert changes(before, after) == []


def test_whatever_a_stranger_sends_the_answer_holds_no_trace_and_nothing_is_changed(
    house: People, browse: Browse
) -> None:
    keep_secret()
    client = browse(house.charlie)
    rows = [list(model.objects.order_by("pk").values()) for model in (Service, Budget)]
    keys = list(VirtualKey.objects.filter(service_id=SERVICE).values())
    told = {}
    for method, path, body in sendings():
        send = getattr(client, method)
        told[f"{method} {path} {body}"] = send(path, body, **JSON).content.decode()
        if path.startswith("/ui/"):
            told[f"form {path} {body}"] = client.post(path, body).content.decode()
    assert leaks(told) == {}
    assert [list(model.objects.order_by("pk").values()) for model in (Service, Budget)] == rows
    assert list(VirtualKey.objects.filter(service_id=SERVICE).values()) == keys


def test_a_refusal_calls_nobody_and_nothing_by_name(house: People, browse: Browse) -> None:
    keep_secret()
    for body in ({"service": str(SERVICE)}, {"service": str(house.checkout.pk), "user": str(OWNER)}):
        answer = browse(house.alice).post("/api/v1/keys/", {"name": "new", **body}, **JSON)
        assert answer.status_code == 403
        assert traces("", answer.content.decode()) == []


def test_who_may_see_the_service_finds_every_trace_at_the_same_addresses(
    house: People, browse: Browse
) -> None:
    keep_secret()
    root = browse(house.root)
    told = {**answers(root), **files(root)}
    found = {trace for address, text in told.items() for trace in traces(address, text)}
    owner = browse(User.objects.get(pk=OWNER))
    found |= set(traces("", owner.get("/ui/exports/").content.decode()))
    found |= set(traces("", owner.get("/ui/requests/").content.decode()))
    assert set(TRACES) - found == set()
    telling = {re.split(r"[?.]", address)[0] for address in leaks(told)}
    assert telling >= {
        *("/ui/", "/ui/requests/", "/ui/usage/", "/ui/budgets/", f"/ui/requests/{CALL}/"),
        *("/api/v1/keys/", "/api/v1/services/", "/api/v1/users/", "/api/v1/budgets/", "/api/v1/usage/"),
        *("/api/v1/requests/", f"/api/v1/requests/{CALL}/", f"/api/v1/keys/{KEY}/", "requests", "usage"),
    }


def test_a_chosen_service_that_one_does_not_see_is_told_and_can_be_left(
    people: People, browse: Browse
) -> None:
    client = browse(people.charlie)
    page = client.get("/ui/requests/", {"service": str(people.checkout.pk)}).content.decode()
    assert '<option value="">All services</option>' in page
    assert "A service you do not see" in page
    assert "checkout" not in page
    assert 'name="service"' not in client.get("/ui/requests/", {"service": ""}).content.decode()
    assert "A service you do not see" not in browse(people.root).get("/ui/").content.decode()
