"""Charts in Chromium: a click on a bar or a point, or a key in the table of the same, opens its calls."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.accessible import violations
from tests.browser.watching import Watched
from tests.serving import Serving

pytestmark = pytest.mark.browser

#: Over an hour ago and just now: two calls of a model with a price, one of them at both times; one without.
SEED = """
from datetime import timedelta
from gateway_project import clock
from tests.seeding import make_request, save, seed_people
key, now = seed_people().keys["search-lab"], clock.now()
rows = [make_request(key, now, cost_nanodollars=2 * 10**9), make_request(key, now, cost_nanodollars=10**9)]
rows += [make_request(key, now - timedelta(hours=3), cost_nanodollars=10**9)]
rows += [make_request(key, now, model="gpt-5-mini", cost_nanodollars=10**9)]
rows += [make_request(key, now, model="gpt-5-mini", cost_nanodollars=None)]
from proxy_app.models import Deployment, Model, Provider
model = Model.objects.create(name="drawn")
provider = Provider.objects.create(name="near", kind="openai")
at = Deployment.objects.create(model=model, provider=provider, upstream_model="drawn")
times, ids = [now - timedelta(days=days) for days in (3, 4)], {"deployment_id": str(at.pk)}
rows += [make_request(key, each, status=status, **ids) for each in times for status in ("ok", "error")]
save(rows)
"""

#: Where the last part of a bar in a colour stands on the page.
PLACE = """name => {
  const canvas = document.querySelector("#page-chart canvas"), chart = Chart.getChart(canvas);
  const at = chart.data.datasets.findIndex((each) => each.label === name);
  const last = chart.data.datasets[at].data.findLastIndex((value) => value > 0);
  const bar = chart.getDatasetMeta(at).data[last], box = canvas.getBoundingClientRect();
  return [box.x + bar.x, box.y + (bar.y + bar.base) / 2];
}"""


@pytest.fixture(scope="module", autouse=True)
def traffic(server: Serving) -> None:
    made = server.manage("shell", "-c", SEED)
    assert made.returncode == 0, made.stderr


def rows_of(page: Page) -> Locator:
    return page.locator("#request-rows tr")


@pytest.mark.parametrize("path", ["/ui/", "/ui/usage/"])
def test_a_part_of_a_bar_opens_its_calls_and_tells_what_the_sum_leaves_out(
    chromium: Browser, server: Serving, path: str
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}{path}?range=24h&by=model")
    page.wait_for_function("Chart.getChart(document.querySelector('#page-chart canvas'))")
    page.mouse.move(*page.evaluate(PLACE, "gpt-5-mini"))
    page.wait_for_function("Chart.getChart(document.querySelector('#page-chart canvas')).tooltip.opacity > 0")
    told = page.evaluate(
        "(({title, body, footer}) => [title[0].includes(', '), "
        "...body.map((each) => each.lines[0].trim()), ...footer])"
        "(Chart.getChart(document.querySelector('#page-chart canvas')).tooltip)"
    )
    assert told == [True, "gpt-5  $3.00", "gpt-5-mini  $1.00+", "Sum  $4.00+", "without a price  1"]
    page.mouse.click(*page.evaluate(PLACE, "gpt-5"))
    page.wait_for_url("**/ui/requests/?*model=gpt-5&*")
    expect(rows_of(page)).to_have_count(2)
    assert watched.complaints == []
    page.context.close()


@pytest.mark.parametrize("path", ["/ui/", "/ui/usage/"])
def test_by_keys_the_table_of_a_chart_leads_to_the_same_calls(
    chromium: Browser, server: Serving, path: str
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.goto(f"{server.url}{path}?range=24h&by=model")
    page.locator("[data-chart-table] > summary").focus()
    page.keyboard.press("Enter")
    last = page.locator("[data-chart-table] tbody tr", has_text="+")
    expect(last.locator("td")).to_have_text(["$4.00+", "$3.00", "$1.00+"])
    expect(page.locator("[data-chart-table] tbody a[href]")).to_have_count(5)
    last.locator("a").last.focus()
    if path == "/ui/":  # which is drawn anew every few seconds, and nobody loses their place
        with page.expect_response("**fragment=body**"):
            page.evaluate("document.body.dispatchEvent(new CustomEvent('gh:refresh'))")
        page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
        expect(last.locator("a").last).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/requests/?*model=gpt-5-mini&*")
    expect(rows_of(page)).to_have_count(2)
    assert watched.complaints == []
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_deployment_over_time_is_drawn_when_it_is_opened_and_leads_to_its_calls(
    chromium: Browser, server: Serving, theme: Literal["light", "dark"]
) -> None:
    watched = Watched(chromium, server)
    page = watched.page
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server.url}/ui/models/?range=7d&environment=&service=")
    card = page.locator(".gh-card", has=page.get_by_role("heading", name="drawn", exact=True))
    assert page.locator(".gh-models canvas").count() == 0
    card.get_by_text("Over time").click()
    drawn = "document.querySelectorAll('[data-lines] canvas')[2]"
    expect(card.locator("[data-lines] canvas").nth(2)).to_have_attribute("style", re.compile("height"))
    values = page.evaluate(f"Chart.getChart({drawn}).data.datasets[0].data")
    assert [each for each in values if each is not None] == [50, 50]
    table = card.locator("[data-lines-table]")
    table.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(table.locator("tbody a[href]", has_text="50")).to_have_count(2)
    assert violations(page) == []
    place = page.evaluate(
        f"(() => {{ const canvas = {drawn}, box = canvas.getBoundingClientRect();"
        "const point = Chart.getChart(canvas).getDatasetMeta(0).data.filter((each) => !each.skip).at(-1);"
        "return [box.x + point.x, box.y + point.y]; })()"
    )
    page.mouse.click(*place)
    page.wait_for_url("**/ui/requests/?*deployment=*")
    expect(rows_of(page)).to_have_count(2)
    assert watched.complaints == []
    page.context.close()
