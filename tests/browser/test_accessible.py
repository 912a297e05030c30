"""Every page by axe-core, for each role, in both languages and themes; and in Korean no English word."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessible import violations
from tests.browser.admin_pages import SCRIPT
from tests.browser.english import english
from tests.browser.watching import PAGES, Watched
from tests.serving import PASSWORD, Serving

pytestmark = pytest.mark.browser

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
#: theme, width, language: each page is seen in all six by turns.
LOOKS = (("light", 1440, "en"), ("dark", 390, "ko"))
ROLES = ("manager", "member", "viewer")
#: The rules cost half a second a page: an admin's are held to them in both looks, the others' in one.
RULED = {"manager": LOOKS[:1], "member": LOOKS[1:], "viewer": LOOKS[:1]}


@pytest.fixture(scope="module")
def people(server: Serving) -> Iterator[None]:
    """A service with traffic, and somebody of each role in it."""
    key = server.new_key(name="assistant", budgets=[{"amount_usd": 5, "period": "month"}])
    for model in ("sandbox/fast", "sandbox/fast", "sandbox/error-500"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        server.call("POST", "/v1/chat/completions", body, key=key)
    for role in ROLES:
        made = server.manage("shell", "-c", _person(role))
        assert made.returncode == 0, made.stderr
    server.call("POST", "/v1/chat/completions", {"model": "none/such", "messages": []}, key=key)
    server.ledger(3)
    yield


def _person(role: str) -> str:
    part = "manager" if role == "manager" else "member"
    return (
        "from keys_app.models import *\n"
        f"person = User.objects.create_user({role!r}, password={PASSWORD!r}, role={role!r})\n"
        "service, _ = Service.objects.get_or_create(name='shop')\n"
        f"Membership.objects.create(user=person, service=service, role={part!r})\n"
    )


def seen(chromium: Browser, server: Serving, look: tuple[str, int, str], user: str = "admin") -> Watched:
    theme, width, language = look
    options: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    watched = Watched(chromium, server, user=user, **options)
    watched.page.goto(f"{server.url}/ui/")
    if watched.page.get_attribute("html", "lang") != language:  # a person keeps their language
        watched.page.locator("form[action$='/language/'] button").first.click()
    expect(watched.page.locator("html")).to_have_attribute("lang", language)
    return watched


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look)))
def test_an_admins_pages_break_no_rule(
    chromium: Browser, server: Serving, people: None, look: tuple[str, int, str]
) -> None:
    watched = seen(chromium, server, look)
    broken = {}
    for path in (*PAGES, *opened(server), *ADMIN):
        watched.page.goto(server.url + path)
        watched.page.wait_for_load_state("load")
        if found := violations(watched.page):
            broken[path] = found
    assert broken == {}
    assert watched.complaints == []
    watched.page.context.close()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look)))
def test_every_roles_pages_are_quiet_and_break_no_rule(
    chromium: Browser, server: Serving, people: None, role: str, look: tuple[str, int, str]
) -> None:
    watched = seen(chromium, server, look, user=role)
    for path in PAGES:
        watched.page.goto(server.url + path)
        watched.page.wait_for_load_state("load")
        expect(watched.page.locator("#gh-main")).to_be_visible()
        assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if look in RULED[role]:
            assert violations(watched.page) == [], path
        assert watched.page.locator("a[href*='/admin/keys_app']").count() == 0, path
    watched.page.goto(f"{server.url}/admin/")
    assert "/admin/" not in watched.page.url or watched.page.locator("#result_list").count() == 0
    assert [each for each in watched.complaints if "403" not in each] == []
    watched.page.context.close()


def test_no_page_in_korean_keeps_an_english_word(chromium: Browser, server: Serving, people: None) -> None:
    watched = seen(chromium, server, ("light", 1440, "ko"))
    made = server.manage("shell", "-v0", "-c", SCRIPT)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout.splitlines()[-1])
    names = frozenset(told["names"])
    found: dict[str, list[str]] = {}
    for path in (*PAGES, *opened(server), *told["paths"]):
        watched.page.goto(server.url + path)
        watched.page.wait_for_load_state("load")
        if words := english(watched.page, names):
            found[path] = words
    for path in told["tries"]:
        watched.page.goto(server.url + path)
        watched.page.locator("form.border-t button").click()
        expect(watched.page.locator("[role=status] p").first).to_be_visible(timeout=20_000)
        if words := english(watched.page, names):
            found[path] = words
    assert found == {}
    watched.page.context.close()


def opened(server: Serving) -> list[str]:
    """Pages of single things: calls of each outcome, a key, a budget, a service."""
    paths = {row["status"]: f"/ui/requests/{row['id']}/" for row in server.ledger(3)}
    for name in ("keys", "budgets", "services"):
        _, _, body = server.call("GET", f"/api/v1/{name}/")
        paths[name] = f"/ui/{name}/{body['results'][0]['id']}/"
    return [*paths.values(), paths["keys"] + "edit/"]
