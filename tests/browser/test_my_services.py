"""A manager lets somebody into the service and sets a budget there, in the browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessible import violations
from tests.browser.watching import Watched
from tests.serving import PASSWORD, Serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def people(server: Serving) -> Iterator[None]:
    made = server.manage(
        "shell",
        "-c",
        "from keys_app.models import *\n"
        f"mona = User.objects.create_user('mona', password={PASSWORD!r}, role='manager')\n"
        f"User.objects.create_user('mel', password={PASSWORD!r}, role='member')\n"
        "shop = Service.objects.create(name='shop', description='What customers see.')\n"
        "Membership.objects.create(user=mona, service=shop, role='manager')\n"
        "Budget.objects.create(scope='service', service=shop, amount_nanodollars=500 * 10**9)\n",
    )
    assert made.returncode == 0, made.stderr
    yield


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_a_manager_looks_after_the_service(
    chromium: Browser, server: Serving, people: None, theme: str, width: int
) -> None:
    watched = Watched(
        chromium, server, user="mona", viewport={"width": width, "height": 1000}, color_scheme=theme
    )
    page = watched.page
    page.goto(f"{server.url}/ui/services/")
    page.get_by_role("link", name="shop").click()
    people = page.locator("section", has=page.get_by_role("heading", name="People"))
    people.get_by_label("User name").fill("mel")
    people.get_by_role("button", name="Add to the service").click()
    expect(people.get_by_role("rowheader", name="mel")).to_be_visible()
    budgets = page.locator("section", has=page.get_by_role("heading", name="Budgets"))
    budgets.get_by_label("For", exact=True).select_option("test")
    budgets.get_by_label("Budget in $").fill("25")
    budgets.get_by_role("button", name="Add budget").click()
    made = budgets.get_by_role("row").filter(has_text="a manager")
    expect(made).to_contain_text("Environment test")
    expect(made).to_contain_text("$25")
    # An admin's budget has no button beside it.
    assert budgets.get_by_role("row").filter(has_text="an admin").get_by_role("button").count() == 0
    assert violations(page) == []
    made.get_by_role("button", name="Remove").click()
    expect(made).to_have_count(0)
    people.get_by_role("button", name="Remove mel").click()
    expect(people.get_by_role("rowheader", name="mel")).to_have_count(0)
    assert watched.complaints == []
    page.context.close()
