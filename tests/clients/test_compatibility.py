"""What clients rely on besides the answer: headers, the list of models, other paths, our snippets."""

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import openai
import pytest
from aiohttp import web

from tests.clients.gateway import KINDS, Gate, cost, expected, user
from tests.mocking import OwnUpstream
from tests.serving import Serving
from tests.upstream.openai_wire import frames
from tests.upstream.script import Asked
from tests.upstream.wire import Quirks
from usage_app.snippets import BY_NAME

HELLO: Any = {"model": "openai-mock", "messages": [user("hello")]}


async def test_raw_responses_carry_our_headers(gate: Gate) -> None:
    async with gate.client() as client:
        raw = await client.chat.completions.with_raw_response.create(**HELLO)
        parsed = raw.parse()
    assert raw.headers["x-request-id"] == parsed._request_id
    assert raw.headers["x-gatehouse-model"] == "openai-mock"
    assert raw.headers["x-gatehouse-deployment"].endswith("/gpt-mock")
    assert raw.headers["x-gatehouse-attempts"] == "1"
    assert round(float(raw.headers["x-gatehouse-cost"]) * 1e9) == cost("openai", expected("hello"))
    assert float(raw.headers["x-gatehouse-overhead-ms"]) >= 0
    async with gate.client() as client:
        stream = await client.chat.completions.with_raw_response.create(stream=True, **HELLO)
        [_ async for _ in stream.parse()]
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["x-gatehouse-attempts"] == "1" and "x-request-id" in stream.headers


async def test_models_are_listed_and_found_as_far_as_the_key_may_use_them(gate: Gate) -> None:
    narrow = gate.server.new_key(name="lists", models=["openai-mock", "gemini-*"])
    async with gate.client() as client:
        everything = {model.id async for model in client.models.list()}
        one = await client.models.retrieve("anthropic-mock")
    assert {f"{kind}-mock" for kind in KINDS} <= everything
    assert (one.id, one.object) == ("anthropic-mock", "model")
    async with gate.client(api_key=narrow) as client:
        few = {model.id async for model in client.models.list()}
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("anthropic-mock")
    assert "openai-mock" in few and "gemini-mock" in few
    assert not any(name.startswith("anthropic") for name in few)


async def test_the_azure_client_works_with_its_own_paths_and_header(gate: Gate) -> None:
    azure = openai.AsyncAzureOpenAI(
        azure_endpoint=gate.server.url, api_key=gate.key, api_version="2026-01-01", max_retries=0
    )
    async with azure as client:
        plain = await client.chat.completions.create(**HELLO)
        chunks = [chunk async for chunk in await client.chat.completions.create(stream=True, **HELLO)]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert plain.choices[0].message.content == text == expected("hello").text


@pytest.mark.parametrize("path", ["", "/openai/v1", "/openai", "/v1/engines/openai-mock"])
async def test_other_base_addresses_reach_the_same_endpoint(gate: Gate, path: str) -> None:
    async with gate.client(base_url=gate.server.url + path) as client:
        answer = await client.chat.completions.create(**HELLO)
    assert answer.choices[0].message.content == expected("hello").text


async def test_a_base_address_with_v1_twice_is_told_the_right_one(gate: Gate) -> None:
    async with gate.client(base_url=f"{gate.server.url}/v1/v1") as client:
        with pytest.raises(openai.NotFoundError, match="twice"):
            await client.chat.completions.create(**HELLO)


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"])
def test_a_key_is_accepted_in_every_usual_header(gate: Gate, header: str) -> None:
    status, _, _ = gate.server.call("POST", "/v1/chat/completions", HELLO, key="", headers={header: gate.key})
    assert status == 200


@pytest.mark.parametrize("name", ["openai-python", "anthropic-python", "google-genai", "curl"])
def test_a_snippet_works_as_it_is_written(gate: Gate, name: str) -> None:
    text = BY_NAME[name].filled(gate.server.url, "anthropic-mock")
    command = [sys.executable, "-c", text] if BY_NAME[name].language == "python" else ["sh", "-c", text]
    done = subprocess.run(
        command,
        env={**os.environ, "GATEHOUSE_API_KEY": gate.key},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = expected("Say hello in five words.").text
    if name == "curl":
        assert "data: [DONE]" in done.stdout
    else:
        assert done.stdout == said


def test_each_chunk_arrives_before_the_next_one_is_sent(gate: Gate) -> None:
    """Pain 28: the provider writes its next piece only when the client has heard the last."""
    heard = threading.Semaphore(0)
    pieces = frames(Asked("m", "hello", stream=True, include_usage=True), expected("hello"), 1, Quirks())

    async def answering(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for piece in pieces:
            await answer.write(piece.raw)
            if piece.content:
                assert await asyncio.to_thread(heard.acquire, timeout=10)
        return answer

    with OwnUpstream(answering) as up, Serving(_one_model(up.base_url)) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.new_key(), max_retries=0)
        contents = []
        with (
            client,
            client.chat.completions.create(model="m", messages=[user("hello")], stream=True) as stream,
        ):
            for chunk in stream:
                for choice in chunk.choices:
                    if choice.delta.content:
                        contents.append(choice.delta.content)
                        heard.release()
    assert "".join(contents) == expected("hello").text and len(contents) > 5


def _one_model(base_url: str) -> str:
    return (
        "model_list: [{model_name: m, litellm_params: "
        f"{{model: openai/gpt-mock, api_base: '{base_url}/v1', api_key: sk-upstream}}}}]"
    )
