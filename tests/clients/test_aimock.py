"""Before a provider that nobody here wrote: CopilotKit's aimock as OpenAI, Anthropic and Gemini.

Every official Python SDK asks every kind of it, so that a mistake which our own mock shares shows here.
"""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors, types

from tests.clients.gateway import Gate
from tests.clients.node_programs import FOLDER, PACKAGES, node, serving
from tests.serving import Serving, free_port
from tests.upstream.sdks import Place, anthropic_client, gemini_client, openai_client

pytestmark = pytest.mark.clients

HELLO = "Hello from somebody else's mock: 안녕 👋."
WAVES = "Hello from the mock👋👋👋!"  # told in pieces of 20 halves of a pair: cut within the first hand
CITIES = ["Seoul", "Zürich"]
ASKING = ("chat", "responses", "messages", "generate")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
every_kind = pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """The address of a running aimock."""
    port = free_port()
    command = (node(), str(PACKAGES / "@copilotkit/aimock/dist/cli.js"), "-p", str(port), "-f")
    with serving(*command, str(FOLDER / "aimock"), "--validate-on-load", port=port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def gate(place: str) -> Iterator[Gate]:
    models = []
    for kind, base in (("openai", f"{place}/v1"), ("anthropic", place), ("gemini", place)):
        for name in ("mock", "cut", *(f"fails-{ask}" for ask in ASKING)):  # a failure cools its deployment
            params = {"model": f"{kind}/{kind}-{name}", "api_base": base, "api_key": "anything"}
            models.append({"model_name": f"{kind}-{name}", "litellm_params": params})
    with Serving(json.dumps({"model_list": models})) as server:
        yield Gate(server, None, server.new_key(name="aimock"))  # type: ignore[arg-type]


def at(gate: Gate, form: str) -> Place:
    return Place(form, gate.server.url + ("/v1" if form == "openai" else ""), gate.key)


async def chat(gate: Gate, model: str, text: str, stream: bool, tools: bool = False) -> tuple[str, list[str]]:
    function = {"name": "get_weather", "parameters": SCHEMA}
    more: dict[str, Any] = {"tools": [{"type": "function", "function": function}]} if tools else {}
    asked: Any = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    async with openai_client(at(gate, "openai")) as client:
        if stream:
            async with client.chat.completions.stream(**asked) as events:
                answer: Any = await events.get_final_completion()
        else:
            answer = await client.chat.completions.create(**asked)
    message = answer.choices[0].message
    return message.content or "", [json.loads(c.function.arguments)["city"] for c in message.tool_calls or ()]


async def responses(
    gate: Gate, model: str, text: str, stream: bool, tools: bool = False
) -> tuple[str, list[str]]:
    offered = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}]
    asked: Any = {"model": model, "input": text, **({"tools": offered} if tools else {})}
    async with openai_client(at(gate, "openai")) as client:
        if stream:
            async with client.responses.stream(**asked) as events:
                answer: Any = await events.get_final_response()
        else:
            answer = await client.responses.create(**asked)
    calls = [item for item in answer.output if item.type == "function_call"]
    return answer.output_text, [json.loads(call.arguments)["city"] for call in calls]


async def messages(
    gate: Gate, model: str, text: str, stream: bool, tools: bool = False
) -> tuple[str, list[str]]:
    more: dict[str, Any] = {"tools": [{"name": "get_weather", "input_schema": SCHEMA}]} if tools else {}
    asked: Any = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}
    async with anthropic_client(at(gate, "anthropic")) as client:
        if stream:
            async with client.messages.stream(**asked) as events:
                answer: Any = await events.get_final_message()
        else:
            answer = await client.messages.create(**asked)
    said = "".join(block.text for block in answer.content if block.type == "text")
    return said, [block.input["city"] for block in answer.content if block.type == "tool_use"]


async def generate(
    gate: Gate, model: str, text: str, stream: bool, tools: bool = False
) -> tuple[str, list[str]]:
    declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])] if tools else []
    )
    asked: Any = {"model": model, "contents": text, "config": config}
    client = gemini_client(at(gate, "gemini"))
    try:
        if stream:
            answers = [chunk async for chunk in await client.aio.models.generate_content_stream(**asked)]
        else:
            answers = [await client.aio.models.generate_content(**asked)]
    finally:
        await client.aio.aclose()
        client.close()
    found = [answer.candidates[0].content for answer in answers if answer.candidates]
    parts = [part for content in found if content for part in content.parts or ()]
    said = "".join(part.text for part in parts if part.text and not part.thought)
    return said, [part.function_call.args["city"] for part in parts if part.function_call]


every_form = pytest.mark.parametrize(
    "ask", [chat, responses, messages, generate], ids=lambda ask: ask.__name__
)


@every_kind
@every_form
@both_ways
async def test_text_arrives_whole(gate: Gate, kind: str, ask: Any, stream: bool) -> None:
    assert await ask(gate, f"{kind}-mock", "hello", stream) == (HELLO, [])


@every_kind
@every_form
@both_ways
async def test_a_text_that_is_cut_within_a_character_arrives_whole(
    gate: Gate, kind: str, ask: Any, stream: bool
) -> None:
    said, _ = await ask(gate, f"{kind}-mock", "wave", stream)
    assert said.encode("utf-16", "surrogatepass").decode("utf-16") == WAVES  # Python's SDKs join no halves


# aimock invents this reason, and what speaks the same format is passed on as it came.
@pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason")
@every_kind
@every_form
@both_ways
async def test_parallel_tool_calls_keep_their_arguments(
    gate: Gate, kind: str, ask: Any, stream: bool
) -> None:
    _, cities = await ask(gate, f"{kind}-mock", "weather", stream, tools=True)
    assert cities == CITIES


@every_kind
@every_form
async def test_a_refusal_is_the_sdks_own_error(gate: Gate, kind: str, ask: Any) -> None:
    with pytest.raises((openai.RateLimitError, anthropic.RateLimitError, errors.ClientError)) as caught:
        await ask(gate, f"{kind}-fails-{ask.__name__}", "please fail", False)
    assert "429" in str(caught.value) or getattr(caught.value, "status_code", 0) == 429


@every_kind
@every_form
async def test_a_stream_that_breaks_off_is_an_error(gate: Gate, kind: str, ask: Any) -> None:
    with pytest.raises((openai.OpenAIError, anthropic.AnthropicError, errors.APIError, RuntimeError)):
        await ask(gate, f"{kind}-cut", "cut short", True)


def test_the_mock_saw_no_key_of_ours(gate: Gate, place: str) -> None:
    asked = subprocess.run(
        (node(), "-e", f"fetch('{place}/__aimock/journal').then(a => a.text()).then(console.log)"),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    assert gate.key not in asked
