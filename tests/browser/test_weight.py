"""What a page weighs on the wire, by Chromium's own count: the first one, and each after it."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.admin_pages import SCRIPT
from tests.browser.watching import PAGES, Watched
from tests.serving import Serving

pytestmark = pytest.mark.browser

FIRST = 600 * 1024
NEXT = 60 * 1024
#: Under a name that changes with what is in it.
KEPT = re.compile(r"/static/[^?]+\.[0-9a-f]{12}\.\w+$|/ui/theme\.css\?v=")

#: The names of those in the font that is served.
ICONS = """
from fontTools.ttLib import TTFont
from gateway_project import fonts
font = TTFont(fonts.cut_fonts() / fonts.ICONS)
print(*fonts.icon_names(fonts.ligatures(font)))
"""


class Scales:
    """Bytes over the wire, headers included: of all that a page asks for, and of what had to be fetched."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.fetched: dict[str, int] = {}  # by this page: what the browser kept counts nothing
        self.asked: set[str] = set()
        self._sizes: dict[str, int] = {}  # of what is kept, by any page so far
        addresses: dict[str, str] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda e: self._asked(addresses, e))
        session.on("Network.loadingFinished", lambda e: self._finished(addresses, e))

    def _asked(self, addresses: dict[str, str], event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]
        self.asked.add(event["request"]["url"])

    def _finished(self, addresses: dict[str, str], event: dict[str, Any]) -> None:
        address, size = addresses.get(event["requestId"], ""), int(event["encodedDataLength"])
        self.fetched[address] = self.fetched.get(address, 0) + size
        if size:
            self._sizes.setdefault(address, size)

    def open(self, address: str) -> None:
        self.asked.clear()
        self.fetched.clear()
        self.page.goto(address)
        self.page.evaluate("document.fonts.ready.then(() => true)")

    @property
    def first(self) -> dict[str, int]:
        """What the page weighs for a browser that has nothing of it."""
        return {address: self._sizes.get(address, 0) for address in self.asked}

    @property
    def again(self) -> dict[str, int]:
        """What it weighs for one that has been here: all that is not kept for good."""
        return {address: size for address, size in self.fetched.items() if not KEPT.search(address)}


@pytest.fixture(scope="module")
def paths(server: Serving) -> list[str]:
    """Every page of the window and, from its registry, of the admin."""
    key = server.new_key(name="assistant", budgets=[{"amount_usd": 5, "period": "month"}])
    server.manage("shell", "-c", "from keys_app.models import *; Service.objects.create(name='shop')")
    body = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello."}]}
    for _ in range(60):
        assert server.call("POST", "/v1/chat/completions", body, key=key)[0] == 200
    call = server.ledger(60)[0]["id"]
    made = server.manage("shell", "-v0", "-c", SCRIPT)
    assert made.returncode == 0, made.stderr
    admin = json.loads(made.stdout.splitlines()[-1])["paths"]
    return [*PAGES, f"/ui/requests/{call}/", *(path for path in admin if not path.endswith("/change/"))]


def test_every_page_is_light_the_first_time_and_lighter_after(
    chromium: Browser, server: Serving, paths: list[str]
) -> None:
    watched = Watched(chromium, server)
    # A context of its own with the session alone: signed in, nothing in its cache.
    fresh = chromium.new_context(storage_state=watched.page.context.storage_state())
    scales = Scales(fresh.new_page())
    heavy: dict[str, dict[str, int]] = {}
    for path in paths:
        scales.open(server.url + path)
        first, again = sum(scales.first.values()), sum(scales.again.values())
        if not 0 < again < NEXT or not again < first < FIRST:
            heavy[path] = dict(sorted(scales.first.items(), key=lambda part: -part[1]))
    assert heavy == {}
    # Nothing that is kept for good was fetched twice: the last page is one that was seen before.
    scales.open(server.url + paths[-1])
    assert [address for address in scales.fetched if KEPT.search(address) and scales.fetched[address]] == []
    fresh.close()
    watched.page.context.close()


def test_only_pages_with_a_chart_load_what_draws_it(
    chromium: Browser, server: Serving, paths: list[str]
) -> None:
    watched = Watched(chromium, server)
    scales = Scales(watched.page)
    for path in PAGES:
        scales.open(server.url + path)
        charts = [address for address in scales.asked if "chart" in address]
        assert bool(charts) == (path.split("?")[0] in ("/ui/", "/ui/usage/")), path
        assert not [address for address in scales.asked if "material-symbols" in address], path
    watched.page.context.close()


def test_every_icon_that_was_kept_is_drawn(chromium: Browser, server: Serving) -> None:
    named = server.manage("shell", "-v0", "-c", ICONS)
    assert named.returncode == 0, named.stderr
    icons = named.stdout.split()
    assert len(icons) > 80
    watched = Watched(chromium, server)
    watched.page.goto(f"{server.url}/admin/")
    wide = watched.page.evaluate(
        """async (names) => {
          await document.fonts.load("18px 'Material Symbols Outlined'");
          return names.filter((name) => {
            const icon = document.createElement("span");
            icon.className = "material-symbols-outlined";
            icon.textContent = name;
            document.body.append(icon);
            return Math.round(icon.getBoundingClientRect().width) !== 18;
          });
        }""",
        icons,
    )
    assert wide == []
    watched.page.context.close()


def test_the_icon_of_the_tab_is_ours(chromium: Browser, server: Serving) -> None:
    page = chromium.new_context().new_page()
    answer = page.goto(f"{server.url}/favicon.ico")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    page.context.close()
