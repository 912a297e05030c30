"""Uploads and looks at stored things: each counts as a request at every level, and holds nothing."""

from typing import Any

import httpx
import pytest

from keys_app.limits import MemoryStore
from proxy_app.dialects import dialect_of
from proxy_app.urls import PATHS, PATTERNS
from proxy_app.views.counted import CountedView
from tests.proxy_app.batches import Provider, able, lines, opened, started, upload
from tests.proxy_app.harness import Gateway, asked, completion, model
from tests.proxy_app.levels import LEVELS, with_budget, with_rate
from tests.proxy_app.pairs.hearing import error_in

#: Levels that are known without a model.
KNOWN = ("key", "user", "service", "environment", "global")
WITHOUT_MODEL = [level for level, (scope, _) in LEVELS.items() if scope in KNOWN]
MAKE_CALLS = {("Batches", "POST"), ("MessageBatches", "POST")}


def looks() -> list[tuple[str, str]]:
    """(method, path) of every address that only asks for or brings what is stored."""
    found: dict[tuple[str, str], str] = {}
    addressed = [*PATHS.items(), *((f"{start}some-id{end}", view) for start, end, view in PATTERNS)]
    for path, view in addressed:
        if issubclass(view, CountedView) and path.startswith("/v1/"):
            for method in view.methods:
                if (view.__name__, method) not in MAKE_CALLS:
                    found.setdefault((view.__name__, method), path)
    return sorted((method, path) for (_, method), path in found.items())


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def gate(make_gateway: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)

    async def script(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/chat/completions"):
            return httpx.Response(200, json=completion())
        return await provider(request)

    return await opened(make_gateway(script, model("gpt", able())))


def limit(gate: Gateway, level: str, number: int) -> None:
    gate.keeper.current = with_rate(gate.keeper.current, level, requests_per_minute=number)


def held(gate: Gateway) -> Any:
    limits = gate.services.limits
    assert isinstance(limits, MemoryStore)
    return limits._holds


@pytest.mark.parametrize(("method", "path"), looks())
async def test_a_look_too_many_is_refused_in_the_caller_s_own_words(gate, provider, method, path):
    limit(gate, "key", 1)
    first = await gate.ask(path=path, method=method)
    assert first.status != 429
    asked_before = provider.reads, len(provider.sent)
    refused = await gate.ask(path=path, method=method)
    assert refused.status == 429 and 0 < int(refused.headers["retry-after"]) <= 60
    format = dialect_of(path, {})
    assert "requests a minute of this key" in error_in(format, 429, refused.json())["message"]
    told = {"anthropic": "anthropic-ratelimit-requests-limit", "gemini": "none"}
    said = refused.headers.get(told.get(format, "x-ratelimit-limit-requests"))
    assert said == (None if format == "gemini" else "1")
    assert (provider.reads, len(provider.sent)) == asked_before
    assert gate.ends[-1].status == "refused" and gate.ends[-1].error_code == "rate_limit_exceeded"
    assert not held(gate)


@pytest.mark.parametrize("level", WITHOUT_MODEL)
async def test_each_level_counts_looks_and_calls_together(gate, provider, level):
    limit(gate, level, 3)
    assert (await upload(gate, lines())).status == 200
    assert (await gate.ask(path="/v1/files/file-1", method="GET")).status == 200
    assert (await gate.ask(asked())).status == 200
    assert (await gate.ask(path="/v1/files", method="GET")).status == 429
    assert (await gate.ask(asked())).status == 429
    assert not held(gate)


async def test_making_a_batch_is_one_request_and_not_two(gate):
    limit(gate, "key", 2)
    await started(gate)  # an upload, and a batch of it
    assert (await gate.ask(path="/v1/batches", method="GET")).status == 429


async def test_neither_tokens_nor_calls_at_once_nor_money_are_asked_of_a_look(gate):
    gate.keeper.current = with_rate(gate.keeper.current, "key", tokens_per_minute=1, parallel=0)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 0)
    for _ in range(3):
        assert (await upload(gate, lines())).status == 200
    assert not held(gate)
