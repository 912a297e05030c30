"""Get started in Chromium: from a provider's key to the first call, with what may go wrong on the way."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.watching import Watched
from tests.mocking import MockThread
from tests.serving import Serving
from tests.upstream.sdks import Place, openai_client

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def upstream() -> Iterator[MockThread]:
    with MockThread() as upstream:
        yield upstream


def connect(page: Page, kind: str, credential: str, address: str) -> None:
    if not page.locator("[data-connect]").is_visible():
        page.locator(".gh-connect > summary").click()
    page.select_option("[name=kind]", kind)
    page.fill("[name=credential]", credential)
    page.fill("[name=base_url]", address)
    page.get_by_role("button", name="Connect and test").click()


def said(page: Page, text: str) -> None:
    expect(page.locator("[data-connect-said]")).to_contain_text(text, timeout=15000)


def test_a_pasted_key_is_tested_its_models_listed_and_the_first_call_answered(
    chromium: Browser, upstream: MockThread
) -> None:
    with Serving() as server:
        watched = Watched(chromium, server)
        page = watched.page
        page.goto(f"{server.url}/ui/get-started/")
        connect(page, "openai_compatible", "sk-this-is-wrong", upstream.urls["openai"])
        said(page, "The provider refused this key.")
        expect(page.locator("[data-connect-said]")).not_to_contain_text("sk-this-is-wrong")
        assert [each["is_enabled"] for each in providers(server) if each["kind"] != "sandbox"] == [False]

        connect(page, "openai_compatible", upstream.credentials["openai"], upstream.urls["openai"])
        said(page, "The key works")
        page.get_by_label("gpt-mock", exact=True).check()
        page.get_by_label("gpt-mock-mini", exact=True).check()
        page.get_by_role("button", name="Add models").click()
        said(page, "2 models are ready. gpt-mock answered the first call in")
        assert [each["is_enabled"] for each in providers(server) if each["kind"] != "sandbox"] == [True]

        page.get_by_role("link", name="Call it from a client").click()
        expect(page.locator("[role=tabpanel]:not([hidden]) code").last).to_contain_text('"gpt-mock"')
        secret = server.new_key(name="mine")
        page.reload()
        expect(page.get_by_text("Waiting for your first call…")).to_be_visible()
        place = Place("openai", f"{server.url}/v1", secret)

        async def first_call() -> None:
            async with openai_client(place) as client:
                await client.chat.completions.create(
                    model="gpt-mock", messages=[{"role": "user", "content": "Say hello."}]
                )

        upstream.call(first_call())
        arrived = page.locator("#first-call")
        expect(arrived).to_contain_text("A call arrived", timeout=10000)
        expect(arrived).to_contain_text(re.compile("from .*openai", re.IGNORECASE))
        arrived.locator("a").click()
        expect(page.locator(".gh-verdict-sentence")).to_be_visible()
        assert watched.complaints == []
        page.context.close()


def test_a_model_that_is_served_already_is_shared_or_left_and_stops_nothing(
    chromium: Browser, server: Serving, upstream: MockThread
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/get-started/")
    connect(page, "anthropic", upstream.credentials["anthropic"], upstream.urls["anthropic"])
    said(page, "The key works")
    page.get_by_label("claude-mock", exact=True).check()
    page.get_by_role("button", name="Add models").click()
    said(page, "claude-mock answered the first call in")

    page.goto(f"{server.url}/ui/get-started/")
    connect(page, "anthropic", upstream.credentials["anthropic"], upstream.urls["anthropic"])
    page.get_by_label("claude-mock", exact=True).check()
    page.get_by_label("claude-mock-mini", exact=True).check()
    page.get_by_role("button", name="Add models").click()
    said(page, "claude-mock: models of that name are served already.")
    page.get_by_role("button", name="Share their load").click()
    said(page, "2 models are ready.")
    models = {
        each["name"]: each["deployments"] for each in server.call("GET", "/api/v1/models/")[2]["results"]
    }
    assert len(models["claude-mock"]) == 2
    assert len(models["claude-mock-mini"]) == 1

    page.goto(f"{server.url}/ui/get-started/")
    connect(page, "anthropic", upstream.credentials["anthropic"], upstream.urls["anthropic"])
    page.get_by_label("claude-mock", exact=True).check()
    page.get_by_role("button", name="Add models").click()
    page.get_by_role("button", name="Leave them as they are").click()
    said(page, "Nothing was changed.")
    assert watched.complaints == []
    page.context.close()


def test_an_address_that_nobody_answers_is_said_and_may_be_corrected(
    chromium: Browser, server: Serving, upstream: MockThread
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}/ui/get-started/")
    connect(page, "openai_compatible", "sk-any", "http://127.0.0.1:9/v1")
    said(page, "The test failed:")
    connect(page, "openai_compatible", upstream.credentials["openai"], upstream.urls["openai"])
    said(page, "The key works")
    assert watched.complaints == []
    page.context.close()


def providers(server: Serving) -> list[dict[str, object]]:
    return list(server.call("GET", "/api/v1/providers/")[2]["results"])
