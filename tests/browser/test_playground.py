"""The Playground in Chromium: several models are asked at once, each answer streams in with its figures."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.watching import Watched
from tests.serving import Serving

pytestmark = pytest.mark.browser
TOOL = '[{"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}]'


def test_models_are_asked_side_by_side_and_told_apart_in_the_ledger(
    chromium: Browser, server: Serving
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/playground/?model=sandbox/fast&model=sandbox/reasoning")
    page.fill("#play-prompt", "Why is the sea salty?")
    page.keyboard.press("Control+Enter")
    panes = page.locator(".gh-play-pane")
    expect(panes).to_have_count(2)
    for pane in panes.all():
        expect(pane.locator(".gh-play-facts a")).to_be_visible(timeout=20_000)
        expect(pane.locator(".gh-play-turn").last).to_contain_text("Sandbox:")
        expect(pane.locator(".gh-play-facts")).to_contain_text("$")
    expect(page.locator("[data-played] code").first).to_contain_text("Why is the sea salty?")
    expect(page.locator("#play-prompt")).to_be_focused()
    request_id = (panes.first.locator(".gh-play-facts a").get_attribute("href") or "").split("/")[-2]
    row = server.row(request_id)
    assert (row["client"], row["tags"], row["status"]) == ("playground", ["playground by admin"], "ok")
    page.fill("#play-prompt", "And the lakes?")  # the conversation goes on
    page.keyboard.press("Control+Enter")
    expect(panes.first.locator(".gh-play-turn")).to_have_count(4)
    expect(page.locator("[data-play-send]")).to_be_enabled(timeout=20_000)
    assert watched.complaints == []
    page.context.close()


def test_a_model_that_is_added_is_another_one(chromium: Browser, server: Serving) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/playground/?model=sandbox/fast")
    page.locator("[data-play-add]").click()
    models = page.locator(".gh-play-pane header input").evaluate_all("all => all.map((each) => each.value)")
    assert len(set(models)) == len(models) == 2
    assert watched.complaints == []
    page.context.close()


def test_tools_are_called_and_a_stop_ends_every_answer(chromium: Browser, server: Serving) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/playground/?model=sandbox/fast")
    page.locator(".gh-play-options summary").click()
    page.fill("[data-play=tools]", "no list")
    page.fill("#play-prompt", "Find my order")
    page.locator("[data-play-send]").click()
    expect(page.locator("[data-play-said]")).not_to_have_text("")
    page.fill("[data-play=tools]", TOOL)
    page.locator("[data-play-send]").click()
    expect(page.locator(".gh-play-call")).to_contain_text("find_order", timeout=20_000)
    page.fill("[data-play=tools]", "")
    page.locator(".gh-play-pane input").fill("sandbox/slow")
    page.locator("[data-play-clear]").click()
    page.fill("#play-prompt", "Count slowly")
    page.locator("[data-play-send]").click()
    expect(page.locator(".gh-play-turn").last).to_contain_text("Sandbox", timeout=20_000)
    page.locator("[data-play-stop]").click()
    expect(page.locator(".gh-play-turn [role=alert]")).to_have_text("Stopped.")
    expect(page.locator("[data-play-send]")).to_be_enabled()
    assert watched.complaints == []
    page.context.close()


def test_a_kept_call_is_asked_again_with_its_words(chromium: Browser, server: Serving) -> None:
    _, _, service = server.call("POST", "/api/v1/services/", {"name": "Kept", "keeps_bodies": True})
    key = server.new_key(name="kept", service=service["id"])
    earlier = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}]
    body = {
        "model": "sandbox/fast",
        "max_tokens": 77,
        "stop_sequences": ["END"],
        "system": "Answer like a sailor.",
        "messages": [*earlier, {"role": "user", "content": "Why is the sea salty?"}],
    }
    status, headers, _ = server.call("POST", "/v1/messages", body, key=key)
    assert status == 200
    call_id = headers["x-request-id"]
    server.row(call_id)
    watched = Watched(chromium, server)
    page = watched.page
    again = page.get_by_role("link", name="Ask it again in the Playground")
    for _ in range(40):  # what was said comes to the database a moment after the row
        page.goto(f"{server.url}/ui/requests/{call_id}/")
        if again.count():
            break
        page.wait_for_timeout(250)
    again.click()
    expect(page.locator("[data-play-replayed]")).to_contain_text("Send asks it again")
    expect(page.locator("[data-play=more]")).to_have_value('{"stop":["END"]}')
    expect(page.locator("#play-prompt")).to_have_value("Why is the sea salty?")
    expect(page.locator("[data-play=system]")).to_have_value("Answer like a sailor.")
    expect(page.locator("[data-play=max_tokens]")).to_have_value("77")
    expect(page.locator(".gh-play-turn")).to_have_count(2)
    expect(page.locator(".gh-play-turn").last).to_contain_text("Good day")
    page.locator("[data-play-send]").click()
    expect(page.locator(".gh-play-facts a")).to_be_visible(timeout=20_000)
    expect(page.locator(".gh-play-turn").last).to_contain_text("Why is the sea salty?")
    assert watched.complaints == []
    page.context.close()
