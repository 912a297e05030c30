"""The window in Chromium, against a whole running Gatehouse: what moves, and what is reached by keys."""

import contextlib
import re
import threading
from http.client import HTTPException
from itertools import product

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.watching import Watched, stream
from tests.serving import Serving

pytestmark = pytest.mark.browser


def test_a_streaming_call_appears_and_its_tokens_rise_before_it_ends(
    chromium: Browser, server: Serving
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator("[data-connection].is-live")).to_be_visible()
    caller = threading.Thread(target=stream, args=(server, server.new_key(), "sandbox/slow"))
    caller.start()
    try:
        row = page.locator('[data-list="flying"] .gh-live-row:not([hidden])')
        expect(row).to_have_count(1, timeout=5000)
        tokens = row.locator(".gh-live-tokens")
        expect(tokens).not_to_have_text("", timeout=15000)
        first = int(tokens.inner_text())
        page.wait_for_function(
            "first => Number(document.querySelector('[data-list=flying] .gh-live-tokens').innerText) > first",
            arg=first,
            timeout=10000,
        )
        assert caller.is_alive()
    finally:
        caller.join()
    ended = page.locator('[data-list="ended"] .gh-live-row').first
    expect(ended).to_contain_text("sandbox/slow", timeout=5000)
    assert watched.complaints == []
    page.context.close()


def test_who_may_read_what_is_said_reads_it_as_it_comes(chromium: Browser, server: Serving) -> None:
    status, _, service = server.call("POST", "/api/v1/services/", {"name": "Web shop", "keeps_bodies": True})
    assert status == 201
    kept, other = server.new_key(service=service["id"]), server.new_key(name="not kept")
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/live/")
    expect(page.locator("[data-connection].is-live")).to_be_visible()
    asked = (server, kept, "sandbox/slow", "Which colour has the sea?")
    callers = [
        threading.Thread(target=stream, args=asked),
        threading.Thread(target=stream, args=(server, other, "sandbox/slow")),
    ]
    for caller in callers:
        caller.start()
    try:
        flying = page.locator('[data-list="flying"] .gh-live-row:not([hidden])')
        expect(flying).to_have_count(2, timeout=5000)
        expect(flying.locator(".gh-live-read:not([hidden])")).to_have_count(1)
        flying.filter(has_text="Web shop").locator(".gh-live-read").focus()
        page.keyboard.press("Enter")
        said = page.locator("[data-said]")
        expect(said).to_contain_text("you asked", timeout=15000)
        expect(said).to_contain_text("Which colour has the sea?", timeout=15000)
        assert callers[0].is_alive()
        said.get_by_role("button", name="Read no more").click()
        expect(said).to_be_hidden()
    finally:
        for caller in callers:
            caller.join()
    assert watched.complaints == []
    page.context.close()


def test_a_call_is_on_requests_within_a_moment_of_its_end_and_opens(
    chromium: Browser, server: Serving
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/requests/")
    stream(server, server.new_key(name="just-now"), "sandbox/fast")
    row = page.locator("#request-rows tr", has_text="just-now")
    expect(row).to_have_count(1, timeout=6000)
    row.locator("a").click()
    expect(page.locator(".gh-verdict-sentence")).to_be_visible()
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible()
    assert watched.complaints == []
    page.context.close()


def test_an_empty_overview_fills_itself_with_the_first_call(chromium: Browser) -> None:
    with Serving() as fresh:
        watched = Watched(chromium, fresh)
        page = watched.page
        page.goto(f"{fresh.url}/ui/")
        expect(page.get_by_role("heading", name="No call yet")).to_be_visible()
        stream(fresh, fresh.new_key(), "sandbox/fast")
        expect(page.locator(".gh-figure-value")).to_have_count(6, timeout=12000)
        page.wait_for_function("Chart.getChart(document.querySelector('#page-chart canvas'))")
        assert watched.complaints == []
        page.context.close()


def test_the_navigation_opens_by_key_and_the_theme_is_remembered(chromium: Browser, server: Serving) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/ui/live/?*")
    page.click("[data-theme-toggle]")
    page.reload()
    assert page.evaluate("document.documentElement.classList.contains('dark')")
    page.goto(f"{server.url}/admin/")
    page.wait_for_function("document.documentElement.classList.contains('dark')")
    page.context.close()


def test_after_back_the_navigation_shows_what_the_page_shows(chromium: Browser, server: Serving) -> None:
    stream(server, server.new_key(), "sandbox/fast")
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/usage/?range=24h")
    page.goto(f"{server.url}/ui/requests/?range=1h&environment=experiment")
    page.go_back()
    assert "environment=&service=" in page.url
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/ui/requests/?*")
    expect(page.locator(".gh-selection [name=environment]")).to_have_value("")
    expect(page.locator(".gh-selection [name=range]")).to_have_value("24h")
    assert watched.complaints == []
    page.context.close()


def test_the_focus_stays_where_it_was_when_a_page_or_a_part_is_drawn_anew(
    chromium: Browser, server: Serving
) -> None:
    key = server.new_key()
    for model in ("sandbox/fast", "sandbox/error-500"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        server.call("POST", "/v1/chat/completions", body, key=key)
    server.ledger(2)
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/")
    row = page.locator("#overview-body tbody a").first
    row.focus()
    row.evaluate("link => link.dataset.old = 1")
    with page.expect_response(re.compile("fragment=body")):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('gh:refresh'))")
    expect(page.locator("[data-old]")).to_have_count(0)
    expect(row).to_be_focused()
    page.get_by_role("link", name="Service", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("by=service"))
    expect(page.get_by_role("link", name="Service", exact=True)).to_be_focused()
    chosen = page.get_by_role("combobox", name="Environment")
    chosen.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url(re.compile("environment=[a-z]"))
    expect(chosen).to_be_focused()
    page.get_by_role("link", name="Requests", exact=True).first.click()
    page.wait_for_url(re.compile("/ui/requests/"))
    expect(chosen).not_to_be_focused()
    assert watched.complaints == []
    page.context.close()


def test_what_the_browser_draws_itself_is_dark_in_the_dark(chromium: Browser, server: Serving) -> None:
    """The mark that opens a choice of days, the bars to scroll by."""
    page = Watched(chromium, server).page
    for theme, path in product(("light", "dark"), ("/ui/", "/admin/")):
        page.emulate_media(color_scheme=theme)
        page.goto(server.url + path)
        page.wait_for_function(
            "theme => getComputedStyle(document.documentElement).colorScheme === theme", arg=theme
        )
    page.context.close()


#: What a page keeps of a theme, from its first line on.
KEPT = """
  window.kept = [];
  const keep = Storage.prototype.setItem;
  Storage.prototype.setItem = function (name, value) {
    if (name === "adminTheme") window.kept.push(value);
    return keep.call(this, name, value);
  };
"""


def test_the_admin_follows_the_system_and_keeps_no_choice_that_nobody_made(
    chromium: Browser, server: Serving
) -> None:
    page = Watched(chromium, server).page
    page.add_init_script(KEPT)
    page.emulate_media(color_scheme="light")
    page.goto(f"{server.url}/admin/")
    for theme in ("dark", "light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.locator("html.dark" if theme == "dark" else "html:not(.dark)").wait_for(state="attached")
    assert set(page.evaluate("window.kept")) <= {'"auto"'}
    page.evaluate("Alpine.$data(document.documentElement).adminTheme = 'light'")
    page.locator("html.light:not(.dark)").wait_for(state="attached")
    page.context.close()


def test_a_stroke_searches_on_a_page_or_everywhere(chromium: Browser, server: Serving) -> None:
    page = Watched(chromium, server).page
    for path, field in (("/ui/requests/", "[data-search]"), ("/ui/usage/", "#gh-palette-word")):
        page.goto(server.url + path)
        page.keyboard.press("/")
        expect(page.locator(field)).to_be_focused()
        expect(page.locator(field)).to_have_value("")
    page.context.close()


def stopped(server: Serving, key: str) -> None:
    """A slow call that is stopped before its end."""
    with contextlib.suppress(OSError, HTTPException):
        stream(server, key, "sandbox/slow")


def test_the_navigation_tells_how_many_calls_are_in_flight_and_live_shows_those_that_are_chosen(
    chromium: Browser, server: Serving
) -> None:
    watched = Watched(chromium, server)
    page, badge = watched.page, watched.page.locator("[data-in-flight]")
    page.goto(f"{server.url}/admin/")
    expect(badge).to_be_hidden()
    made = [
        server.call("POST", "/api/v1/keys/", {"name": "in flight", "environment": environment})[2]
        for environment in ("test", "test", "production")
    ]
    callers = [threading.Thread(target=stopped, args=(server, key["key"])) for key in made]
    for caller in callers:
        caller.start()
    try:
        expect(badge).to_have_text(re.compile("^3 "), timeout=6000)
        page.goto(f"{server.url}/ui/live/")
        rows = page.locator('[data-list="flying"] .gh-live-row:not([hidden])')
        expect(rows).to_have_count(3, timeout=5000)
        page.select_option("[name=environment]", "test")
        page.wait_for_url("**environment=test**")
        expect(rows).to_have_count(2, timeout=5000)
        expect(page.locator("[data-figure=flying]")).to_have_text("2")
        expect(badge).to_have_text(re.compile("^2 "))
        page.goto(f"{server.url}/ui/keys/")
        expect(badge).to_have_text(re.compile("^2 "), timeout=6000)
    finally:
        for key in made:
            server.call("POST", "/api/v1/requests/stop", {"key": key["id"]})
        for caller in callers:
            caller.join()
    expect(badge).to_be_hidden(timeout=10000)
    assert watched.complaints == []
    page.context.close()


def test_whoever_is_signed_in_finds_a_key_by_the_keyboard_alone(chromium: Browser, server: Serving) -> None:
    server.new_key(name="found-by-typing")
    watched = Watched(chromium, server)
    page = watched.page
    page.keyboard.press("Control+k")
    results = page.locator("#gh-palette-results")
    expect(results.get_by_role("link", name="Live")).to_be_visible()
    page.keyboard.type("by-typing")
    expect(results.get_by_role("link", name="found-by-typing").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/keys/*/")
    assert watched.complaints == []
    page.context.close()
