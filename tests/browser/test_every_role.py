"""Every page of the window as each role, in both languages and every look: as `test_every_page` asks of an
admin's, and nobody else is led to the admin.
"""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.looking import minded
from tests.browser.people import LANGUAGES, ROLES, seen
from tests.browser.watching import PAGES
from tests.serving import Serving

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("people")]

#: All the rules cost half a second a page: others' pages are an admin's without some parts.
RULED = {("manager", "en"), ("member", "ko"), ("viewer", "en")}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_minds_the_pages_of_any_role_in_any_look(
    chromium: Browser, server: Serving, role: str, language: str
) -> None:
    watched = seen(chromium, server, language, user=role)
    found = {}
    for path in PAGES:
        watched.page.goto(server.url + path)
        expect(watched.page.locator("#gh-main")).to_be_visible()
        assert watched.page.locator("a[href*='/admin/keys_app']").count() == 0, path
        if wrong := minded(watched.page, by_all_rules=(role, language) in RULED):
            found[path] = wrong
    assert found == {}
    watched.page.goto(f"{server.url}/admin/")
    assert "/admin/" not in watched.page.url or watched.page.locator("#result_list").count() == 0
    assert [each for each in watched.complaints if "403" not in each] == []
    watched.page.context.close()
