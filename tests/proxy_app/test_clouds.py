"""Calls through the whole data plane to clouds: placed, signed, unframed and answered as any other."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from proxy_app.catalogue import DeploymentEntry
from proxy_app.catalogue_loading import provider_entry
from proxy_app.credentials import set_credential
from proxy_app.models import Provider
from proxy_app.providers.accounts import aws_credential
from tests.proxy_app.aws_frames import chunk, event, exception
from tests.proxy_app.harness import Gateway, Stream, asked, completion, deployment, model
from tests.proxy_app.providers.accounts_cast import AWS_EXAMPLE, service_account

TOKEN = "ya29.token-canary-0123456789"
MESSAGES = {"model": "gpt", "max_tokens": 20, "messages": [{"role": "user", "content": "Say hello"}]}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
CLAUDE_EVENTS = [
    {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def serving(kind: str, credential: str, **fields: Any) -> DeploymentEntry:
    row = Provider(name=kind, kind=kind, **fields)
    set_credential(row, credential)
    provider = provider_entry(row)
    assert provider is not None
    return replace(deployment("cloud"), provider=provider, upstream_model="up.model-v1:0")


class Cloud:
    """Google's token service and whatever else; keeps what it was sent."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.seen: list[httpx.Request] = []
        self.tokens = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "oauth2.googleapis.com":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": TOKEN, "expires_in": 3600})
        self.seen.append(request)
        return self.answer(request)


def framed(*frames: bytes) -> httpx.Response:
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    halves = [half for frame in frames for half in (frame[:50], frame[50:])]
    return httpx.Response(200, headers=headers, stream=Stream(halves))


Make = Callable[..., Gateway]


def gateway(make: Make, cloud: Cloud, kind: str, credential: str, **fields: Any) -> Gateway:
    return make(cloud, model("gpt", serving(kind, credential, **fields)))


async def test_claude_on_vertex_answers_with_a_token_bought_once(make_gateway: Make) -> None:
    cloud = Cloud(lambda request: httpx.Response(200, json=ANSWER))
    gate = gateway(make_gateway, cloud, "vertex_claude", service_account())
    for _ in range(2):
        answer = await gate.ask(asked())
        assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    sent = cloud.seen[0]
    assert sent.url.path.endswith(
        "/projects/my-project/locations/global/publishers/anthropic/models/up.model-v1:0:rawPredict"
    )
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(sent.content)["anthropic_version"] == "vertex-2023-10-16"
    assert (len(cloud.seen), cloud.tokens) == (2, 1)


async def test_a_token_that_comes_back_in_a_refusal_is_hidden(make_gateway: Make) -> None:
    words = {"error": {"code": 400, "message": f"Bad request with {TOKEN}", "status": "INVALID_ARGUMENT"}}
    cloud = Cloud(lambda request: httpx.Response(400, json=[words]))
    answer = await gateway(make_gateway, cloud, "vertex_gemini", service_account()).ask(asked())
    assert answer.status == 400
    assert "Bad request with [hidden]" in answer.body.decode() and TOKEN not in answer.body.decode()


async def test_an_account_that_gets_no_token_is_the_admin_s_to_mend(make_gateway: Make) -> None:
    async def script(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"error": "invalid_grant", "error_description": "Invalid JWT"})

    gate = make_gateway(script, model("gpt", serving("vertex_gemini", service_account())))
    answer = await gate.ask(asked())
    assert answer.status == 502
    assert gate.ends[0].error_code == "credential_refused"
    assert "invalid_grant" in gate.ends[0].attempts[0].error_detail


async def test_converse_is_signed_and_its_frames_reach_a_chat(make_gateway: Make) -> None:
    frames = (
        event("messageStart", {"role": "assistant"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}),
    )
    cloud = Cloud(lambda request: framed(*frames))
    keys = aws_credential(*AWS_EXAMPLE.values())
    gate = gateway(make_gateway, cloud, "bedrock", keys, settings={"region": "eu-central-1"})
    answer = await gate.ask(asked(stream=True))
    text = "".join(e["choices"][0]["delta"].get("content") or "" for e in answer.events[:-1] if e["choices"])
    assert (text, answer.events[-1]) == ("Hello", "[DONE]")
    sent = cloud.seen[0]
    assert str(sent.url) == (
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/up.model-v1%3A0/converse-stream"
    )
    assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/bedrock/aws4_request" in sent.headers["authorization"]
    assert gate.ends[0].tokens.output_tokens == 2


async def test_a_bedrock_key_is_sent_as_it_is(make_gateway: Make) -> None:
    cloud = Cloud(lambda request: framed(*[chunk(told) for told in CLAUDE_EVENTS]))
    gate = gateway(
        make_gateway, cloud, "bedrock_claude", "bedrock-api-key-0001", settings={"region": "us-east-1"}
    )
    answer = await gate.ask({**MESSAGES, "stream": True}, path="/v1/messages")
    assert [told["type"] for told in answer.events] == [told["type"] for told in CLAUDE_EVENTS]
    assert b"event: message_stop\n" in answer.body
    sent = cloud.seen[0]
    assert sent.headers["authorization"] == "Bearer bedrock-api-key-0001"
    assert sent.url.raw_path == b"/model/up.model-v1%3A0/invoke-with-response-stream"
    assert "model" not in json.loads(sent.content) and "stream" not in json.loads(sent.content)


async def test_an_exception_amid_frames_is_an_error_event(make_gateway: Make) -> None:
    broken = (*[chunk(told) for told in CLAUDE_EVENTS[:3]], exception("throttlingException", "Too fast"))
    cloud = Cloud(lambda request: framed(*broken))
    gate = gateway(
        make_gateway, cloud, "bedrock_claude", "bedrock-api-key-0001", settings={"region": "us-east-1"}
    )
    answer = await gate.ask({**MESSAGES, "stream": True}, path="/v1/messages")
    assert answer.events[-1]["type"] == "error" and "Too fast" in answer.events[-1]["error"]["message"]


async def test_corrupt_frames_are_an_error_and_no_answer(make_gateway: Make) -> None:
    spoilt = bytearray(b"".join(chunk(told) for told in CLAUDE_EVENTS))
    spoilt[-1] ^= 1
    cloud = Cloud(lambda request: framed(bytes(spoilt)))
    gate = gateway(
        make_gateway, cloud, "bedrock_claude", "bedrock-api-key-0001", settings={"region": "us-east-1"}
    )
    answer = await gate.ask({**MESSAGES, "stream": True}, path="/v1/messages")
    assert gate.ends[0].error_code == "upstream_invalid"
    assert b"message_stop" not in answer.body


async def test_azure_s_filter_is_told_as_one(make_gateway: Make) -> None:
    refused = {
        "error": {
            "message": "The response was filtered: the prompt triggered our content management policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
        }
    }
    cloud = Cloud(lambda request: httpx.Response(400, json=refused))
    address = {"base_url": "https://x.openai.azure.com", "settings": {"api_version": "2024-10-21"}}
    answer = await gateway(make_gateway, cloud, "azure", "azure-key-0123", **address).ask(asked())
    assert (answer.status, answer.json()["error"]["code"]) == (400, "content_filter")
    sent = cloud.seen[0]
    assert sent.url.raw_path == (
        b"/openai/deployments/up.model-v1%3A0/chat/completions?api-version=2024-10-21"
    )
    assert sent.headers["api-key"] == "azure-key-0123"


async def test_a_count_for_claude_on_bedrock_is_estimated_without_asking(make_gateway: Make) -> None:
    cloud = Cloud(lambda request: httpx.Response(500))
    gate = gateway(
        make_gateway, cloud, "bedrock_claude", "bedrock-api-key-0001", settings={"region": "us-east-1"}
    )
    answer = await gate.ask(MESSAGES, path="/v1/messages/count_tokens")
    assert answer.json()["input_tokens"] > 0 and not cloud.seen


@pytest.mark.parametrize("kind", ["ollama", "vllm", "lm_studio", "llama_cpp"])
async def test_a_messages_caller_is_relayed_to_an_own_server_that_speaks_it(
    make_gateway: Make, kind: str
) -> None:
    cloud = Cloud(lambda request: httpx.Response(200, json=ANSWER))
    gate = gateway(make_gateway, cloud, kind, "", may_be_private=True)
    assert (await gate.ask(MESSAGES, path="/v1/messages")).json()["id"] == "msg_1"
    assert cloud.seen[0].url.path == "/v1/messages"
    cloud.answer = lambda request: httpx.Response(200, json=completion())
    assert (await gate.ask(asked())).status == 200
    assert cloud.seen[1].url.path == "/v1/chat/completions"
