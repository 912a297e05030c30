"""What the look at every page finds: otherwise silence would prove nothing."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.looking import cut_texts, minded, unclear

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser) -> Page:
    page = chromium.new_page()
    page.set_content('<html class="light"><body></body></html>')
    return page


def within(page: Page, style: str, text: str = "Created by the finance team") -> list[str]:
    page.evaluate(
        "([style, text]) => { document.body.innerHTML = `<p style='${style}'>${text}</p>`; }", [style, text]
    )
    return cut_texts(page)


def test_a_text_that_its_box_cuts_is_found(page: Page) -> None:
    assert within(page, "width: 60px; white-space: nowrap; overflow: hidden")
    assert within(page, "width: 60px; height: 20px; overflow: hidden")
    assert within(page, "width: 60px; height: 20px; overflow: clip")
    page.close()


def test_a_text_that_may_be_read_whole_or_says_that_it_goes_on_is_not(page: Page) -> None:
    assert within(page, "width: 60px") == []
    assert within(page, "width: 600px; overflow: hidden") == []
    assert within(page, "width: 60px; height: 20px; overflow: auto") == []
    assert within(page, "width: 60px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis") == []
    assert within(page, "width: 1px; height: 1px; overflow: hidden") == []
    page.close()


def test_an_icon_that_is_a_word_in_letters_is_found(page: Page) -> None:
    look = "<span class='material-symbols-outlined' style='font: 18px monospace'>{}</span>".format
    page.set_content(look("history"))
    assert unclear(page) == ['no icon "history"']
    page.set_content(look("h"))
    assert unclear(page) == []
    page.close()


def test_each_look_is_looked_at(page: Page) -> None:
    page.set_content(
        "<html><head><style>@media (max-width: 400px) { p { width: 900px } }"
        "@media (prefers-color-scheme: dark) { p { color: #ddd } }</style></head>"
        "<body><p>Spent by whom</p><script>const dark = matchMedia('(prefers-color-scheme: dark)');"
        "const show = () => document.documentElement.classList.toggle('dark', dark.matches);"
        "dark.onchange = show; show();</script></body></html>"
    )
    looks = {each.split(":")[0]: each for each in minded(page, by_all_rules=False)}
    assert looks.keys() == {"dark 1440", "light 390", "dark 390"}
    assert "color-contrast" in looks["dark 1440"] and looks["light 390"].endswith("too wide")
    page.close()
