"""A key from its form to its first call, and a call that is stopped by a click."""

import re
import threading
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessible import violations
from tests.browser.watching import Watched, stream
from tests.serving import Serving

pytestmark = pytest.mark.browser


def test_a_key_is_made_copied_used_and_read_about(server: Serving, chromium: Browser) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/keys/new/")
    page.fill("[name=name]", "notebook")
    page.fill("[name=budget_usd]", "5")
    page.click("form.gh-form button")
    secret = re.search(r"sk-gh-\w{43}", page.content())
    assert secret is not None
    stream(server, secret[0], "sandbox")
    page.click("text=To the key")
    assert "$5.00" in page.inner_text("#gh-main")
    assert secret[0] not in page.content()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Name").fill("notepad")
    page.get_by_label("Models").fill("sandbox sandbox/*")
    page.get_by_label("Ends").fill("2099-01-01T08:30")
    assert violations(page) == []
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(lambda url: "/edit/" not in url)
    assert "sandbox, sandbox/*" in page.inner_text("#gh-main")
    assert "2099" in page.inner_text("#gh-main")
    page.goto(f"{server.url}/ui/keys/")
    assert "notepad" in page.inner_text("table")
    assert watched.complaints == []


def test_a_call_in_flight_is_stopped_by_its_button(server: Serving, chromium: Browser) -> None:
    key = server.new_key(name="stopped")
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/live/")
    page.wait_for_selector("[data-connection].is-live")
    body = {"model": "sandbox/slow", "stream": True, "messages": [{"role": "user", "content": "Go on."}]}
    told: list[Any] = []
    calling = threading.Thread(
        target=lambda: told.append(server.call("POST", "/v1/chat/completions", body, key=key, timeout_s=60))
    )
    calling.start()
    page.wait_for_selector("[data-list=flying] .gh-live-row:not([hidden]) .gh-live-stop:not([hidden])")
    button = page.locator("[data-list=flying] .gh-live-row:not([hidden]) .gh-live-stop")
    button.click()
    expect(button).to_have_accessible_name(re.compile("Its caller gets an error. Press again"))
    page.keyboard.press("Escape")  # and the first click alone stops nothing
    expect(button).to_have_text("✕")
    assert calling.is_alive()
    button.click()
    page.locator("[data-live-filter]").focus()
    expect(button).to_have_text("✕")
    button.click()
    expect(button).to_have_text("Stop?")
    button.click()
    calling.join(30)
    assert "call_stopped" in str(told[0][2])
    # Calls that other tests made may have ended a moment ago: it is this one's row that is waited for.
    page.wait_for_selector("[data-list=ended] .gh-live-row:not([hidden]) >> text=call_stopped")
    assert watched.complaints == []
