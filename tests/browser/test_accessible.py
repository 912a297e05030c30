"""Every page by axe-core, for each role, in both languages and themes; and in Korean no English word."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessible import violations
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
#: What is written in Latin letters in Korean too: names, units, code.
LATIN = re.compile(
    r"""(?<![A-Za-z])(
      Gatehouse|API|URL|ID|CSV|XLSX|JSON|SDK|HTTP|HTML|TLS|UTC|Etc|CPU|IP|PDF|OK|EN|KO|Ctrl|Enter|AWS
    | p50|p95|TTFT|OpenAI|Anthropic|Claude|Google|Cloud|Gemini|Mistral|DeepSeek|Groq|xAI|OpenRouter
    | Azure|Vertex|Bedrock|AI|LangChain|Open|WebUI|Cursor|Python|Node|GenAI|Code|Codex|curl|LiteLLM
    | Together|Fireworks|Cerebras|Perplexity|NVIDIA|NIM|Cohere|Ollama|vLLM|LM|Studio|llama|cpp|Hugging
    | Face|TGI|compatible|Chrome|HeadlessChrome|Linux|Slack|HMAC|webhook|Webhook|admin|sandbox|playground
    | minimal|low|medium|high|first|key|getting|started|ms|min|gpt|chat|completions|usage|global|us|east
    | europe|west
    )(?![A-Za-z])""",
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z]{2,}")
#: Names of models, keys and addresses within a sentence.
_DATA = re.compile(r"[\w.-]*(?:/[\w.*:-]+)+|sk-gh-\S+|\bassistant\b|\bshop\b|[\w.]+@[\w.]+|/[\w/-]+")


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
    found: dict[str, list[str]] = {}
    for path in (*PAGES, *opened(server), *ADMIN):
        watched.page.goto(server.url + path)
        watched.page.wait_for_load_state("load")
        if words := english(watched.page):
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


def english(page: Page) -> list[str]:
    """Latin words that a person reads on the page, but for data, code and names that stay as they are."""
    texts: list[str] = page.evaluate(
        """() => {
          const left_out = "#result_list, .material-symbols-outlined, script, style, code, pre, kbd, svg, "
            + "textarea, select, datalist, input, td, th[scope=row], time, .gh-sidebar-brand, .gh-hint, "
            + ".gh-me, .gh-live-row, .gh-verdict:not(.is-ok) .gh-verdict-sentence, "  // quotes the error
            + "p [lang=en], [role=tabpanel], [role=tab]";
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [];
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const element = node.parentElement;
            if (!element.closest(left_out) && element.checkVisibility()) found.push(node.nodeValue.trim());
          }
          return found.filter(Boolean);
        }"""
    )
    words = []
    for text in texts:
        words += [f"{word} ({text[:60]})" for word in _WORD.findall(LATIN.sub(" ", _DATA.sub(" ", text)))]
    return words
