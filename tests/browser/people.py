"""People of each role in one service with traffic: made, signed in, and the pages of what is theirs."""

import json
from typing import Any, cast

from playwright.sync_api import Browser, expect

from tests.browser.watching import Watched
from tests.serving import PASSWORD, Serving

LANGUAGES = ("en", "ko")
ROLES = ("manager", "member", "viewer")


def settle(server: Serving) -> None:
    """A service with traffic, and somebody of each role in it."""
    key = server.new_key(name="assistant", budgets=[{"amount_usd": 5, "period": "month"}])
    for model in ("sandbox/fast", "sandbox/fast", "sandbox/error-500"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        server.call("POST", "/v1/chat/completions", body, key=key)
    made = server.manage("shell", "-c", "".join(_person(role) for role in ROLES))
    assert made.returncode == 0, made.stderr
    server.call("POST", "/v1/chat/completions", {"model": "none/such", "messages": []}, key=key)
    server.ledger(3)


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


def first(server: Serving, name: str) -> str:
    """The id of one of them."""
    _, _, body = server.call("GET", f"/api/v1/{name}/")
    return str(body["results"][0]["id"])
