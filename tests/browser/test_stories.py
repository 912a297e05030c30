"""Each page's story as each role, in both languages and themes: from a figure down to the calls behind it.

What is clicked is found by where it leads, so that one story serves both languages.
"""

import json
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.watching import Watched, stream
from tests.serving import PASSWORD, Serving

pytestmark = pytest.mark.browser

#: role -> how many of the calls below it sees: an admin and the service's manager all, others their own
SEES = {"admin": 12, "manager": 12, "member": 4, "viewer": 4}
LOOKS = (("light", 1440, "en"), ("dark", 390, "ko"))
MODELS = ("sandbox/fast", "sandbox/fast", "sandbox/chat", "sandbox/error-500")


@pytest.fixture(scope="module")
def keys(server: Serving) -> Iterator[dict[str, str]]:
    """Role -> the secret of a key to go on with; three people of one service have made four calls each, as
    experiments."""
    roles = [role for role in SEES if role != "admin"]
    made = server.manage(
        "shell",
        "-c",
        "from keys_app.models import *\n"
        "shop = Service.objects.create(name='shop')\n"
        f"for role in {roles!r}:\n"
        f"    person = User.objects.create_user(role, password={PASSWORD!r}, role=role)\n"
        "    part = 'manager' if role == 'manager' else 'member'\n"
        "    Membership.objects.create(user=person, service=shop, role=part)\n"
        "    print(role, person.pk, shop.pk)\n",
    )
    assert made.returncode == 0, made.stderr
    secrets = {}
    for line in made.stdout.split("\n"):
        if len(words := line.split()) == 3 and words[0] in roles:
            role, user, service = words
            budgets = [{"amount_usd": "5", "period": "month"}]
            whose = {"user": user, "service": service}
            counted = server.new_key(name=f"{role}s", environment="experiment", budgets=budgets, **whose)
            secrets[role] = server.new_key(name=f"{role}s, live", environment="test", **whose)
            for model in MODELS:
                body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
                server.call("POST", "/v1/chat/completions", body, key=counted)
    server.ledger(12)
    yield {"admin": secrets["manager"], **secrets}


@pytest.fixture
def watched(
    request: pytest.FixtureRequest, chromium: Browser, server: Serving, keys: dict[str, str]
) -> Iterator[Watched]:
    role, (theme, width, language) = request.param
    size = {"width": width, "height": 900}
    watched = Watched(chromium, server, role, viewport=size, color_scheme=theme)
    if watched.page.get_attribute("html", "lang") != language:
        watched.page.locator("form[action$='/language/'] button").first.click()
    expect(watched.page.locator("html")).to_have_attribute("lang", language)
    watched.role = role  # type: ignore[attr-defined]
    yield watched
    assert [each for each in watched.complaints if "403" not in each] == []
    watched.page.context.close()


def each_role(test: object) -> object:
    return pytest.mark.parametrize(
        "watched",
        [pytest.param((role, look), id=f"{role}-{look[2]}") for role in SEES for look in LOOKS],
        indirect=True,
    )(test)


def number(element: Locator) -> int:
    return int(re.sub(r"\D", "", element.inner_text()))


def leading(page: Page, address: str) -> Locator:
    """Links of the page's own part to an address that begins so."""
    return page.locator(f"#gh-main a[href*='{address}']")


def service_of(server: Serving) -> str:
    _, _, body = server.call("GET", "/api/v1/services/?name=shop")
    return str(body["results"][0]["id"])


def rows_of(page: Page) -> Locator:
    return page.locator("#request-rows tr")


@each_role
def test_from_the_overview_to_a_call(watched: Watched) -> None:
    """Spend by model → one model's calls → one call: why it took that long and what it cost."""
    page, sees = watched.page, SEES[watched.role]  # type: ignore[attr-defined]
    page.goto(f"{watched.url}/ui/?range=24h&environment=experiment&service=&by=model")
    assert number(page.locator("tfoot td").nth(3)) == sees
    expect(page.locator("#page-chart canvas")).to_be_visible()
    page.locator("tbody a[href*='sandbox%2Ffast']").first.click()
    page.wait_for_url("**/ui/requests/?*")
    expect(rows_of(page)).to_have_count(sees // 2)
    rows_of(page).first.locator("a").first.click()
    expect(page.locator(".gh-verdict.is-ok .gh-verdict-sentence")).to_be_visible()
    expect(page.locator("#way-title + *")).to_be_visible()
    expect(page.locator("#bill-title + *")).to_contain_text("$")
    page.locator("[data-back]").click()
    expect(rows_of(page)).to_have_count(sees // 2)


@each_role
def test_failed_calls_are_found_and_say_why(watched: Watched) -> None:
    page, sees = watched.page, SEES[watched.role]  # type: ignore[attr-defined]
    page.goto(f"{watched.url}/ui/requests/?range=24h&environment=experiment&service=")
    expect(rows_of(page)).to_have_count(sees)
    page.locator("[data-filters] > summary").click()
    page.locator("[data-filters] [name=status][value=error]").check()
    page.locator(".gh-filter-form > .gh-button").click()
    page.wait_for_url("**status=error**")
    expect(rows_of(page)).to_have_count(sees // 4)
    expect(page.locator("a.gh-chip")).to_have_count(1)
    rows_of(page).first.locator("a").first.click()
    expect(page.locator(".gh-verdict.is-error")).to_contain_text("500")
    expect(page.locator("#attempts-title")).to_be_visible()


@each_role
def test_several_models_are_chosen_in_the_form_and_stay_chosen(watched: Watched) -> None:
    """What the address names is ticked, with what the range does not hold; the rest of the address stays."""
    page = watched.page
    page.goto(f"{watched.url}/ui/requests/?range=24h&environment=experiment&service=&model=gone&sort=-cost")
    page.locator("[data-filters] > summary").click()
    boxes = page.locator(".gh-choices [name=model]")
    expect(boxes.first).to_be_checked()
    boxes.nth(1).check()
    page.locator(".gh-filter-form > .gh-button").click()
    expect(page.locator("a.gh-chip")).to_have_count(2)
    assert "model=gone&model=" in page.url and "sort=-cost" in page.url


@each_role
def test_usage_s_cell_opens_its_calls_and_the_export_has_the_same_sum(watched: Watched) -> None:
    page, sees = watched.page, SEES[watched.role]  # type: ignore[attr-defined]
    page.goto(f"{watched.url}/ui/usage/?range=24h&environment=experiment&service=&by=service&and=model")
    total = number(page.locator("#usage tfoot td[data-label]").nth(2))
    assert total == sees
    exact = page.locator(".gh-parts dd").first.get_attribute("title")
    page.locator("details", has=page.locator("[name=format]")).locator("summary").click()
    with page.expect_download() as download:
        page.locator("[name=format][value=json]").click()
    rows = json.loads(download.value.path().read_text("utf-8-sig"))
    rows = rows["results"]
    assert sum(row["requests"] for row in rows) == sees
    cost = sum(int(row["cost_nanodollars"]) for row in rows)
    assert exact is not None
    assert round(float(re.sub(r"[^\d.]", "", exact)) * 10**9) == cost
    page.goto(
        f"{watched.url}/ui/usage/?range=24h&environment=experiment&service=&by=model&columns=hour&measure=requests"
    )
    cell = page.locator("#usage tbody td:not(.is-sum) a").first
    wanted = number(cell)
    cell.click()
    expect(rows_of(page)).to_have_count(wanted)


@each_role
def test_budgets_models_and_prices_answer_within_ones_sight(watched: Watched) -> None:
    page, role = watched.page, watched.role  # type: ignore[attr-defined]
    page.goto(f"{watched.url}/ui/budgets/")
    budgets = page.locator("#gh-main tbody tr a.gh-row-link")
    expect(budgets).to_have_count(3 if role in ("admin", "manager") else 1)
    budgets.first.click()
    expect(page.locator(".gh-verdict-sentence")).to_contain_text("$5.00")
    page.goto(f"{watched.url}/ui/models/?range=24h&environment=experiment&service=")
    expect(page.locator(".gh-deployment").first).to_be_visible()
    expect(leading(page, "/admin/")).to_have_count(0) if role != "admin" else None
    page.goto(f"{watched.url}/ui/prices/?q=claude-opus-4")
    expect(page.locator("#gh-main tbody tr").first).to_contain_text("claude-opus-4")
    assert (leading(page, "/admin/usage_app/price").count() > 0) is (role == "admin")


@each_role
def test_a_call_in_flight_shows_to_who_may_see_it(
    watched: Watched, server: Serving, keys: dict[str, str]
) -> None:
    page, role = watched.page, watched.role  # type: ignore[attr-defined]
    page.goto(f"{watched.url}/ui/live/")
    expect(page.locator("[data-connection].is-live")).to_be_visible()
    calls = [(server, keys[role], "sandbox/long"), (server, keys["manager"], "sandbox/long")]
    callers = [threading.Thread(target=stream, args=call) for call in calls]
    for caller in callers:
        caller.start()
    try:
        flying = page.locator('[data-list="flying"] .gh-live-row:not([hidden])')
        expect(flying).to_have_count(2 if role in ("admin", "manager") else 1, timeout=8000)
        stops = flying.locator(".gh-live-stop:not([hidden])")
        if role == "viewer":
            expect(stops).to_have_count(0)
            call_id = flying.first.get_attribute("data-call")
            assert server.call("POST", f"/api/v1/requests/{call_id}/stop")[0] == 200
        else:
            stops.first.click()
        ended = page.locator('[data-list="ended"] .gh-live-row:not([hidden])')
        expect(ended.first).to_be_visible()
    finally:
        server.call("POST", "/api/v1/requests/stop", {"service": service_of(server)})
        for caller in callers:
            caller.join()


@each_role
def test_ones_keys_and_the_playground(watched: Watched) -> None:
    """Whoever may makes a key, sees its secret once and calls with it; a viewer is told who can help."""
    page, role = watched.page, watched.role  # type: ignore[attr-defined]
    page.goto(f"{watched.url}/ui/keys/")
    makes = leading(page, "/ui/keys/new/")
    if role == "viewer":
        expect(makes).to_have_count(0)
        page.goto(f"{watched.url}/ui/playground/")
        expect(page.locator(".gh-empty")).to_be_visible()
        return
    makes.first.click()
    page.fill("[name=name]", f"notebook of {role}")
    page.click("form.gh-form button")
    assert re.search(r"sk-gh-\w{43}", page.content())
    page.goto(f"{watched.url}/ui/keys/")
    expect(page.locator("#gh-main table")).to_contain_text(f"notebook of {role}")
    assert not re.search(r"sk-gh-\w{43}", page.content())
    page.goto(f"{watched.url}/ui/playground/?model=sandbox/fast")
    page.fill("#play-prompt", "Why is the sea salty?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".gh-play-facts")).to_contain_text("$", timeout=20_000)
