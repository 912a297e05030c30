"""The official SDK reads what we send: its stream parser rebuilds the source, its types accept all of it."""

import warnings
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest
from google import genai
from google.genai import errors, types

from gateway_project.errors import CallStopped, RateLimited
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.wire import Address, CallFacts, Finish, Target
from tests.proxy_app.formats.test_answers import ANSWERS
from tests.proxy_app.formats.test_gemini_streams import pieces_of, pipe_for, wanted_of
from tests.proxy_app.formats.wire_bytes import STREAMS, WITHOUT_FULL_USAGE, read, run

OPTIONS = RenderOptions("public-model", "resp-ours", 1_790_000_001)
REASONS = {Finish.LENGTH: "MAX_TOKENS", Finish.CONTENT_FILTER: "SAFETY"}


class Reading:
    """A client of the official SDK whose calls are answered with the given bytes; bodies are kept."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        options = types.HttpOptions(base_url="http://gateway.test", httpx_client=self.http)
        self.client = genai.Client(api_key="sk-test", http_options=options)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(orjson.loads(request.content))
        return httpx2.Response(self.status, content=self.contents.pop(0))

    def stream(self, content: bytes) -> list[types.GenerateContentResponse]:
        self.contents.append(content)
        return list(self.client.models.generate_content_stream(model="m", contents="Hi"))

    def whole(self, content: bytes, status: int = 200) -> types.GenerateContentResponse:
        self.contents.append(content)
        self.status = status
        return self.client.models.generate_content(model="m", contents="Hi")


@pytest.fixture
def sdk() -> Iterator[Reading]:
    reading = Reading()
    yield reading
    reading.client.close()
    reading.http.close()


@pytest.mark.parametrize("name", STREAMS)
def test_the_sdk_rebuilds_what_the_provider_said(name: str, sdk: Reading) -> None:
    chunks = sdk.stream(run(pipe_for(name), read(name)))
    wanted = wanted_of(name)
    if not chunks[-1].candidates:
        feedback = chunks[-1].prompt_feedback
        assert feedback is not None and feedback.block_reason is not None
        assert wanted.finish is Finish.CONTENT_FILTER
        return
    contents = [one.content for chunk in chunks for one in chunk.candidates or () if one.content]
    parts = [part for content in contents for part in content.parts or ()]
    assert "".join(part.text or "" for part in parts if not part.thought) == wanted.text
    assert "".join(part.text or "" for part in parts if part.thought) == wanted.thoughts
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.name, call.args) for call in calls] == [(name, args) for _, name, args in wanted.calls]
    assert chunks[-1].candidates[0].finish_reason == REASONS.get(wanted.finish, "STOP")
    usage = chunks[-1].usage_metadata
    if name not in WITHOUT_FULL_USAGE:
        assert usage is not None and usage.total_token_count == 1248
        assert (usage.cached_content_token_count, usage.thoughts_token_count) == (1024, 32)


@pytest.mark.parametrize("name", [name for name in STREAMS if not name.startswith("gemini/")])
def test_every_piece_is_of_the_sdk_s_types(name: str) -> None:
    for piece in pieces_of(run(pipe_for(name), read(name))):
        for candidate in piece.get("candidates", ()):  # the SDK renames this list before it reads it
            metadata = candidate.get("citationMetadata")
            if metadata:
                metadata["citations"] = metadata.pop("citationSources")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            types.GenerateContentResponse.model_validate(piece)


@pytest.mark.parametrize("wire", ANSWERS)
def test_the_sdk_reads_a_whole_answer(wire: str, sdk: Reading) -> None:
    raw = orjson.dumps(ANSWERS[wire][0])
    sent, _ = exchange.convert_answer("gemini", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    answer = sdk.whole(sent)
    types.GenerateContentResponse.model_validate_json(sent)
    thought, text, call = answer.candidates[0].content.parts
    assert (thought.thought, thought.text, text.text) == (True, "hm", "Let me look.")
    assert call.function_call is not None
    assert (call.function_call.id, call.function_call.args) == ("c1", {"city": "Seoul"})
    assert answer.usage_metadata is not None and answer.usage_metadata.total_token_count == 1248
    assert answer.candidates[0].finish_reason == "STOP"
    assert answer.model_version == ("gemini-3-pro" if wire == "gemini" else "public-model")


def test_the_sdk_reads_citations(sdk: Reading) -> None:
    name = "openai_responses/cited"
    chunks = sdk.stream(run(pipe_for(name), read(name)))
    cited = [one.citation_metadata for chunk in chunks for one in chunk.candidates or ()]
    found = [citation for metadata in cited if metadata for citation in metadata.citations or ()]
    assert [citation.uri for citation in found] == ["https://example.com/a"]


@pytest.mark.parametrize("name", ["openai_chat/text", "anthropic/text", "gemini/text"])
def test_the_sdk_raises_for_a_stream_we_ended(name: str, sdk: Reading) -> None:
    pipe = pipe_for(name)
    sent = pipe.feed(read(name)[:900]) + pipe.error(CallStopped(), "req-1")
    with pytest.raises(errors.APIError, match="request id: req-1") as caught:
        sdk.stream(sent)
    assert caught.value.code == CallStopped().status_code


def test_the_sdk_raises_for_a_refusal_and_is_told_how_long_to_wait(sdk: Reading) -> None:
    rendered = exchange.render_error("gemini", RateLimited(retry_after_s=2.5), "req-1")
    with pytest.raises(errors.ClientError, match="request id: req-1") as caught:
        sdk.whole(orjson.dumps(rendered.body), rendered.status)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert "'retryDelay': '2.5s'" in str(caught.value)


def test_the_keep_alive_is_not_seen(sdk: Reading) -> None:
    name = "anthropic/text"
    sent = run(pipe_for(name), read(name))
    quiet = sdk.stream(sent)
    line = exchange.keep_alive("gemini")
    noisy = sdk.stream(line + sent.replace(b"\n\n", b"\n\n" + line * 2))
    assert [chunk.text for chunk in noisy] == [chunk.text for chunk in quiet]


@pytest.mark.parametrize("name", ["anthropic/reasoning", "anthropic/tool_three", "openai_chat/tool_three"])
def test_a_chat_of_the_sdk_goes_on_with_what_was_streamed(name: str, sdk: Reading) -> None:
    """Pain 30: what the SDK keeps of a stream comes back, and its signatures reach who signed them."""
    chat = sdk.client.chats.create(model="m")
    sent = run(pipe_for(name), read(name))
    wanted = wanted_of(name)
    sdk.contents = [sent, sent]
    list(chat.send_message_stream("Hi"))
    results = [
        types.Part(function_response=types.FunctionResponse(id=one, name=called, response={"output": "ok"}))
        for one, called, _ in wanted.calls
    ]
    list(chat.send_message_stream(results or "And?"))
    body = sdk.bodies[-1]
    facts = exchange.read_call("gemini", body, Address("m", True, {"alt": "sse"}))
    outgoing = exchange.build_outgoing("gemini", Target("anthropic", "claude"), b"", body, facts)
    said = orjson.loads(outgoing.body)["messages"][1]["content"]
    if name == "anthropic/reasoning":
        assert said[0] == {"type": "thinking", "thinking": "Think hard.", "signature": "c2lnbmF0dXJl"}
        assert {"type": "text", "text": "42"} in said
    assert [(b["id"], b["name"], b["input"]) for b in said if b["type"] == "tool_use"] == wanted.calls
    raw = orjson.dumps(body)
    relayed = exchange.build_outgoing("gemini", Target("gemini", "gemini-3-pro"), raw, body, facts).body
    assert b"Z2F0ZWhvdXNl" not in relayed
    assert relayed.count(b"skip_thought_signature_validator") == bool(wanted.calls)


def test_a_body_the_sdk_writes_is_read_whole(sdk: Reading) -> None:
    """The SDK mixes both spellings in one body and writes base64 in the URL-safe alphabet."""
    image = b"\xfb\xff\xbe\x00"
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        top_k=4,
        top_p=0.5,
        max_output_tokens=99,
        stop_sequences=["END"],
        response_mime_type="application/json",
        response_schema={"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}},
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2048),
        service_tier=types.ServiceTier.FLEX,
        tools=[
            types.Tool(function_declarations=[{"name": "f", "parameters_json_schema": {"type": "object"}}])
        ],
        tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        automatic_function_calling={"disable": True},
    )
    parts = [
        types.Part.from_bytes(data=image, mime_type="image/png"),
        types.Part.from_uri(file_uri="https://x.test/a.pdf", mime_type="application/pdf"),
        types.Part(text="Look"),
    ]
    sdk.contents = [b'{"candidates":[{"content":{"parts":[{"text":"{}"}]},"finishReason":"STOP"}]}']
    sdk.client.models.generate_content(model="m", contents=parts, config=config)
    body = sdk.bodies[-1]
    facts = exchange.read_call("gemini", body, Address("m"))
    outgoing = exchange.build_outgoing("gemini", Target("anthropic", "claude-sonnet-4-5"), b"", body, facts)
    told = orjson.loads(outgoing.body)
    sources = [block["source"] for block in told["messages"][0]["content"][:2]]
    assert sources == [
        {"type": "base64", "media_type": "image/png", "data": "+/++AA=="},
        {"type": "url", "url": "https://x.test/a.pdf"},
    ]
    assert (told["max_tokens"], told["top_k"], told["stop_sequences"]) == (99, 4, ["END"])
    assert told["tools"][0] == {"name": "f", "input_schema": {"type": "object"}}
    assert told["tool_choice"] == {"type": "tool", "name": "f"}
    schema = told["output_config"]["format"]["schema"]
    properties = {"a_b": {"type": "string"}}
    assert schema == {"type": "object", "properties": properties, "additionalProperties": False}
