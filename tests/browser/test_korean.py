"""No page in Korean keeps an English word, of the window or of the admin, whatever it tells."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.admin_pages import NAMES, SCRIPT
from tests.browser.english import english
from tests.browser.people import opened, printed, seen
from tests.browser.watching import PAGES
from tests.serving import Serving

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("people")]


def test_no_page_in_korean_keeps_an_english_word(chromium: Browser, server: Serving) -> None:
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


def test_what_refuses_and_what_cools_down_is_told_in_korean(chromium: Browser, server: Serving) -> None:
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
