"""Before a server that nobody here wrote: llama.cpp's own, with a tiny model that knows its answer by heart.

Every official Python SDK asks it, once in its Chat Completions and once in its Messages.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
import pytest_asyncio
from pydantic import BaseModel

from tests.clients.connecting import Caller, every_speaker, quiet
from tests.clients.gateway import Gate
from tests.clients.llama.model import ANSWER, CONTEXT, ENDLESSLY, THOUGHT, TOKENS, WIDTH, WORD, pieces
from tests.clients.node_programs import serving
from tests.clients.speaking import SPEAKERS, Assistant, Media, Results, Wish, user
from tests.clients.test_matrix import PIXEL
from tests.serving import ROOT, Serving, free_port
from tests.upstream.sdks import Place, anthropic_client

pytestmark = [pytest.mark.clients, quiet]
#: The server's format that calls are sent in; None is the one that suits the caller, as when nothing is set.
KINDS = {"chat": "openai_chat", "messages": "anthropic", "own": None}
every_kind = pytest.mark.parametrize("kind", ["chat", "messages"])
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """The address of a running llama.cpp."""
    port = free_port()
    with serving(sys.executable, "-m", "tests.clients.llama.serve", str(port), port=port, folder=ROOT):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def gate(place: str) -> Iterator[Gate]:
    deployment = {"provider": "llama", "model": "tiny"}
    models = [
        {"name": f"{kind}-tiny", "deployments": [{**deployment, "quirks": {"prefers": format}}]}
        for kind, format in KINDS.items()
    ]
    provider = {"name": "llama", "kind": "llama_cpp", "base_url": f"{place}/v1"}
    with Serving(json.dumps({"providers": [provider], "models": models})) as server:
        # No mock stands behind it, and nothing here asks for one.
        yield Gate(server, None, server.new_key(name="llama"))  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def caller(gate: Gate, speaks: str, kind: str) -> AsyncIterator[Caller]:
    speaker = SPEAKERS[speaks]
    client = speaker.connect(gate.server.url, gate.key)
    yield Caller(gate, speaker, client, kind, "tiny")
    await speaker.close(client)


@pytest_asyncio.fixture
async def sdk(gate: Gate) -> AsyncIterator[openai.AsyncOpenAI]:
    async with gate.client() as client:
        yield client


class Forecast(BaseModel):
    city: str
    temperature: float
    rainy: bool
    days: list[str]


@every_kind
@every_speaker
async def test_an_answer_and_its_thoughts_are_heard_whole_and_counted(caller: Caller) -> None:
    key = f"llama-{uuid4()}"
    client = caller.speaker.connect(caller.gate.server.url, caller.gate.server.new_key(name=key))
    told = await replace(caller, client=client).both(user("hello"))
    await caller.speaker.close(client)
    for said in told:
        assert (said.text, said.thoughts) == (ANSWER, THOUGHT)
        assert said.finish == caller.speaker.finishes["stop"]
    rows = caller.gate.server.ledger(2, key=key)
    assert {(row["status"], row["usage_source"]) for row in rows} == {("ok", "provider")}
    counted = sorted((row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) for row in rows)
    assert counted == sorted(said.usage[:3] for said in told if said.usage)
    assert {(read > cached, wrote) for read, cached, wrote in counted} == {(True, TOKENS)}


@every_kind
@every_speaker
async def test_an_answer_cut_in_the_middle_of_a_letter_is_whole_letters(caller: Caller) -> None:
    """What is more than ASCII is said byte by byte: the limit falls within the ü."""
    limit = len(pieces(THOUGHT)) + 1 + len(pieces("Sal")) + 1
    for said in await caller.both(user("hello"), wish=Wish(limit=limit)):
        assert (said.text, said.thoughts) == ("Sal", THOUGHT)
        assert said.finish == caller.speaker.finishes["length"]
        assert said.usage and said.usage[2] == limit


@every_speaker
@pytest.mark.parametrize("kind", ["chat", "own"])
async def test_a_schema_is_kept(caller: Caller) -> None:
    """Also by callers of Messages, which the server would answer without looking at the schema."""
    for said in await caller.both(user("hello"), wish=Wish(schema=Forecast)):
        assert isinstance(said.parsed, Forecast) and said.parsed.city == WORD
        assert said.finish == caller.speaker.finishes["stop"]


@every_kind
@every_speaker
async def test_a_tool_is_called_and_its_result_is_answered(caller: Caller) -> None:
    """The model says a word before it calls, breaks the lines of its JSON, and ends after one call."""
    forced = Wish(tools=("get_weather",), choice="required")
    for said in await caller.both(user("weather"), wish=forced):
        assert (said.text, said.thoughts) == (ANSWER, THOUGHT)
        assert said.calls == [("get_weather", {"city": WORD, "unit": "celsius"})]
        assert said.finish == caller.speaker.finishes["tool_calls"]
        turns = (user("weather"), Assistant(said), Results(said, (("sun",),)))
        for last in await caller.both(*turns, wish=replace(forced, choice="")):
            assert (last.text, last.calls) == (ANSWER, [])
            assert last.usage and said.usage and last.usage[0] > said.usage[0]


@pytest.mark.parametrize("speaks", ["responses", "messages", "generate"])
@pytest.mark.parametrize("name", ["get_time", "get_weather"])
@pytest.mark.parametrize("kind", ["chat", "own"])
async def test_a_tool_that_is_named_is_the_one_called(caller: Caller, name: str) -> None:
    """The server passes over names in `tool_choice`, which Chat Completions are relayed with as they are."""
    for said in await caller.both(user("now"), wish=Wish(tools=("get_time", "get_weather"), choice=name)):
        assert [called for called, _ in said.calls] == [name]


@every_kind
@every_speaker
@both_ways
async def test_what_the_model_cannot_take_is_the_callers_mistake(caller: Caller, stream: bool) -> None:
    """The server itself calls an image a fault of its own, with a 500."""
    for turn, words in (
        (user("a" * CONTEXT), "context_length_exceeded"),
        (user("this", Media("image", PIXEL)), "image input is not supported"),
    ):
        with pytest.raises(caller.speaker.error) as caught:
            await caller.say(turn, stream=stream)
        assert caller.speaker.status(caught.value) == 400
        assert words in str(getattr(caught.value, "body", None) or caught.value)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("wrong", [{"temperature": "warm"}, {"messages": "hello"}], ids=str)
async def test_a_body_that_the_server_cannot_read_is_refused(gate: Gate, path: str, wrong: Any) -> None:
    asked = {"model": "own-tiny", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
    status, _, told = await asyncio.to_thread(gate.server.call, "POST", path, asked | wrong, key=gate.key)
    assert status == 400, told


@every_kind
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_the_server_stops_when_the_caller_goes(gate: Gate, place: str, kind: str, path: str) -> None:
    """To its end the answer would take about a minute."""
    before = await said_by(place)
    asked = {"model": f"{kind}-tiny", "messages": [{"role": "user", "content": ENDLESSLY}]}
    asked |= {"max_tokens": CONTEXT, "stream": True}
    headers = {"authorization": f"Bearer {gate.key}"}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"{gate.server.url}{path}", json=asked, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if '"ti"' in line:
                break
    while await metric(place, "requests_processing"):
        await asyncio.sleep(0.02)
    assert 0 < await said_by(place) - before < CONTEXT // 2
    row = gate.server.row(answer.headers["x-request-id"])
    assert row["status"] == "cancelled" and row["output_tokens"]


async def test_tokens_are_counted_as_a_call_would_count_them(gate: Gate) -> None:
    asked: Any = {"model": "own-tiny", "messages": [{"role": "user", "content": "hello"}]}
    async with anthropic_client(Place("anthropic", gate.server.url, gate.key)) as client:
        counted = await client.messages.count_tokens(**asked)
        usage = (await client.messages.create(**asked, max_tokens=1)).usage
    assert counted.input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)


async def test_a_text_is_completed(sdk: openai.AsyncOpenAI) -> None:
    asked: Any = {"model": "own-tiny", "prompt": "Once </think>"}
    plain = await sdk.completions.create(**asked)
    stream = await sdk.completions.create(**asked, stream=True)
    assert plain.choices[0].text == "".join([chunk.choices[0].text async for chunk in stream]) == ANSWER
    assert plain.usage and plain.usage.completion_tokens == len(pieces(ANSWER)) + 1


async def test_texts_are_embedded(sdk: openai.AsyncOpenAI) -> None:
    made = await sdk.embeddings.create(model="own-tiny", input=["hello", "hello"])
    first, second = (item.embedding for item in made.data)
    assert first == second and len(first) == WIDTH and made.usage.prompt_tokens > 0


def test_the_connection_is_proved_by_the_servers_list_of_models(gate: Gate) -> None:
    providers = gate.server.call("GET", "/api/v1/providers/")[2]["results"]
    [provider] = [each for each in providers if each["name"] == "llama"]
    status, _, told = gate.server.call("POST", f"/api/v1/providers/{provider['id']}/test/")
    assert (status, told["ok"], told["detail"]) == (200, True, "llama answered with 1 model to chat with.")


async def metric(place: str, name: str) -> int:
    """One of the server's own numbers."""
    async with httpx.AsyncClient() as client:
        lines = (await client.get(f"{place}/metrics")).text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"llamacpp:{name} "))


async def said_by(place: str) -> int:
    """How many tokens the server has said since it began."""
    return await metric(place, "n_decode_total")
