"""A newcomer, who has read nothing: from `make run` to what the first call cost and why it took that long.

Each step is something that the person does; docs/window.md tells how many there are and how long they took.
"""

import re
import subprocess
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looking import minded
from tests.serving import ROOT, Serving

pytestmark = pytest.mark.browser
NOTHING_SET = {"GATEHOUSE_ADMIN_PASSWORD": "", "GATEHOUSE_MASTER_KEY": ""}


@pytest.fixture(scope="module")
def started() -> Iterator[Serving]:
    """`./gatehouse run`, which is what `make run` is, with an empty data folder."""
    command = ("sh", str(ROOT / "gatehouse"), "run")
    with Serving(command=command, environment=NOTHING_SET) as server:
        yield server


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    yield context.new_page()
    context.close()


def printed(server: Serving, what: str) -> str:
    """What stands in the terminal after these words, once it does."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        if found := re.search(rf"{what}\s+(\S+)", server.log.read_text("utf-8")):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(server.log.read_text("utf-8"))


def copied(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def test_from_make_run_to_what_the_first_call_cost_and_why_it_took_that_long(
    page: Page, started: Serving
) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # 1. Open the address that the terminal names, and sign in as it says.
    page.goto(printed(started, "Dashboard"))
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(printed(started, "with password"))
    page.keyboard.press("Enter")
    # 2. The page is empty and says where to begin.
    page.locator("#gh-main").get_by_role("link", name="Get started").click()
    # 3. and 4. A key.
    page.get_by_role("link", name="Create key").click()
    page.get_by_label("Name").fill("my first")
    page.get_by_role("button", name="Create key").click()
    assert minded(page) == []
    # 5. Copy what stands there, paste it into a terminal.
    page.get_by_role("button", name="Copy curl").click()
    expect(page.get_by_role("button", name="Copy curl")).to_contain_text("Copied")
    answer = subprocess.run(["sh", "-c", copied(page)], capture_output=True, text=True, check=False)
    assert "[DONE]" in answer.stdout, answer.stderr
    # 6. The page has noticed, and leads to the call.
    arrived = page.locator("#first-call")
    expect(arrived).to_contain_text("A call arrived", timeout=15000)
    expect(arrived).to_contain_text("from curl")
    arrived.get_by_role("link").click()
    expect(page.locator(".gh-verdict-sentence")).to_contain_text(re.compile(r"took .+\s(ms|s)\b"))
    expect(page.locator("#way-title + *")).to_be_visible()
    expect(page.locator("#bill-title + *")).to_contain_text("$0.00")
    assert complaints == []


def test_loading_the_page_of_a_new_secret_again_makes_no_second_key(page: Page, started: Serving) -> None:
    page.goto(printed(started, "Dashboard") + "/keys/new/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", printed(started, "with password"))
    page.keyboard.press("Enter")
    page.get_by_label("Name").fill("only one")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Waiting for your first call…")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="only one").first).to_be_visible()
    page.goto(printed(started, "Dashboard") + "/keys/?all=1")
    expect(page.locator("tbody tr").filter(has_text="only one")).to_have_count(1)
