"""Every page of an admin, in both languages: in light and dark, wide and narrow, it fits, is cut nowhere and
breaks no rule of accessibility; it complains of nothing and asks this host only.
"""

import pytest
from playwright.sync_api import Browser

from tests.browser.looking import minded
from tests.browser.people import LANGUAGES, first, opened, seen
from tests.browser.watching import PAGES
from tests.serving import Serving

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("people")]

ADMIN = tuple(
    f"/admin/{path}"
    for path in (
        *(
            "",
            "keys_app/virtualkey/",
            "keys_app/virtualkey/add/",
            "keys_app/service/",
            "keys_app/service/add/",
        ),
        *("keys_app/user/", "keys_app/user/add/", "keys_app/budget/", "keys_app/budget/add/"),
        *("keys_app/ratelimit/add/", "keys_app/auditentry/", "keys_app/managementkey/", "usage_app/alert/"),
        *("proxy_app/provider/", "proxy_app/provider/add/", "proxy_app/model/", "proxy_app/deployment/"),
        *("usage_app/price/", "usage_app/price/add/"),
    )
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["window", "admin"])
def test_nobody_minds_an_admins_pages_in_any_look(
    chromium: Browser, server: Serving, part: str, language: str
) -> None:
    watched = seen(chromium, server, language)
    found = {}
    for path in (*PAGES, *opened(server)) if part == "window" else (*ADMIN, *forms(server)):
        watched.page.goto(server.url + path)
        if wrong := minded(watched.page):
            found[path] = wrong
    assert found == {}
    assert watched.complaints == []
    watched.page.context.close()


def forms(server: Serving) -> list[str]:
    """Pages of the admin that change one thing."""
    kinds = {"virtualkey": "keys", "budget": "budgets", "service": "services"}
    return [f"/admin/keys_app/{kind}/{first(server, name)}/change/" for kind, name in kinds.items()]
