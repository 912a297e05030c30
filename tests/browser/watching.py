"""A person in Chromium: signed in, and listening to everything the page complains about."""

import json
import urllib.request
from typing import Any

from playwright.sync_api import Browser, Page

from tests.serving import PASSWORD, Serving

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PAGES = (
    *("/ui/", "/ui/live/", "/ui/requests/", "/ui/get-started/", "/ui/nothing-here/"),
    *("/ui/usage/", "/ui/usage/?by=service&and=model&columns=day", "/ui/exports/"),
    *("/ui/budgets/", "/ui/models/", "/ui/prices/", "/ui/playground/"),
    *("/ui/keys/", "/ui/keys/new/", "/ui/services/", "/ui/sessions/"),
)


class Watched:
    """A signed-in page and everything it complained about."""

    def __init__(self, browser: Browser, server: Serving, user: str = "admin", **options: Any) -> None:
        self.url = server.url
        self.complaints: list[str] = []
        self.page: Page = browser.new_context(**options).new_page()
        self.page.on("console", lambda said: self._console(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._request(request.url))
        self.page.goto(f"{server.url}/ui/sign-in/")
        self.page.fill("[name=username]", user)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click(".gh-sign-in button")
        self.page.wait_for_url(lambda url: "sign-in" not in url)

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "404" not in text:
            self.complaints.append(text)

    def _request(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.complaints.append(f"asked another host: {url}")


def stream(server: Serving, key: str, model: str, question: str = "Count slowly.") -> None:
    """One streamed call, read to its end."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(
        f"{server.url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
