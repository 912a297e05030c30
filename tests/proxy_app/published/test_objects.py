"""What is told besides answers is as the providers describe it: errors, lists of models, counts of tokens,
and what the sandbox and translated operations answer."""

import json
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from gateway_project.errors import GatehouseError
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.registry import INBOUND
from proxy_app.model_lists import Listed, anthropic_list, gemini_list, openai_list
from proxy_app.sse import Decoder
from proxy_app.wire import CallFacts, Started, TextDelta
from tests.proxy_app.batches import QUIRKS, opened
from tests.proxy_app.formats.test_errors import every_error
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import Gateway, deployment, model
from tests.proxy_app.published.documents import DOCUMENTS, faults

LISTED = [Listed("claude-sonnet-5", 1_700_000_000, "alpha", "", 200_000), Listed("gpt", 1, "beta")]
ASKED = [{"role": "user", "content": "Say hello"}]
#: What each document calls an error's answer. Google's describes the error in it alone, as `Status`.
ERRORS = {
    "openai_chat": "ErrorResponse",
    "openai_responses": "ErrorResponse",
    "openai_completions": "ErrorResponse",
    "anthropic": "ErrorResponse",
}


def as_described(document: str, name: str, body: Any) -> None:
    found = faults(document, "told", name, body)
    assert not found, (found, body)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
@pytest.mark.parametrize("format", INBOUND)
def test_an_error(format: str, error: GatehouseError) -> None:
    body = orjson.loads(orjson.dumps(exchange.render_error(format, error, "req-1").body))
    if format == "gemini":
        assert set(body) == {"error"} and body["error"].pop("status").isupper()  # the name of the code
        as_described("gemini", "Status", body["error"])
    else:
        as_described(DOCUMENTS[format], ERRORS[format], body)


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_an_error_in_a_stream_of_responses(error: GatehouseError) -> None:
    renderer = INBOUND["openai_responses"].open_renderer(RenderOptions("public-model", "resp_ours", 1))
    sent = renderer.feed(Started("r", "m")) + renderer.feed(TextDelta("a")) + renderer.error(error, "req-1")
    event = list(Decoder().feed(sent))[-1]
    body = orjson.loads(event.data)
    as_described("openai", "ResponseFailedEvent", body)
    as_described("openai", "ErrorResponse", {"error": body["error"]})


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_an_error_before_a_stream_of_responses_has_begun(error: GatehouseError) -> None:
    relay = INBOUND["openai_responses"].open_relay(CallFacts("public-model"))
    (event,) = Decoder().feed(relay.error(error, "req-1"))
    as_described("openai", "ResponseErrorEvent", orjson.loads(event.data))


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_an_error_in_a_stream_of_messages(error: GatehouseError) -> None:
    renderer = INBOUND["anthropic"].open_renderer(RenderOptions("public-model", "msg_ours", 1))
    (event,) = Decoder().feed(renderer.error(error, "req-1"))
    as_described("anthropic", "ErrorResponse", orjson.loads(event.data))


# ---------------------------------------------------------------- models and counts


def test_lists_of_models() -> None:
    as_described("openai", "ListModelsResponse", openai_list(LISTED))
    as_described("anthropic", "ListResponse_ModelInfo_", anthropic_list(LISTED, {}))
    as_described("gemini", "ListModelsResponse", gemini_list(LISTED, {"pageSize": "1"}))


@pytest.mark.parametrize(
    ("path", "document", "name"),
    [
        ("/v1/messages/count_tokens", "anthropic", "CountMessageTokensResponse"),
        ("/v1beta/models/gpt:countTokens", "gemini", "CountTokensResponse"),
        ("/v1/responses/input_tokens", "openai", "TokenCountsResource"),
    ],
)
async def test_an_estimated_count(make_gateway: Any, path: str, document: str, name: str) -> None:
    body = {
        "model": "gpt",
        "messages": ASKED,
        "input": "Say hello",
        "contents": [{"parts": [{"text": "Say hello"}]}],
    }
    answer = await make_gateway(None).ask(body, path=path)
    assert answer.status == 200
    as_described(document, name, answer.json())


# ---------------------------------------------------------------- operations


@pytest.fixture
def sandbox(make_gateway: Any) -> Gateway:
    async def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError("the sandbox answers by itself")

    own = deployment("sandbox")
    provider = replace(own.provider, kind="sandbox", is_sandbox=True, base_url="", quirks=QUIRKS)
    return make_gateway(nobody, model("gpt", replace(own, provider=provider, upstream_model="sandbox")))


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("embeddings", {"input": ["a", "b"]}, "CreateEmbeddingResponse"),
        ("images/generations", {"prompt": "a castle", "n": 2}, "ImagesResponse"),
        ("moderations", {"input": ["a", "b"]}, "CreateModerationResponse"),
        ("completions", {"prompt": "Say hello"}, "CreateCompletionResponse"),
        (
            "chat/completions",
            {"messages": ASKED},
            "CreateChatCompletionResponse",
        ),
        ("responses", {"input": "a"}, "Response"),
    ],
)
async def test_what_the_sandbox_answers(sandbox: Gateway, path: str, body: Any, name: str) -> None:
    answer = await sandbox.ask({"model": "gpt", **body}, path=f"/v1/{path}")
    assert answer.status == 200, answer.body
    as_described("openai", name, answer.json())


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("images/generations", {"prompt": "a", "partial_images": 1}, "ImageGenStreamEvent"),
        ("completions", {"prompt": "Say hello"}, "CreateCompletionResponse"),
    ],
)
async def test_what_the_sandbox_streams(sandbox: Gateway, path: str, body: Any, name: str) -> None:
    answer = await sandbox.ask({"model": "gpt", "stream": True, **body}, path=f"/v1/{path}")
    events = [event for event in answer.events if event != "[DONE]"]
    assert events
    for event in events:
        as_described("openai", name, event)


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        ("transcriptions", {}, "CreateTranscriptionResponseJson"),
        ("transcriptions", {"response_format": "verbose_json"}, "CreateTranscriptionResponseVerboseJson"),
        ("translations", {}, "CreateTranslationResponseJson"),
    ],
)
async def test_what_the_sandbox_hears(sandbox: Gateway, kind: str, fields: Any, name: str) -> None:
    raw = form({"file": b"RIFF" + bytes(32_000)}, model="gpt", **fields)
    answer = await sandbox.ask(raw, path=f"/v1/audio/{kind}", headers={"content-type": CONTENT_TYPE})
    assert answer.status == 200, answer.body
    as_described("openai", name, answer.json())


async def test_embeddings_between_openai_and_gemini(make_gateway: Any) -> None:
    vectors = {"embeddings": [{"values": [0.5, 0.25]}, {"values": [1, 2]}]}
    seen: list[Any] = []

    async def google(request: httpx.Request) -> httpx.Response:
        seen.append(orjson.loads(request.content))
        return httpx.Response(200, json=vectors)

    gate = make_gateway(google, model("gpt", deployment("alpha", "gemini")))
    answer = await gate.ask({"model": "gpt", "input": ["a", "b"]}, path="/v1/embeddings")
    as_described("openai", "CreateEmbeddingResponse", answer.json())
    assert faults("gemini", "asked", "BatchEmbedContentsRequest", seen[0]) == []

    async def openai(request: httpx.Request) -> httpx.Response:
        seen.append(orjson.loads(request.content))
        data = [{"object": "embedding", "index": at, "embedding": [0.5]} for at in range(2)]
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        return httpx.Response(200, json={"object": "list", "data": data, "model": "m", "usage": usage})

    gate = make_gateway(openai, model("gpt", deployment("beta", "openai_chat")))
    part = {"content": {"parts": [{"text": "a"}]}, "model": "models/gpt"}
    path = "/v1beta/models/gpt:batchEmbedContents"
    answer = await gate.ask({"requests": [part, part]}, path=path)
    assert answer.status == 200, answer.body
    as_described("gemini", "BatchEmbedContentsResponse", answer.json())
    assert faults("openai", "asked", "CreateEmbeddingRequest", seen[-1]) == []


async def test_files_and_batches_of_the_sandbox(sandbox: Gateway) -> None:
    await opened(sandbox)
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt", "messages": [{"role": "user", "content": "hello"}]},
    }
    raw = form({"file": json.dumps(line).encode()}, purpose="batch")
    answer = await sandbox.ask(raw, path="/v1/files", headers={"content-type": CONTENT_TYPE})
    assert answer.status == 200, answer.body
    as_described("openai", "OpenAIFile", answer.json())
    asked = {
        "input_file_id": answer.json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    answer = await sandbox.ask(asked, path="/v1/batches")
    assert answer.status == 200, answer.body
    as_described("openai", "Batch", answer.json())
    answer = await sandbox.ask(path=f"/v1/batches/{answer.json()['id']}", method="GET")
    as_described("openai", "Batch", answer.json())
    answer = await sandbox.ask(path="/v1/files", method="GET")
    as_described("openai", "ListFilesResponse", answer.json())
    answer = await sandbox.ask(path="/v1/batches", method="GET")
    as_described("openai", "ListBatchesResponse", answer.json())
