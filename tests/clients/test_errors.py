"""Failures as the official SDK raises them: typed, with our request id, and never a false finish."""

import asyncio
from typing import Any

import openai
import pytest

from tests.clients.gateway import KINDS, Gate, user

every_kind = pytest.mark.parametrize("kind", KINDS)

ENDED = {"inband": "error", "cut": "truncated", "reset": "truncated", "badjson": "error"}


async def ask(gate: Gate, model: str, stream: bool, key: str = "", **more: Any) -> Any:
    asked: Any = {"model": model, "messages": [user("hello")], **more}
    async with gate.client(**({"api_key": key} if key else {})) as client:
        if not stream:
            return await client.chat.completions.create(**asked)
        return [chunk async for chunk in await client.chat.completions.create(stream=True, **asked)]


@every_kind
async def test_a_failed_call_costs_nothing_and_says_why_in_the_ledger(gate: Gate, kind: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(gate, f"{kind}-plain-fault-400", False)
    row = await asyncio.to_thread(gate.server.row, str(caught.value.request_id))
    assert (row["status"], row["http_status"], row["cost_nanodollars"]) == ("error", 400, 0)
    assert (row["error_code"], row["usage_source"]) == ("upstream_refused", "none")
    assert [attempt["http_status"] for attempt in row["attempts"]] == [400]


@every_kind
@pytest.mark.parametrize("fault", ENDED)
async def test_a_stream_that_breaks_raises_and_never_finishes(gate: Gate, kind: str, fault: str) -> None:
    """Pains 26 and 27: after content no splice, no finish reason, no [DONE]; the SDK raises."""
    heard: list[Any] = []
    async with gate.client() as client:
        stream = await client.chat.completions.create(
            model=f"{kind}-fault-{fault}-interval-10", messages=[user("long:20")], stream=True
        )
        with pytest.raises(openai.APIError):
            async for chunk in stream:
                heard.append(chunk)  # noqa: PERF401  what came before the error counts
    choices = [choice for chunk in heard for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices).startswith("word0")
    assert not any(choice.finish_reason for choice in choices)
    request_id = stream.response.headers["x-request-id"]
    row = await asyncio.to_thread(gate.server.row, request_id)
    assert (row["status"], row["http_status"]) == (ENDED[fault], 200)
    assert len(gate.up.seen_for(request_id)) == len(row["attempts"]) == 1


async def test_a_callers_mistake_is_a_bad_request_before_any_provider_is_asked(gate: Gate) -> None:
    before = len(gate.up.mock.seen)
    for more in ({"temperature": "hot"}, {"extra_body": {"api_base": "http://evil.test"}}, {"messages": []}):
        with pytest.raises(openai.BadRequestError):
            await ask(gate, "anthropic-mock", False, **more)
    assert len(gate.up.mock.seen) == before


async def test_a_rate_limit_says_when_to_come_back(gate: Gate) -> None:
    key = gate.server.new_key(name="limited", limits={"requests_per_minute": 1})
    first = await ask(gate, "openai-mock", False, key=key)
    assert first.choices[0].finish_reason == "stop"
    with pytest.raises(openai.RateLimitError) as caught:
        await ask(gate, "openai-mock", True, key=key)
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_budget_that_is_spent_is_no_rate_limit_to_retry(gate: Gate) -> None:
    budgets = [{"amount_usd": "0.000001", "period": "day", "hard": True}]
    key = gate.server.new_key(name="poor", budgets=budgets)
    with pytest.raises(openai.RateLimitError) as caught:
        await ask(gate, "openai-mock", False, key=key)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in caught.value.response.headers
    assert caught.value.type == "insufficient_quota"
