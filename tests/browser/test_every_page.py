"""Every page as each role, in both languages: in light and dark, wide and narrow, it fits, is cut nowhere and
breaks no rule of accessibility; it complains of nothing and asks this host only; in Korean no English word.
"""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.admin_pages import NAMES, SCRIPT
from tests.browser.english import english
from tests.browser.looking import minded
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
LANGUAGES = ("en", "ko")
ROLES = ("manager", "member", "viewer")
#: All the rules cost half a second a page: others' pages are an admin's without some parts.
RULED = {("manager", "en"), ("member", "ko"), ("viewer", "en")}


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


def seen(chromium: Browser, server: Serving, language: str, user: str = "admin") -> Watched:
    watched = Watched(chromium, server, user=user, viewport={"width": 1440, "height": 900})
    if watched.page.get_attribute("html", "lang") != language:  # a person keeps their language
        watched.page.locator("form[action$='/language/'] button").first.click()
    expect(watched.page.locator("html")).to_have_attribute("lang", language)
    return watched


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["window", "admin"])
def test_nobody_minds_an_admins_pages_in_any_look(
    chromium: Browser, server: Serving, people: None, part: str, language: str
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


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_minds_the_pages_of_any_role_in_any_look(
    chromium: Browser, server: Serving, people: None, role: str, language: str
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


def test_no_page_in_korean_keeps_an_english_word(chromium: Browser, server: Serving, people: None) -> None:
    watched = seen(chromium, server, "ko")
    told = printed(server, SCRIPT)
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


#: A budget that is used up, one that refused a call before that, a paused key, one that is blocked for good.
TROUBLE = """
from datetime import timedelta
from gateway_project.clock import now
from keys_app.models import *
from usage_app.models import BudgetSpend
for name, percent in {"spent": 100, "refusing": 92}.items():
    key = VirtualKey.objects.get(name=name)
    row = Budget.objects.get(key=key)
    told = {"refused_at": now(), "refused_limit_nanodollars": row.amount_nanodollars}
    BudgetSpend.objects.update_or_create(
        budget_id=str(row.pk),
        period="total",
        defaults={"spent_nanodollars": row.amount_nanodollars * percent // 100, **told},
    )
    print(f"/ui/keys/{key.pk}/ /ui/budgets/{row.pk}/ /admin/keys_app/budget/{row.pk}/change/", end=" ")
soft = Budget.objects.get(key__name="soft")
BudgetSpend.objects.create(budget_id=str(soft.pk), period="total", spent_nanodollars=soft.amount_nanodollars)
print(f"/ui/budgets/{soft.pk}/", end=" ")
VirtualKey.objects.filter(name="over").update(expires_at=now() - timedelta(days=1))
for name in ("blocked", "over"):
    key = VirtualKey.objects.get(name=name)
    print(f"/ui/keys/{key.pk}/ /admin/keys_app/virtualkey/{key.pk}/change/", end=" ")
print("/ui/keys/ /ui/services/ /admin/keys_app/virtualkey/ /admin/keys_app/budget/ /ui/ /ui/budgets/")
"""


def trouble(server: Serving) -> list[str]:
    """Keys and budgets that refuse calls, calls of them, and their pages."""
    secrets = {}
    for name, hard in (
        ("spent", True),
        ("refusing", True),
        ("soft", False),
        ("blocked", True),
        ("over", True),
    ):
        budget = {"amount_usd": 1, "period": "total", "hard": hard}
        secrets[name] = server.new_key(name=name, budgets=[budget])
    _, _, body = server.call("GET", "/api/v1/keys/")
    ids = {row["name"]: row["id"] for row in body["results"]}
    assert server.call("POST", f"/api/v1/keys/{ids['blocked']}/block/", {})[0] == 200
    made = server.manage("shell", "-v0", "-c", TROUBLE)
    assert made.returncode == 0, made.stderr
    hello = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello"}]}
    for name in ("spent", "blocked", "over"):
        server.call("POST", "/v1/chat/completions", hello, key=secrets[name])
    return made.stdout.split()


def cool_down(server: Serving, key: str, model: str, calls: int) -> None:
    for _each in range(calls):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        server.call("POST", "/v1/chat/completions", body, key=key)


def test_what_refuses_and_what_cools_down_is_told_in_korean(
    chromium: Browser, server: Serving, people: None
) -> None:
    watched = seen(chromium, server, "ko")
    found = {}

    def look(path: str) -> None:
        watched.page.goto(server.url + path)
        watched.page.wait_for_load_state("load")
        if words := english(watched.page, names):
            found[path] = words

    paths = trouble(server)
    key = server.new_key(name="cooling sandbox/error")
    names = frozenset(printed(server, NAMES)["names"])
    cool_down(server, key, "sandbox/error-429", 2)  # the second while it cools down for a second
    cool_down(server, key, "sandbox/error-500", 9)  # for some seconds: what is slow came before
    look("/ui/models/")
    expect(watched.page.locator(".gh-deployment .gh-warn-text").first).to_be_visible()
    failed = [row for row in server.ledger(12) if row["status"] in ("error", "refused")]
    for row in failed:
        look(f"/ui/requests/{row['id']}/")
    told = [row["decision"] for row in (server.row(each["id"]) for each in failed)]
    reasons = [each["reason"] for decision in told for each in decision.get("candidates", ())]
    assert any("after 429" in reason for reason in reasons), reasons  # an ended one
    assert any("failures in a row" in reason for reason in reasons)
    for path in (*paths, "/ui/"):
        look(path)
    assert found == {}
    watched.page.context.close()


def printed(server: Serving, script: str) -> dict[str, Any]:
    """What a script prints as JSON."""
    made = server.manage("shell", "-v0", "-c", script)
    assert made.returncode == 0, made.stderr
    return cast(dict[str, Any], json.loads(made.stdout.splitlines()[-1]))


def opened(server: Serving) -> list[str]:
    """Pages of single things: calls of each outcome, a key, a budget, a service."""
    paths = {row["status"]: f"/ui/requests/{row['id']}/" for row in server.ledger(3)}
    for name in ("keys", "budgets", "services"):
        paths[name] = f"/ui/{name}/{first(server, name)}/"
    return [*paths.values(), paths["keys"] + "edit/"]


def forms(server: Serving) -> list[str]:
    """Pages of the admin that change one thing."""
    kinds = {"virtualkey": "keys", "budget": "budgets", "service": "services"}
    return [f"/admin/keys_app/{kind}/{first(server, name)}/change/" for kind, name in kinds.items()]


def first(server: Serving, name: str) -> str:
    """The id of one of them."""
    _, _, body = server.call("GET", f"/api/v1/{name}/")
    return str(body["results"][0]["id"])
