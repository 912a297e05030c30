"""Chat Completions as the official SDK has it beside what `test_matrix` says of every SDK."""

import json

import httpx
import openai
import pytest

from tests.clients.gateway import KINDS, Gate, expected, user
from tests.upstream.script import TOOL_SCHEMA
from tests.upstream.sdks import hear

every_kind = pytest.mark.parametrize("kind", KINDS)
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": TOOL_SCHEMA, "strict": True}}]


async def test_a_provider_that_says_no_done_is_completed(gate: Gate) -> None:
    heard = await hear(gate.place, "hello", True, "openai-mock-no-done")
    assert (heard.text, heard.finish) == (expected("hello").text, "stop")


@every_kind
async def test_a_stream_is_well_formed(gate: Gate, kind: str) -> None:
    """One role, indices from 0, ids and names once each, one finish at the end, nothing after [DONE]."""
    body = {"model": f"{kind}-mock", "messages": [user("talk-tools:3")], "tools": TOOLS, "stream": True}
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{gate.server.url}/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {gate.key}"},
        )
    lines = [line for line in answer.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"
    chunks = [json.loads(line[6:]) for line in lines[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == len({chunk["model"] for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [bool(choice["delta"].get("role")) for choice in choices] == [True] + [False] * (len(choices) - 1)
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["tool_calls"]
    deltas = [delta for choice in choices for delta in choice["delta"].get("tool_calls", ())]
    assert [delta["index"] for delta in deltas] == sorted(delta["index"] for delta in deltas)
    for index in range(3):
        mine = [delta for delta in deltas if delta["index"] == index]
        assert mine[0]["id"] and mine[0]["type"] == "function" and mine[0]["function"]["name"]
        assert not any(delta.get("id") or delta["function"].get("name") for delta in mine[1:])
    assert not any(chunk.get("usage") for chunk in chunks)


async def test_an_unknown_part_is_refused_for_a_provider_that_cannot_take_it(gate: Gate) -> None:
    part = {"type": "hologram", "hologram": {"url": "data:…"}}
    async with gate.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="anthropic-mock", messages=[user([part])])  # type: ignore[list-item]
    assert "hologram" in str(caught.value)
