"""What is on a page can be read on a phone and on a laptop: nothing is cut off, covered or out of sight."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.watching import Watched
from tests.serving import Serving

pytestmark = pytest.mark.browser
Open = Callable[[int, str], Page]
PHONE, LAPTOP = 390, 1440


@pytest.fixture(scope="module")
def call_id(server: Serving) -> str:
    """A call of a key that has a budget."""
    key = server.new_key(name="checkout", budgets=[{"amount_usd": "5", "period": "month"}])
    body = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello"}]}
    assert server.call("POST", "/v1/chat/completions", body, key=key)[0] == 200
    return str(server.ledger(1)[0]["id"])


@pytest.fixture
def visit(chromium: Browser, server: Serving, call_id: str) -> Iterator[Open]:
    """Opens an address in a window of a width."""
    opened: list[Watched] = []

    def visit(width: int, path: str) -> Page:
        opened.append(Watched(chromium, server, viewport={"width": width, "height": 900}))
        opened[-1].page.goto(server.url + path)
        return opened[-1].page

    yield visit
    for watched in opened:
        assert watched.complaints == []
        watched.page.context.close()


def box(element: Locator) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    found = element.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def test_a_box_to_tick_stands_beside_its_words(visit: Open) -> None:
    page = visit(PHONE, "/ui/usage/?compare=1")
    label = page.locator("label", has=page.locator("[name=compare]"))
    left, top, _right, bottom = box(label)
    tick = box(page.locator("[name=compare]"))
    assert tick[0] - left < 4
    assert tick[2] - tick[0] < 20
    assert bottom - top < 40  # one line


@pytest.mark.parametrize("width", [PHONE, 1024, LAPTOP])
def test_the_button_that_copies_covers_no_code(visit: Open, call_id: str, width: int) -> None:
    page = visit(width, f"/ui/requests/{call_id}/")
    covered = page.evaluate(
        """() => [...document.querySelectorAll(".gh-code-block")].filter((block) => {
          const words = document.createRange();
          const text = block.querySelector("code").firstChild;
          words.setStart(text, 0);
          words.setEnd(text, text.data.split("\\n")[0].length);
          const line = words.getBoundingClientRect();
          const button = block.querySelector(".gh-copy").getBoundingClientRect();
          return line.right > button.left && line.bottom > button.top && line.top < button.bottom;
        }).length"""
    )
    expect(page.locator(".gh-code-block").first).to_be_visible()
    assert covered == 0


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_a_table_over_time_opens_at_the_present_beside_its_names(visit: Open, width: int) -> None:
    page = visit(width, "/ui/usage/?by=key&columns=hour&range=24h")
    scrolls = box(page.locator(".gh-table-scroll[data-scroll-end]"))
    newest = box(page.locator("#usage thead th").last)
    name = box(page.locator("#usage tbody th").first)
    assert newest[2] <= scrolls[2] + 1
    assert abs(name[0] - scrolls[0]) <= 1
    if width == LAPTOP:
        total = box(page.locator("#usage tbody .is-sum").first)
        assert abs(total[0] - name[2]) <= 1


@pytest.mark.parametrize("width", [PHONE, 1024, 1366, LAPTOP])
def test_no_cell_lies_half_under_those_that_stay(visit: Open, width: int) -> None:
    page = visit(width, "/ui/usage/?by=key&columns=hour&range=24h")
    cut = page.evaluate(
        """() => {
          const cells = [...document.querySelector("#usage tbody tr").cells];
          const stays = (cell) => getComputedStyle(cell).position === "sticky";
          const edge = Math.max(...cells.filter(stays).map((cell) => cell.getBoundingClientRect().right));
          const moves = cells.filter((cell) => !stays(cell)).map((cell) => cell.getBoundingClientRect());
          return moves.filter((cell) => cell.left < edge - 1 && cell.right > edge + 1).length;
        }"""
    )
    assert cut == 0


@pytest.mark.parametrize("width", [PHONE, 1024])
def test_the_button_of_a_long_choice_is_in_sight(visit: Open, width: int) -> None:
    page = visit(width, "/ui/requests/")
    page.set_viewport_size({"width": width, "height": 768})
    page.locator(".gh-filters > summary").first.click()
    shown = page.locator(".gh-filters-panel:visible .gh-filter-form > .gh-button")
    _left, top, _right, bottom = box(shown)
    assert 0 < top < bottom <= 768


def test_a_range_of_ones_own_is_told_whole(visit: Open) -> None:
    page = visit(LAPTOP, "/ui/usage/?since=2026-11-20T10:15&until=2026-11-28T12:30")
    room = page.evaluate(
        """() => {
          const select = document.querySelector("[name=range]");
          const style = getComputedStyle(select);
          const pen = document.createElement("canvas").getContext("2d");
          pen.font = style.font;
          const inside = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
          return inside - pen.measureText(select.selectedOptions[0].text).width;
        }"""
    )
    assert room >= 0


@pytest.mark.parametrize("width", [PHONE, 1024, LAPTOP])
def test_a_burn_down_keeps_its_names_within_its_card_and_its_table_opens(visit: Open, width: int) -> None:
    page = visit(width, "/ui/budgets/")
    page.locator("#gh-main tbody a.gh-row-link").first.click()
    card = box(page.locator("section", has=page.locator("#burn-title")))
    names = page.locator(".gh-burn text:visible")
    expect(names.first).to_be_visible()
    for name in names.all():
        left, top, right, bottom = box(name)
        assert card[0] <= left < right <= card[2], name.inner_html()
        assert card[1] <= top < bottom <= card[3], name.inner_html()
    page.locator("details", has=page.locator("#burn-table")).locator("summary").click()
    expect(page.locator("#burn-table tbody tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


#: What would be on paper: which heads of columns the tables have, how far to the right any cell goes, and how
#: light the page and the words on it are, in parts of 255.
PRINTED = """() => {
  const tables = [...document.querySelectorAll(".gh-table")].filter((table) => table.checkVisibility());
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const lightness = (colour) => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 3;
  };
  const style = (element) => getComputedStyle(element);
  const words = [...document.querySelectorAll(".gh-headline, .gh-table :is(td, th, a), .gh-title")];
  return {
    heads: tables.flatMap((table) => [...table.tHead.rows[0].cells].map((cell) => cell.innerText)),
    right: Math.max(...tables.flatMap((table) => [...table.querySelectorAll("th, td")]
      .map((cell) => cell.getBoundingClientRect().right))),
    paper: lightness(style(document.body).backgroundColor),
    words: Math.max(...words.map((each) => lightness(style(each).color))),
  };
}"""


def test_a_table_of_a_month_is_printed_whole_and_in_dark_ink(visit: Open) -> None:
    page = visit(LAPTOP, "/ui/usage/?by=key&columns=day&range=30d")
    page.emulate_media(color_scheme="dark")
    page.locator("html.dark").wait_for(state="attached")
    days = page.locator("#usage thead th").all_inner_texts()
    assert len(days) > 30
    page.evaluate("""addEventListener("beforeprint", () => {
      window.inParts = document.querySelectorAll(".gh-table.is-part").length;
      window.theme = document.documentElement.className;
    })""")
    page.pdf(format="A4", prefer_css_page_size=True)
    assert page.evaluate("[window.inParts > 1, window.theme.includes('dark')]") == [True, False]
    expect(page.locator(".gh-table.is-part")).to_have_count(0)
    page.locator("html.dark").wait_for(state="attached")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 1040, "height": 720})  # A4 on its side, within its margins
    assert page.evaluate(PRINTED)["words"] < 130  # by the style sheet alone
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = page.evaluate(PRINTED)
    assert set(days) == set(printed["heads"])
    assert printed["right"] <= 1040
    assert printed["paper"] == 255
    assert printed["words"] < 130
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".gh-table:visible")).to_have_count(1)


@pytest.mark.parametrize("path", ["keys_app/virtualkey/?q=a", "proxy_app/deployment/", "keys_app/user/"])
def test_a_list_of_the_admin_names_itself_and_its_columns_on_a_phone(visit: Open, path: str) -> None:
    page = visit(PHONE, f"/admin/{path}")
    title = page.locator("h1").first
    expect(title).not_to_have_text("")
    name = title.locator("a:visible")
    expect(name).to_have_count(1)
    assert name.evaluate("(link) => link.scrollWidth - link.clientWidth") <= 1
    expect(title.locator("span span:visible, .gh-crumb-count:visible")).to_have_count(0)
    said = page.evaluate(
        """() => [...document.querySelectorAll("#result_list tbody tr:first-child :is(td, th)[data-label]")]
          .map((cell) => [cell.dataset.label, getComputedStyle(cell, "::before").textTransform])"""
    )
    assert len(said) > 4
    for label, transformed in said:
        assert transformed == "none", label
        assert label[:1] == label[:1].upper()
