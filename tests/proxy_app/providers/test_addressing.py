from typing import Any

import orjson
import pytest

from proxy_app.providers.addressing import base_address, listing_url, place
from proxy_app.wire import Outgoing


def placed(
    style: str, base: str, path: str, body: Any = None, settings: Any = None, **more: Any
) -> tuple[str, Any]:
    raw = orjson.dumps(body) if body is not None else b""
    outgoing = Outgoing(path, raw, dict(more.pop("headers", {})))
    url, sent = place(style, base, settings or {}, more.get("quirks", {}), outgoing)
    return url, sent


@pytest.mark.parametrize(
    ("style", "own", "settings", "expected"),
    [
        ("plain", "", {}, "https://api.test/v1"),
        ("plain", "https://mine.test/v1/", {}, "https://mine.test/v1"),
        ("azure", "https://x.openai.azure.com/", {}, "https://x.openai.azure.com"),
        ("azure", "https://x.openai.azure.com/openai/v1/", {}, "https://x.openai.azure.com"),
        ("azure", "https://x.openai.azure.com/openai", {}, "https://x.openai.azure.com"),
        ("vertex", "", {}, "https://aiplatform.googleapis.com/v1/projects/of-the-key/locations/global"),
        (
            "vertex",
            "",
            {"project": "mine", "location": "europe-west4"},
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/mine/locations/europe-west4",
        ),
        (
            "vertex",
            "",
            {"location": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/of-the-key/locations/eu",
        ),
        (
            "vertex",
            "http://127.0.0.1:9/v1",
            {"location": "global"},
            "http://127.0.0.1:9/v1/projects/of-the-key/locations/global",
        ),
        (
            "vertex",
            "https://psc.test/v1/projects/p/locations/l",
            {},
            "https://psc.test/v1/projects/p/locations/l",
        ),
    ],
)
def test_a_base_address_is_made_of_what_is_known(style: str, own: str, settings: Any, expected: str) -> None:
    assert base_address(style, "https://api.test/v1", own, settings, "of-the-key") == expected


@pytest.mark.parametrize(
    ("region", "own", "expected"),
    [
        ("eu-central-1", "", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        ("cn-north-1", "", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        (
            "us-east-1",
            "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/",
            "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        ),
    ],
)
def test_bedrock_is_in_its_region(region: str, own: str, expected: str) -> None:
    template = "https://bedrock-runtime.{region}.amazonaws.com"
    for style in ("bedrock_invoke", "bedrock_converse"):
        assert base_address(style, template, own, {"region": region}) == expected


def test_messages_of_a_chat_server_stand_beside_its_v1() -> None:
    assert (
        placed("plain", "https://a.test/v1", "/chat/completions")[0] == "https://a.test/v1/chat/completions"
    )
    assert placed("plain", "https://a.test/v1", "/v1/messages")[0] == "https://a.test/v1/messages"
    assert placed("plain", "https://a.test", "/v1/messages")[0] == "https://a.test/v1/messages"
    rooted = placed("plain", "https://a.test/v1", "/v1/messages", quirks={"anthropic_root": "/anthropic"})
    assert rooted[0] == "https://a.test/anthropic/v1/messages"


@pytest.mark.parametrize(
    ("version", "path", "expected"),
    [
        ("", "/chat/completions", "/openai/v1/chat/completions"),
        ("v1", "/responses", "/openai/v1/responses"),
        ("preview", "/responses", "/openai/v1/responses?api-version=preview"),
        (
            "2024-10-21",
            "/chat/completions",
            "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
        ),
        ("2024-10-21", "/embeddings", "/openai/deployments/my%20gpt/embeddings?api-version=2024-10-21"),
        ("2025-04-01-preview", "/responses", "/openai/responses?api-version=2025-04-01-preview"),
    ],
)
def test_azure_has_two_ways(version: str, path: str, expected: str) -> None:
    body = {"model": "my gpt", "messages": []}
    url, sent = placed("azure", "https://x.openai.azure.com", path, body, {"api_version": version})
    assert url == "https://x.openai.azure.com" + expected
    assert orjson.loads(sent.body) == body


VERTEX = "https://g.test/v1/projects/p/locations/global"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/v1beta/models/gemini-3-pro:generateContent",
            "/publishers/google/models/gemini-3-pro:generateContent",
        ),
        (
            "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
            "/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse",
        ),
        ("/v1beta/models/publishers/meta/models/x:countTokens", "/publishers/meta/models/x:countTokens"),
        ("/v1beta/models/endpoints/123:generateContent", "/endpoints/123:generateContent"),
    ],
)
def test_gemini_s_verbs_stand_behind_the_publisher_s_model(path: str, expected: str) -> None:
    url, sent = placed("vertex", VERTEX, path, {"contents": []})
    assert (url, sent.body) == (VERTEX + expected, b'{"contents":[]}')


@pytest.mark.parametrize(
    ("stream", "verb"), [(True, "streamRawPredict"), (False, "rawPredict"), (None, "rawPredict")]
)
def test_claude_on_vertex_is_told_its_version_in_the_body(stream: bool | None, verb: str) -> None:
    body = {"model": "claude-haiku-4-5@20251001", "max_tokens": 5, "x": 12345678901234567890123}
    raw = b'{"model":"claude-haiku-4-5@20251001","max_tokens":5,"n":12345678901234567890123'
    raw += b"}" if stream is None else (b',"stream":' + (b"true}" if stream else b"false}"))
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
    url, sent = place("vertex", VERTEX, {}, {}, Outgoing("/v1/messages", raw, headers))
    assert url == f"{VERTEX}/publishers/anthropic/models/claude-haiku-4-5@20251001:{verb}"
    assert b"12345678901234567890123" in sent.body
    told = orjson.loads(sent.body)
    assert "model" not in told and told["anthropic_version"] == "vertex-2023-10-16"
    assert told.get("stream") == stream
    assert sent.headers == {"anthropic-beta": "a,b"}
    assert body["max_tokens"] == told["max_tokens"]


def test_counting_on_vertex_keeps_the_model_in_the_body() -> None:
    url, sent = placed("vertex", VERTEX, "/v1/messages/count_tokens", {"model": "c", "messages": []})
    assert url == f"{VERTEX}/publishers/anthropic/models/count-tokens:rawPredict"
    assert orjson.loads(sent.body)["model"] == "c"


@pytest.mark.parametrize(("stream", "verb"), [(True, "invoke-with-response-stream"), (False, "invoke")])
def test_claude_on_bedrock_is_invoked(stream: bool, verb: str) -> None:
    arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x-v1:0"
    body = {"model": arn, "stream": stream, "max_tokens": 5}
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "one, two",
        "content-type": "application/json",
    }
    url, sent = placed("bedrock_invoke", "https://b.test", "/v1/messages", body, headers=headers)
    assert url == f"https://b.test/model/{arn.replace(':', '%3A').replace('/', '%2F')}/{verb}"
    told = orjson.loads(sent.body)
    assert told == {
        "max_tokens": 5,
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["one", "two"],
    }
    assert sent.headers == {"content-type": "application/json"}


def test_a_version_the_caller_named_in_the_body_stays() -> None:
    body = {"model": "m", "anthropic_version": "2026-10-21", "anthropic_beta": ["x"]}
    _, sent = placed(
        "bedrock_invoke", "https://b.test", "/v1/messages", body, headers={"anthropic-beta": "y"}
    )
    told = orjson.loads(sent.body)
    assert (told["anthropic_version"], told["anthropic_beta"]) == ("2026-10-21", ["x"])


def test_lists_are_asked_for_where_they_stand() -> None:
    def ask(style: str, base: str, path: str, origin: bool, **settings: str) -> str:
        return listing_url(style, base, path, settings, from_origin=origin)

    assert ask("plain", "https://a.test/v1", "/models", False) == "https://a.test/v1/models"
    assert ask("plain", "https://a.test/compatibility/v1", "/v1/models", True) == "https://a.test/v1/models"
    assert ask("azure", "https://x.test", "/models", False) == "https://x.test/openai/v1/models"
    dated = ask("azure", "https://x.test", "/models", False, api_version="2024-10-21")
    assert dated == "https://x.test/openai/models?api-version=2024-10-21"
    bedrock = ask(
        "bedrock_converse", "https://bedrock-runtime.us-east-1.amazonaws.com", "/foundation-models", True
    )
    assert bedrock == "https://bedrock.us-east-1.amazonaws.com/foundation-models"
    vertex = ask("vertex", VERTEX, "/v1beta1/publishers/google/models", True)
    assert vertex == "https://g.test/v1beta1/publishers/google/models"
