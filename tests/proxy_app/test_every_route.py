"""Every address that may cost money, by the tables that serve it: a used-up budget stops each one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_project.handler import find_view
from keys_app.entries import BudgetEntry, Snapshot
from proxy_app.urls import PATHS, PATTERNS
from proxy_app.views.counting import CountTokens
from proxy_app.views.kept import KeptView
from proxy_app.views.stored_responses import StoredResponse
from tests.proxy_app import harness
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import deployment, model
from tests.proxy_app.levels import END_USER, LEVELS

#: One body with everything that any endpoint demands; what an endpoint does not know it passes on.
BODY = {
    "model": "gpt",
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 50,
    "input": "hello",
    "prompt": "hello",
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
    "content": {"parts": [{"text": "hello"}]},
    "requests": [{"model": "models/gpt", "content": {"parts": [{"text": "hello"}]}}],
    "voice": "alloy",
    "query": "hello",
    "documents": ["hello"],
}
FORM = form({"file": bytes(64), "image": bytes(64)}, model="gpt", prompt="hello")

#: Free, whatever is asked: a used-up budget does not stop them. A batch's making is not, and names no model:
#: test_batches has it.
FREE = (CountTokens, StoredResponse, KeptView)


def posts() -> list[str]:
    """Every address that takes a POST, with the model filled in."""
    addresses = [path for path, view in PATHS.items() if "POST" in view.methods]
    addresses += [f"{start}{_model(end)}{end}" for start, end, view in PATTERNS if "POST" in view.methods]
    return sorted({path for path in addresses if not issubclass(find_view(path)[0], FREE)})


def _model(end: str) -> str:
    return "models/gpt" if end.startswith(":") else "gpt"


WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")


def used_up(picture: Snapshot, level: str) -> Snapshot:
    """A picture in which one level has nothing left: of providers and deployments, each one."""
    scope, filed = LEVELS[level]
    names = [filed.replace("alpha", wire) for wire in WIRES] if "alpha" in filed else [filed]
    budgets = {
        (scope, name): (BudgetEntry(name, scope, name, 0, "total", 1, None, "UTC", True),) for name in names
    }
    return replace(picture, budgets=budgets)


@pytest.mark.parametrize("path", posts())
async def test_a_budget_used_up_at_any_level_refuses_and_no_provider_is_asked(
    tmp_path: Path, path: str
) -> None:
    seen: list[str] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(200, json={})

    # A provider of every format, so that no endpoint is refused for want of one.
    gate = harness.gateway(tmp_path, script, model("gpt", *(deployment(wire, wire) for wire in WIRES)))
    await gate.services.limits.load({}, [])
    headers = {"x-gatehouse-end-user": END_USER}
    takes_form = getattr(getattr(find_view(path)[0], "operation", None), "takes_form", False)
    body: Any = BODY
    if takes_form:
        body, headers = FORM, {**headers, "content-type": CONTENT_TYPE}
    picture = gate.keeper.current
    for level in LEVELS:
        gate.keeper.current = used_up(picture, level)
        answer = await gate.ask(body, path=path, headers=headers)
        assert (answer.status, b"budget" in answer.body) == (429, True), (level, answer.body)
        assert not seen, level
    # Refusals of one reason within a second are one record with a count.
    endings = {(end.status, end.error_code, end.cost_nanodollars) for end in gate.ends}
    assert endings == {("refused", "budget_exceeded", 0)}


def test_the_tables_hold_every_kind_of_endpoint() -> None:
    names = {find_view(path)[0].endpoint for path in posts()}
    assert names >= {
        "chat.completions",
        "completions",
        "responses",
        "messages",
        "generate_content",
        "embeddings",
        "images.generations",
        "images.edits",
        "audio.speech",
        "audio.transcriptions",
        "audio.translations",
        "moderations",
        "rerank",
    }
