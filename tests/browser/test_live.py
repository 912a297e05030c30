"""Live when something goes wrong, and under somebody's hand: it says what is old, and no row slips away."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPException

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.watching import Watched, stream
from tests.serving import Serving

pytestmark = pytest.mark.browser
LIVE = re.compile("/ui/ws/live/")
LOST, LIVELY = "[data-connection].is-lost", "[data-connection].is-live"
FLYING = '[data-list="flying"] .gh-live-row:not([hidden])'

Start = Callable[[], None]


class Line:
    """The page's sockets on their way to the server; it may be cut, and each may be closed."""

    def __init__(self, page: Page) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.is_cut = False
        page.route_web_socket(LIVE, self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close(code=1012)
            return
        socket.connect_to_server()
        self.sockets.append(socket)

    def close(self, code: int) -> None:
        self.sockets[-1].close(code=code)


@pytest.fixture
def start(server: Serving) -> Iterator[Start]:
    """Starts a slow call; each is stopped at the end."""
    status, _, made = server.call("POST", "/api/v1/keys/", {"name": "slow caller"})
    assert status == 201
    key = made["key"]
    callers: list[threading.Thread] = []

    def call() -> None:
        with contextlib.suppress(OSError, HTTPException):  # a call that is stopped ends early
            stream(server, key, "sandbox/slow")

    def begin() -> None:
        callers.append(threading.Thread(target=call))
        callers[-1].start()

    yield begin
    server.call("POST", "/api/v1/requests/stop", {"key": made["id"]})
    for caller in callers:
        caller.join()


def test_what_is_not_told_any_more_stands_still_and_comes_back_by_itself(
    chromium: Browser, server: Serving, start: Start
) -> None:
    watched = Watched(chromium, server)
    page, line = watched.page, Line(watched.page)
    page.goto(f"{server.url}/ui/live/")
    start()
    time = page.locator(f"{FLYING} .gh-live-time")
    expect(time).to_have_text(re.compile(r"\d"), timeout=5000)
    line.is_cut = True
    line.close(1012)
    expect(page.locator(LOST)).to_contain_text("Connection lost; what you see is from")
    stood = time.inner_text()
    page.evaluate("new Promise((later) => setTimeout(later, 700))")  # three drawings and more
    assert time.inner_text() == stood
    expect(page.locator("[data-in-flight]")).to_be_hidden()
    line.is_cut = False
    expect(page.locator(LIVELY)).to_be_visible(timeout=15000)
    expect(page.locator(FLYING)).to_have_count(1, timeout=5000)
    expect(time).not_to_have_text(stood)
    page.context.close()


def test_the_last_minute_counts_what_was_before_the_page(chromium: Browser, server: Serving) -> None:
    key = server.new_key(name="early caller")
    for _ in range(3):
        stream(server, key, "sandbox/fast")
    page = Watched(chromium, server).page
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator(LIVELY)).to_be_visible()
    expect(page.locator('[data-figure="started"]')).to_have_text(re.compile("^[1-9]"))
    expect(page.locator('[data-figure="spend"]')).not_to_have_text("$0.00")


def test_who_was_too_slow_or_is_signed_out_is_told_and_shown_the_way(
    chromium: Browser, server: Serving
) -> None:
    watched = Watched(chromium, server)
    page, line = watched.page, Line(watched.page)
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator(LIVELY)).to_be_visible()
    line.is_cut = True
    line.close(4408)
    expect(page.locator(LOST)).to_be_visible()
    line.is_cut = False
    expect(page.locator(LIVELY)).to_be_visible(timeout=15000)
    sign_in = page.locator("#live [data-sign-in]")
    expect(sign_in).to_be_hidden()
    line.close(4401)
    expect(page.locator(LOST)).to_contain_text("You are signed out.")
    expect(sign_in).to_have_attribute("href", re.compile(r"/ui/sign-in/\?next=/ui/live/"))
    expect(sign_in).to_be_visible()
    page.context.close()


def test_no_row_moves_under_a_pointer_or_the_focus(chromium: Browser, server: Serving, start: Start) -> None:
    watched = Watched(chromium, server)
    page, rows = watched.page, watched.page.locator(FLYING)
    page.goto(f"{server.url}/ui/live/")
    start()
    expect(rows).to_have_count(1, timeout=5000)
    first = rows.first.get_attribute("data-call")
    assert first is not None
    rows.first.hover()
    start()
    expect(rows).to_have_count(2, timeout=5000)
    expect(rows.first).to_have_attribute("data-call", first)
    page.mouse.move(0, 0)
    expect(rows.last).to_have_attribute("data-call", first)
    rows.last.locator(".gh-live-stop").focus()
    start()
    expect(rows).to_have_count(3, timeout=5000)
    expect(rows.nth(1)).to_have_attribute("data-call", first)
    page.keyboard.press("Enter")
    expect(rows.nth(1).locator(".gh-live-stop")).to_have_text("Stop?")
    page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_class(re.compile("is-ended"), timeout=5000)
    expect(rows.nth(1)).to_have_attribute("data-call", first)
    assert watched.complaints == []
    page.context.close()


def test_a_text_that_no_call_in_flight_has_is_told_from_nothing_in_flight(
    chromium: Browser, server: Serving, start: Start
) -> None:
    watched = Watched(chromium, server)
    page, rows = watched.page, watched.page.locator(FLYING)
    page.goto(f"{server.url}/ui/live/")
    start()
    expect(rows).to_have_count(1, timeout=5000)
    nothing = page.locator('[data-none="flying"]')
    page.locator("[data-live-filter]").fill("nobody")
    expect(page.get_by_text("In flight: 1. None of them has this text.")).to_be_visible()
    expect(page.get_by_text("the figures above count all of them")).to_be_visible()
    expect(nothing).to_be_hidden()
    expect(page).to_have_url(re.compile("[?&]text=nobody$"))
    page.reload()
    expect(page.get_by_text("In flight: 1. None of them has this text.")).to_be_visible(timeout=5000)
    page.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(1)
    expect(page).not_to_have_url(re.compile("text="))
    expect(page.locator("[data-live-filter]")).to_have_value("")
    assert watched.complaints == []
    page.context.close()


@pytest.mark.parametrize("width", [1024, 1440])
def test_bar_and_names_have_room(chromium: Browser, server: Serving, start: Start, width: int) -> None:
    page = Watched(chromium, server, viewport={"width": width, "height": 768}).page
    page.goto(f"{server.url}/ui/live/")
    start()
    expect(page.locator(FLYING)).to_have_count(1, timeout=5000)
    for part, least in ((".gh-live-phase svg", 100), (".gh-live-model", 150), (".gh-live-service", 85)):
        box = page.locator(f"{FLYING} {part}").bounding_box()
        assert box is not None
        assert box["width"] >= least, part
    columns, heads = page.locator(".gh-live-head").evaluate(
        """(head) => [
          getComputedStyle(head).gridTemplateColumns.split(" ").length,
          [...head.children].filter((each) => getComputedStyle(each).display !== "none").length,
        ]"""
    )
    assert columns == heads
    page.context.close()


def test_keys_work_while_hangul_is_on(chromium: Browser, server: Serving) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/usage/")
    for key, code in (("ㅎ", "KeyG"), ("ㅣ", "KeyL")):
        page.evaluate(
            "([key, code]) => document.body.dispatchEvent("
            "new KeyboardEvent('keydown', { key, code, bubbles: true }))",
            [key, code],
        )
    page.wait_for_url("**/ui/live/**")
    assert watched.complaints == []
    page.context.close()


def test_how_a_call_ended_reads_as_on_requests(chromium: Browser, server: Serving) -> None:
    """A shape, a word and a code, of which the word is left to who listens where there is a code."""
    key = server.new_key(name="ends badly")
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator(LIVELY)).to_be_visible()
    ended = page.locator('[data-list="ended"] .gh-live-row:not([hidden])', has_text="ends badly")
    for model in ("sandbox/error-500", "sandbox/fast"):
        body = {"model": model, "messages": [{"role": "user", "content": "?"}]}
        server.call("POST", "/v1/chat/completions", body, key=key)
    fine, failed = (
        ended.nth(0).locator(".gh-live-phase > span"),
        ended.nth(1).locator(".gh-live-phase > span"),
    )
    expect(failed).to_have_class("gh-status is-error has-code")
    expect(failed).to_have_text("▲Errorupstream_refused")
    expect(failed).to_have_attribute("title", "Error: upstream_refused")
    expect(failed.locator("code")).to_have_attribute("lang", "en")
    assert failed.locator("code").bounding_box()["width"] > failed.locator("span").bounding_box()["width"]
    expect(fine).to_have_class("gh-status is-ok")
    expect(fine).to_have_text("●OK")
    assert watched.complaints == []
    page.context.close()
