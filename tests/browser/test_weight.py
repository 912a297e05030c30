"""What a page weighs on the wire, by Chromium's own count: the first one, and each after it."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.watching import Watched
from tests.serving import Serving

pytestmark = pytest.mark.browser

FIRST = 600 * 1024
NEXT = 60 * 1024


class Scales:
    """Bytes that came over the wire for a page, headers included; what the browser kept counts nothing."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.parts: dict[str, int] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        addresses: dict[str, str] = {}
        session.on(
            "Network.requestWillBeSent", lambda e: addresses.update({e["requestId"]: e["request"]["url"]})
        )
        session.on("Network.loadingFinished", lambda e: self._finished(addresses, e))

    def _finished(self, addresses: dict[str, str], event: dict[str, Any]) -> None:
        address = addresses.get(event["requestId"], "")
        self.parts[address] = self.parts.get(address, 0) + int(event["encodedDataLength"])

    def weigh(self, address: str) -> int:
        self.parts.clear()
        self.page.goto(address)
        self.page.wait_for_load_state("networkidle")
        return sum(self.parts.values())


def test_the_first_page_is_light_and_the_next_ones_are_lighter(chromium: Browser, server: Serving) -> None:
    key = server.new_key(name="weighed")
    for _ in range(60):
        status, _headers, _body = server.call(
            "POST",
            "/v1/chat/completions",
            {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello."}]},
            key=key,
        )
        assert status == 200
    rows = server.ledger(60)
    watched = Watched(chromium, server)
    # A context of its own with the session alone: signed in, nothing in its cache.
    fresh = chromium.new_context(storage_state=watched.page.context.storage_state())
    scales = Scales(fresh.new_page())
    first = scales.weigh(f"{server.url}/ui/")
    assert 0 < first < FIRST, scales.parts
    assert not [address for address in scales.parts if "material-symbols" in address]
    for path in (
        "/ui/",
        "/ui/requests/",
        f"/ui/requests/{rows[0]['id']}/",
        "/ui/usage/",
        "/ui/get-started/",
        "/ui/live/",
    ):
        scales.weigh(server.url + path)  # its own script, once
        assert not [
            each for each in scales.parts if "chart" in each and path not in ("/ui/", "/ui/usage/")
        ], path
        weight = scales.weigh(server.url + path)
        assert 0 < weight < NEXT, (path, scales.parts)
    fresh.close()
    watched.page.context.close()


def test_nothing_is_compressed_that_shows_a_secret(server: Serving) -> None:
    headers = {"accept-encoding": "gzip"}
    for path in ("/admin/login/", "/ui/sign-in/", "/api/v1/keys/"):
        _status, answered, _body = server.call("GET", path, headers=headers)
        assert "content-encoding" not in answered, path


def test_the_icon_of_the_tab_is_ours(chromium: Browser, server: Serving) -> None:
    page = chromium.new_context().new_page()
    answer = page.goto(f"{server.url}/favicon.ico")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    page.context.close()
