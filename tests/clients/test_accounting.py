"""What a call costs does not depend on how it was asked for (pains 1 and 2)."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.clients.gateway import KINDS, Gate, cost, expected, user
from tests.upstream.script import TOOL_SCHEMA

every_kind = pytest.mark.parametrize("kind", KINDS)
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": TOOL_SCHEMA}}]
COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


async def send(gate: Gate, body: dict[str, Any], key: str = "") -> tuple[str, list[Any]]:
    """One call: our request id, and the answer, or each of its chunks but [DONE]."""
    headers = {"authorization": f"Bearer {key or gate.key}"}
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{gate.server.url}/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    if not body.get("stream"):
        return answer.headers["x-request-id"], [answer.json()]
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return answer.headers["x-request-id"], [json.loads(line) for line in data]


def with_usage(chunks: list[Any]) -> list[Any]:
    return [chunk for chunk in chunks if chunk.get("usage")]


@every_kind
@pytest.mark.parametrize("text", ["hello", "cached", "think-tools:2", "empty"])
async def test_plain_and_streamed_rows_are_equal_and_priced_exactly(gate: Gate, kind: str, text: str) -> None:
    asked = {"model": f"{kind}-mock", "messages": [user(text)], "tools": TOOLS}
    streamed = {**asked, "stream": True}
    sent = await asyncio.gather(
        send(gate, asked),
        send(gate, streamed),
        send(gate, {**streamed, "stream_options": {"include_usage": True}}),
    )
    rows = [gate.server.row(request_id) for request_id, _ in sent]
    script = expected(text, tools=("get_weather",))
    for row in rows:
        assert (row["status"], row["usage_source"]) == ("ok", "provider")
        assert row["input_tokens"] == script.usage.input_tokens
        assert row["cache_read_tokens"] == script.usage.cache_read_tokens
        assert row["output_tokens"] == script.usage.output_tokens
        assert (row["reasoning_tokens"] or 0) == script.usage.reasoning_tokens
        assert row["cost_nanodollars"] == cost(kind, script)
    assert len({tuple(row[name] for name in COUNTS) for row in rows}) == 1
    (_, [plain]), (_, unasked), (_, wanted) = sent
    assert with_usage(unasked) == []
    assert [chunk["choices"] for chunk in with_usage(wanted)] == [[]]
    assert wanted[-1]["usage"] == plain["usage"]


async def test_usage_beside_choices_counts_like_usage_alone(gate: Gate) -> None:
    """A provider that puts its usage into the last chunk with choices (pain 1)."""
    asked = {"messages": [user("cached")], "stream": True}
    options = {"stream_options": {"include_usage": True}}
    sent = await asyncio.gather(
        send(gate, {**asked, "model": "openai-mock"}),
        send(gate, {**asked, "model": "openai-mock-usage-with-choices"}),
        send(gate, {**asked, "model": "openai-mock-usage-with-choices", **options}),
        send(gate, {"messages": [user("cached")], "model": "openai-mock-usage-with-choices"}),
    )
    rows = [gate.server.row(request_id) for request_id, _ in sent]
    assert len({(*(row[name] for name in COUNTS), row["cost_nanodollars"]) for row in rows}) == 1
    assert rows[0]["cost_nanodollars"] == cost("openai", expected("cached"))
    assert with_usage(sent[0][1]) == with_usage(sent[1][1]) == []
    assert len(with_usage(sent[2][1])) == 1


async def test_the_provider_is_asked_for_usage_that_the_client_did_not_ask_for(gate: Gate) -> None:
    request_id, _ = await send(gate, {"model": "openai-mock", "messages": [user("hello")], "stream": True})
    [seen] = gate.up.seen_for(request_id)
    assert seen.body["stream_options"]["include_usage"] is True
    assert seen.body["messages"] == [user("hello")] and seen.body["model"] == "gpt-mock"


async def test_a_row_says_who_called_what_and_where_it_went(gate: Gate) -> None:
    key = gate.server.new_key(name="accounting", environment="experiment")
    body = {
        "model": "anthropic-mock",
        "messages": [user("hello")],
        "user": "claire@example.org",
        "metadata": {"tags": "a,b"},
    }
    request_id, _ = await send(gate, body, key)
    row = gate.server.row(request_id)
    assert (row["key_name"], row["environment"], row["end_user"]) == (
        "accounting",
        "experiment",
        "claire@example.org",
    )
    assert (row["model"], row["upstream_model"], row["endpoint"]) == (
        "anthropic-mock",
        "claude-mock",
        "chat.completions",
    )
    assert row["client"] == f"httpx {httpx.__version__}"
    assert row["ttft_ms"] <= row["latency_ms"] and row["overhead_ms"] <= row["latency_ms"]
    [attempt] = row["attempts"]
    assert (attempt["number"], attempt["status"], attempt["http_status"]) == (1, "ok", 200)
    [seen] = gate.up.seen_for(request_id)
    assert seen.attempt == 1 and key not in json.dumps([seen.headers, seen.body])
    names = [mark["name"] for mark in row["timeline"]]
    assert names.index("received") < names.index("attempt") < names.index("headers") < names.index("settled")


async def test_what_the_rows_sum_to_is_what_the_usage_report_says(gate: Gate) -> None:
    key = gate.server.new_key(name="summed")
    bodies = [
        {"model": f"{kind}-mock", "messages": [user(text)], "stream": stream}
        for kind in KINDS
        for text in ("hello", "cached")
        for stream in (False, True)
    ]
    sent = await asyncio.gather(*(send(gate, body, key) for body in bodies))
    rows = [gate.server.row(request_id) for request_id, _ in sent]
    key_id = rows[0]["key"]
    status, _, report = gate.server.call("GET", f"/api/v1/usage/?key={key_id}&group_by=model")
    assert status == 200
    lines = report["results"]
    assert {line["model"] for line in lines} == {f"{kind}-mock" for kind in KINDS}
    for name in ("input_tokens", "output_tokens", "cost_nanodollars"):
        assert sum(line[name] for line in lines) == sum(row[name] for row in rows)
    assert sum(line["requests"] for line in lines) == len(bodies)
