"""A chart's bars in Chromium: a click, or a key in the table of the same, opens the calls of a part."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

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
