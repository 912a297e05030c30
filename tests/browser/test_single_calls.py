"""One call in Chromium: on Live while its second try is under way, and on its page, on a phone too."""

import json
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from gateway_project import clock
from tests.browser.watching import Watched, stream
from tests.serving import Serving

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
#: A model whose first deployment fails and whose second one takes its time.
CONFIG = {
    "providers": [{"name": "first", "kind": "sandbox"}, {"name": "spare", "kind": "sandbox"}],
    "models": [
        {
            "name": "claude-opus-4-1-fallen-back",
            "strategy": "in_order",
            "deployments": [
                {
                    "provider": "first",
                    "model": "sandbox/error-503",
                    "order": 1,
                    "price": {"input": 1, "output": 5},
                },
                {
                    "provider": "spare",
                    "model": "sandbox/slow",
                    "order": 2,
                    "price": {"input": 1, "output": 5},
                },
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving(config_yaml=json.dumps(CONFIG)) as server:
        yield server


def is_whole(cell: Locator) -> bool:
    """Nothing of its text is cut."""
    return bool(cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth"))


@pytest.mark.parametrize("width", [1440, 390])
def test_a_second_try_and_the_first_token_are_on_live(chromium: Browser, server: Serving, width: int) -> None:
    server.call("POST", "/api/v1/services/", {"name": "checkout assistant of the shop"})
    services = server.call("GET", "/api/v1/services/")[2]["results"]
    key = server.new_key(name="fallen back", service=services[0]["id"], environment="experiment")
    watched = Watched(chromium, server, viewport=PHONE | {"width": width}, locale="en-US")
    page = watched.page
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator("[data-connection].is-live")).to_be_visible()
    caller = threading.Thread(target=stream, args=(server, key, "claude-opus-4-1-fallen-back"))
    caller.start()
    try:
        row = page.locator('[data-list="flying"] .gh-live-row:not([hidden])')
        expect(row.locator(".gh-live-try")).to_have_text("try 2: spare/sandbox/slow", timeout=8000)
        expect(row.locator(".gh-live-ttft")).to_have_text(re.compile(r"\d\.\d\ss$"), timeout=15000)
        expect(row.locator(".gh-live-cost")).to_have_text(re.compile(r"^\$0\.\d+"), timeout=5000)
        assert is_whole(row.locator(".gh-live-cost"))
        assert is_whole(row.locator(".gh-live-try"))
        mark = row.locator(".gh-live-service .gh-mark").bounding_box()
        service = row.locator(".gh-live-service").bounding_box()
        assert mark
        assert service
        assert mark["x"] + mark["width"] <= service["x"] + service["width"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("[data-pause]")
        expect(page.locator("[data-connection]")).to_contain_text(re.compile(r"Paused at \d\d:\d\d:\d\d;"))
    finally:
        caller.join()
    assert watched.complaints == []
    page.context.close()


def test_a_call_that_is_not_there_is_not_asked_for_again(chromium: Browser, server: Serving) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/requests/" in request.url else None)
    page.goto(f"{server.url}/ui/requests/{clock.uuid7_at(clock.now_ms() - 9_000, 5)}/")
    expect(page.get_by_text("This call is still being written.")).to_be_visible()
    expect(page.get_by_text("There is no call of this id that you may see.")).to_be_visible(timeout=4000)
    del asked[:]
    page.wait_for_timeout(2500)
    assert asked == []
    page.context.close()


def test_a_call_in_flight_is_shown_and_opens_at_its_end(chromium: Browser, server: Serving) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator("[data-connection].is-live")).to_be_visible()
    caller = threading.Thread(target=stream, args=(server, server.new_key(), "sandbox/slow"))
    caller.start()
    try:
        page.locator('[data-list="flying"] .gh-live-row:not([hidden])').first.click()
        expect(page.get_by_text("This call is in flight.")).to_be_visible(timeout=5000)
    finally:
        caller.join()
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible(timeout=8000)
    assert watched.complaints == []
    page.context.close()


def test_what_a_failed_attempt_was_told_has_the_whole_width_of_a_phone(
    chromium: Browser, server: Serving
) -> None:
    body = {"model": "sandbox/error-503", "messages": [{"role": "user", "content": "Hello."}]}
    assert server.call("POST", "/v1/chat/completions", body, key=server.new_key())[0] >= 500
    call = server.ledger(1, model="sandbox/error-503")[0]["id"]
    watched = Watched(chromium, server, viewport=PHONE)
    page = watched.page
    page.goto(f"{server.url}/ui/requests/{call}/")
    box = page.locator("td.is-prose").first.bounding_box()
    assert box
    assert box["width"] > 290
    assert box["height"] < 110
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.context.close()
