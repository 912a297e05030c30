"""Every format at its addresses: answered in its shape, refused in its dialect, allowed by its name."""

import json

import httpx
import pytest

from gateway_project.handler import find_view
from proxy_app.dialects import dialect_of
from tests.proxy_app.harness import (
    SECRET,
    STREAM,
    completion,
    deployment,
    message,
    model,
    response,
    streamed,
)

HELLO = [{"role": "user", "content": "Say hello"}]
BODIES = {
    "messages": {"model": "gpt", "max_tokens": 100, "messages": HELLO},
    "responses": {"model": "gpt", "input": "Say hello"},
    "generate_content": {"contents": [{"role": "user", "parts": [{"text": "Say hello"}]}]},
}
PATHS = {
    "messages": [
        "/v1/messages",
        "/messages",
        "/anthropic/v1/messages",
        "/anthropic/messages",
        "/v1/messages/",
    ],
    "responses": [
        "/v1/responses",
        "/responses",
        "/openai/v1/responses",
        "/openai/responses",
        "/v1beta/openai/responses",
        "/openai/deployments/gpt/responses",
        "/openai/deployments/gpt/responses/",
        "/engines/gpt/responses",
    ],
    "generate_content": [
        "/v1beta/models/gpt:generateContent",
        "/v1/models/gpt:generateContent",
        "/v1beta/models/models/gpt:generateContent",
        "/gemini/v1beta/models/gpt:generateContent",
        "/gemini/v1/models/gpt:generateContent",
        "/gemini/models/gpt:generateContent",
        "/v1alpha/models/gpt:generateContent",
        "/gemini/v1alpha/models/gpt:generateContent",
        "/models/gpt:generateContent",
        "/v1beta1/projects/p/locations/l/publishers/google/models/gpt:generateContent",
    ],
}


def text_of(endpoint: str, body: dict) -> str:
    if endpoint == "messages":
        return body["content"][0]["text"]
    if endpoint == "generate_content":
        return body["candidates"][0]["content"]["parts"][0]["text"]
    return body["output"][0]["content"][0]["text"]


async def chat(request: httpx.Request) -> httpx.Response:
    if json.loads(request.content).get("stream"):
        return streamed(STREAM)
    return httpx.Response(200, json=completion())


def answering(body: dict, status: int = 200, **headers: str):
    seen: list[httpx.Request] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, json=body, headers=headers)

    script.seen = seen
    return script


@pytest.mark.parametrize(("endpoint", "path"), [(name, path) for name in PATHS for path in PATHS[name]])
async def test_a_conversation_is_answered_in_the_shape_of_its_address(make_gateway, endpoint, path):
    gate = make_gateway(chat)
    answer = await gate.ask(BODIES[endpoint], path=path, query="beta=true")
    assert answer.status == 200, answer.body
    assert text_of(endpoint, answer.json()) == "Hello there"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    (end,) = gate.ends
    assert (end.endpoint, end.status, end.cost_nanodollars) == (endpoint, "ok", 32000)


@pytest.mark.parametrize("endpoint", ["messages", "responses"])
async def test_a_stream_is_translated_to_its_own_end(make_gateway, endpoint):
    gate = make_gateway(chat)
    answer = await gate.ask({**BODIES[endpoint], "stream": True}, path=f"/v1/{endpoint}")
    last = {"messages": "message_stop", "responses": "response.completed"}
    assert answer.events[-1]["type"] == last[endpoint]
    assert gate.ends[0].tokens.output_tokens == 5


@pytest.mark.parametrize("framing", ["sse", "array"])
async def test_geminis_streams_are_asked_for_by_the_address(make_gateway, framing):
    gate = make_gateway(chat)
    answer = await gate.ask(
        BODIES["generate_content"],
        path="/v1beta/models/gpt:streamGenerateContent",
        query=f"alt=sse&key={SECRET}" if framing == "sse" else "",
        key=None if framing == "sse" else SECRET,
    )
    assert answer.status == 200
    chunks = answer.events if framing == "sse" else answer.json()
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"].get("parts", [])]
    assert "".join(part["text"] for part in parts) == "Hello"
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert answer.headers["content-type"].startswith(
        "text/event-stream" if framing == "sse" else "application/json"
    )
    (end,) = gate.ends
    assert (end.endpoint, end.stream, end.model) == ("generate_content", True, "gpt")


async def test_a_tuned_model_keeps_its_whole_name(make_gateway):
    gate = make_gateway(chat, model("tunedModels/mine", deployment("alpha")))
    answer = await gate.ask(BODIES["generate_content"], path="/v1beta/tunedModels/mine:generateContent")
    assert answer.status == 200 and gate.ends[0].model == "tunedModels/mine"


@pytest.mark.parametrize(
    ("endpoint", "wire", "body", "path"),
    [
        ("messages", "anthropic", message(), "/v1/messages"),
        ("responses", "openai_responses", response(), "/responses"),
    ],
)
async def test_a_provider_of_the_callers_format_is_sent_the_body_as_it_is(
    make_gateway, endpoint, wire, body, path
):
    script = answering(body)
    gate = make_gateway(script, model("gpt", deployment("alpha", wire)))
    sent = {**BODIES[endpoint], "field_of_tomorrow": {"a": [1.10]}}
    answer = await gate.ask(sent, path=f"/v1/{endpoint}", headers={"anthropic-beta": "x-2026"})
    assert answer.json() == body
    assert script.seen[0].url.path == path
    assert json.loads(script.seen[0].content) == {**sent, "model": "gpt-test"}
    assert script.seen[0].headers.get("anthropic-beta") == ("x-2026" if wire == "anthropic" else None)


@pytest.mark.parametrize(
    ("path", "headers", "query", "format"),
    [
        ("/v1/chat/completions", {}, b"", "openai_chat"),
        ("/openai/v1/responses", {}, b"", "openai_responses"),
        ("/v1/messages/batches", {}, b"", "anthropic"),
        ("/anthropic/v1/models", {}, b"", "anthropic"),
        ("/v1beta/models", {}, b"", "gemini"),
        ("/gemini/nothing", {}, b"", "gemini"),
        ("/v1beta/openai/models", {}, b"", "openai_chat"),
        ("/v1beta/openai/responses", {}, b"", "openai_responses"),
        ("/v1beta/openaix", {}, b"", "gemini"),
        ("/v1/models/x:generateContent", {}, b"", "gemini"),
        ("/v1/models", {}, b"", "openai_chat"),
        ("/v1/models", {b"anthropic-version": b"2023-06-01"}, b"", "anthropic"),
        ("/v1/models", {b"x-goog-api-key": b"k"}, b"", "gemini"),
        ("/v1/models", {}, b"pageSize=1&key=k", "gemini"),
        ("/openai/v1/models", {b"anthropic-version": b"2023-06-01"}, b"", "openai_chat"),
    ],
)
def test_the_path_says_the_dialect_and_headers_where_it_does_not(path, headers, query, format):
    assert dialect_of(path, headers, query) == format


GEMINI_ERROR = ["code", "message", "status", "details"]
DIALECTS = {
    "/v1/messages": lambda body: body["type"] == "error" and body["error"]["type"],
    "/anthropic/nothing": lambda body: body["type"] == "error" and body["error"]["type"],
    "/v1beta/models/gpt:generateContent": lambda body: list(body["error"]) == GEMINI_ERROR,
    "/gemini/nothing": lambda body: list(body["error"]) == GEMINI_ERROR,
    "/v1/responses": lambda body: set(body["error"]) == {"message", "type", "param", "code"},
    "/v1/nothing": lambda body: set(body["error"]) == {"message", "type", "param", "code"},
}


@pytest.mark.parametrize("path", list(DIALECTS))
@pytest.mark.parametrize("case", ["no key", "wrong key", "wrong method", "no json"])
async def test_a_refusal_before_the_body_speaks_the_dialect_of_the_path(make_gateway, path, case):
    gate = make_gateway(chat)
    if case == "no key":
        answer = await gate.ask(BODIES["messages"], path=path, key=None)
    elif case == "wrong key":
        answer = await gate.ask(BODIES["messages"], path=path, key="sk-gh-wrong")
    elif case == "wrong method":
        answer = await gate.ask(path=path, method="GET")
    else:
        answer = await gate.ask(b"{", path=path)
    expected = {"no key": 401, "wrong key": 401, "wrong method": 405, "no json": 400}[case]
    assert answer.status == (404 if "nothing" in path else expected)
    assert DIALECTS[path](answer.json())
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("base", ["/v1beta", "/v1", "/gemini/v1beta", ""])
async def test_a_verb_of_a_model_that_nobody_serves_is_a_404_as_gemini_tells_it(make_gateway, base):
    gate = make_gateway(chat)
    answer = await gate.ask(BODIES["messages"], path=f"{base}/models/gpt:dreamUp")
    assert answer.status == 404 and list(answer.json()["error"]) == GEMINI_ERROR
    assert "dreamUp" in answer.json()["error"]["message"] and answer.json()["error"]["status"] == "NOT_FOUND"
    assert gate.ends[0].error_code == "unknown_path"
    assert (await gate.ask({}, path=f"{base}/models/gpt")).status == 405


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/messages", "messages"),
        ("/anthropic/messages/count_tokens", "messages.count_tokens"),
        ("/v1/responses", "responses"),
        ("/v1/responses/compact", "responses.compact"),
        ("/v1/responses/input_tokens", "responses.input_tokens"),
        ("/v1/models", "models"),
        ("/v1beta/models", "models"),
        ("/v1/models/gpt:streamGenerateContent", "generate_content"),
        ("/gemini/models/gpt:countTokens", "count_tokens"),
    ],
)
async def test_a_key_may_use_the_endpoints_it_names_under_every_alias(make_gateway, path, endpoint):
    view, _ = find_view(path)
    assert view.endpoint == endpoint
    gate = make_gateway(chat, endpoints_allowed=("chat.completions",))
    method = "GET" if endpoint == "models" else "POST"
    answer = await gate.ask({**BODIES["messages"], "input": "x"}, path=path, method=method)
    assert answer.status == 403
    assert gate.ends[0].error_code == "endpoint_not_allowed"


async def test_an_error_of_the_provider_is_told_in_the_callers_dialect(make_gateway):
    error = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
    gate = make_gateway(answering(error, 429, **{"retry-after": "7"}))
    answer = await gate.ask(BODIES["messages"], path="/v1/messages")
    assert answer.status == 429 and answer.json()["error"]["type"] == "rate_limit_error"
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert answer.headers["retry-after"] == "7"


async def test_rate_limits_are_told_in_the_callers_words(make_gateway):
    from dataclasses import replace

    from keys_app.entries import RateLimitEntry

    gate = make_gateway(chat)
    await gate.services.limits.load({}, [])
    limit = RateLimitEntry("limit-1", "key", "key-1", 2, 100_000, None)
    gate.keeper.current = replace(gate.keeper.current, rate_limits={("key", "key-1"): (limit,)})
    answer = await gate.ask(BODIES["messages"], path="/v1/messages")
    told = answer.headers
    assert told["anthropic-ratelimit-requests-limit"] == "2"
    assert told["anthropic-ratelimit-requests-remaining"] == "1"
    assert told["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert told["anthropic-ratelimit-tokens-limit"] == "100000"
    assert not [name for name in told if name.startswith("x-ratelimit")]
    assert "x-ratelimit-limit-requests" in (await gate.ask(BODIES["responses"], path="/v1/responses")).headers
    refused = await gate.ask(BODIES["messages"], path="/v1/messages")
    assert refused.status == 429
    assert refused.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert not [name for name in refused.headers if name.startswith("x-ratelimit")]


async def test_the_base_address_answers_a_probe(make_gateway):
    gate = make_gateway(chat)
    answer = await gate.ask(path="/", method="HEAD", key=None)
    assert answer.status == 200


async def test_betas_go_on_whether_they_come_in_one_line_or_in_several(make_gateway):
    seen: list[str] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["anthropic-beta"])
        return httpx.Response(200, json=message())

    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    for betas in ("a-1", "a-1,b-2", ["a-1", "b-2"], ["a-1", "b-2,c-3"]):
        headers = {"anthropic-beta": betas}
        assert (await gate.ask(BODIES["messages"], path="/v1/messages", headers=headers)).status == 200
    assert seen == ["a-1", "a-1,b-2", "a-1,b-2", "a-1,b-2,c-3"]


async def test_of_a_header_that_is_no_list_the_last_line_counts(make_gateway):
    gate = make_gateway(chat)
    headers = {"x-gatehouse-session": ["one", "two"]}
    await gate.ask(BODIES["messages"], path="/v1/messages", headers=headers)
    assert gate.ends[0].caller.session == "two"
