"""Failures as the official SDK raises them: typed, with our request id, and never a false finish."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from tests.clients.gateway import KINDS, Gate, user

every_kind = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("way", ["plain", "stream"])

#: The provider's answer -> what the caller's SDK raises, with which status. Ours to mend is 502.
RAISED: dict[str, tuple[type[openai.APIStatusError], int]] = {
    "400": (openai.BadRequestError, 400),
    "404": (openai.NotFoundError, 404),
    "422": (openai.UnprocessableEntityError, 422),
    "429": (openai.RateLimitError, 429),
    "500": (openai.InternalServerError, 500),
    "503": (openai.InternalServerError, 503),
    "529": (openai.InternalServerError, 503),
    "401": (openai.InternalServerError, 502),
    "quota": (openai.RateLimitError, 429),
    "context": (openai.BadRequestError, 400),
    "html": (openai.InternalServerError, 502),
    "connect": (openai.InternalServerError, 502),
}
ENDED = {"inband": "error", "cut": "truncated", "reset": "truncated", "badjson": "error"}


async def ask(gate: Gate, model: str, stream: bool, key: str = "", **more: Any) -> Any:
    asked: Any = {"model": model, "messages": [user("hello")], **more}
    async with gate.client(**({"api_key": key} if key else {})) as client:
        if not stream:
            return await client.chat.completions.create(**asked)
        return [chunk async for chunk in await client.chat.completions.create(stream=True, **asked)]


@every_kind
@both_ways
@pytest.mark.parametrize("fault", RAISED)
async def test_a_providers_failure_is_a_typed_exception(gate: Gate, kind: str, way: str, fault: str) -> None:
    error, status = RAISED[fault]
    with pytest.raises(error) as caught:
        await ask(gate, f"{kind}-{way}-fault-{fault}", way == "stream")
    raised = caught.value
    assert raised.status_code == status
    assert isinstance(raised.body, dict) and set(raised.body) == {"message", "type", "param", "code"}
    assert raised.request_id and raised.request_id in raised.message
    if fault == "context":
        assert raised.code == "context_length_exceeded"
    if fault == "429":
        assert 0 < float(raised.response.headers["retry-after"]) <= 60
    if fault == "401":
        assert raised.code == "credential_refused"


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


@pytest.mark.parametrize("fault", ["cut", "inband"])
async def test_a_broken_stream_ends_with_an_error_event_and_no_done(gate: Gate, fault: str) -> None:
    body = {"model": f"anthropic-fault-{fault}-interval-10", "messages": [user("long:20")], "stream": True}
    async with httpx.AsyncClient() as client:
        headers = {"authorization": f"Bearer {gate.key}"}
        answer = await client.post(f"{gate.place.base_url}/chat/completions", json=body, headers=headers)
    last = json.loads(answer.text.strip().splitlines()[-1].removeprefix("data: "))
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"] in last["error"]["message"]
    assert "[DONE]" not in answer.text


@every_kind
async def test_a_stream_that_fails_before_its_content_is_a_real_status(gate: Gate, kind: str) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(gate, f"{kind}-fault-inband-first-interval-10", True)
    assert caught.value.status_code == (502 if kind == "openai" else 503)


async def test_what_the_key_may_not_do_is_told_as_openai_would(gate: Gate) -> None:
    narrow = gate.server.new_key(name="narrow", models=["openai-mock"])
    with pytest.raises(openai.AuthenticationError) as wrong:
        await ask(gate, "openai-mock", False, key="sk-gh-" + "x" * 43)
    assert wrong.value.code == "invalid_api_key"
    with pytest.raises(openai.PermissionDeniedError) as denied:
        await ask(gate, "gemini-mock", True, key=narrow)
    assert denied.value.code == "model_not_allowed"
    with pytest.raises(openai.NotFoundError) as unknown:
        await ask(gate, "openai-mok", False)
    assert unknown.value.code == "model_not_found" and "openai-mock" in unknown.value.message
    assert len(await ask(gate, "openai-mock", True, key=narrow)) > 2


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
