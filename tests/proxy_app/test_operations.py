"""What is no conversation, through the whole pipeline: relayed as it is, counted, charged."""

import base64
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy_app import harness
from tests.proxy_app.harness import deployment, model, streamed
from tests.proxy_app.levels import with_budget
from tests.proxy_app.operating import DOLLAR, EMBEDDED, IMAGES, answers, event, priced
from tests.proxy_app.test_budgets import spent_and_held

# ---------------------------------------------------------------- embeddings


async def test_embeddings_are_relayed_byte_for_byte_and_counted(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    raw = json.dumps(EMBEDDED, indent=1).encode()
    gate = harness.gateway(tmp_path, answers(raw, seen))
    body = b'{"model": "gpt", "input": ["one two"], "dimensions": 2, "unknown": 1.10}'
    answer = await gate.ask(body, path="/v1/embeddings")
    assert (answer.status, answer.body) == (200, raw)
    assert answer.headers["x-gatehouse-cost"] == "0.000003"
    (request,) = seen
    assert request.url.path == "/v1/embeddings"
    assert b'"unknown":1.10' in request.content and json.loads(request.content)["model"] == "gpt-test"
    (end,) = gate.ends
    assert (end.endpoint, end.status, end.usage_source) == ("embeddings", "ok", "provider")
    assert (end.tokens.input_tokens, end.tokens.output_tokens, end.cost_nanodollars) == (3, 0, 3_000)


async def test_embeddings_without_usage_are_estimated(tmp_path: Path) -> None:
    gate = harness.gateway(tmp_path, answers({**EMBEDDED, "usage": None}))
    await gate.ask({"model": "gpt", "input": "x" * 400}, path="/v1/embeddings")
    (end,) = gate.ends
    assert (end.tokens.input_tokens, end.usage_source) == (100, "estimate")


GEMINI_VECTORS = {"embeddings": [{"values": [0.5, -0.25]}, {"values": [1.0, 2.0]}]}


async def test_openai_embeddings_are_asked_of_gemini_as_a_batch(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    gate = harness.gateway(tmp_path, answers(GEMINI_VECTORS, seen), model("gpt", deployment("g", "gemini")))
    asked = {"model": "gpt", "input": ["a", "b"], "dimensions": 2, "encoding_format": "base64"}
    answer = await gate.ask(asked, path="/v1/embeddings")
    assert seen[0].url.path == "/v1beta/models/gpt-test:batchEmbedContents"
    requests = json.loads(seen[0].content)["requests"]
    assert requests[1] == {
        "model": "models/gpt-test",
        "content": {"parts": [{"text": "b"}]},
        "outputDimensionality": 2,
    }
    body = answer.json()
    assert body["model"] == "gpt"
    assert struct.unpack("<2f", base64.b64decode(body["data"][0]["embedding"])) == (0.5, -0.25)
    refused = await gate.ask({"model": "gpt", "input": [[1, 2]]}, path="/v1/embeddings")
    assert refused.status == 400
    assert "token numbers" in refused.json()["error"]["message"]


@pytest.mark.parametrize("base", ["/v1beta", "/v1", "/gemini/v1beta"])
async def test_gemini_embeddings_are_relayed_and_translated(tmp_path: Path, base: str) -> None:
    one = {
        "content": {"parts": [{"text": "hello"}]},
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 2,
    }
    seen: list[httpx.Request] = []
    (tmp_path / "a").mkdir()
    gate = harness.gateway(
        tmp_path / "a",
        answers({"embedding": {"values": [1.5]}, "usageMetadata": {"promptTokenCount": 4}}, seen),
        model("gpt", deployment("g", "gemini")),
    )
    answer = await gate.ask(one, path=f"{base}/models/gpt:embedContent")
    assert answer.json()["embedding"] == {"values": [1.5]}
    assert seen[0].url.path == "/v1beta/models/gpt-test:embedContent"
    assert json.loads(seen[0].content) == one
    assert gate.ends[0].tokens.input_tokens == 4
    (tmp_path / "b").mkdir()
    gate = harness.gateway(tmp_path / "b", answers(EMBEDDED, seen))
    answer = await gate.ask(one, path=f"{base}/models/gpt:embedContent")
    assert answer.json() == {
        "embedding": {"values": [0.5, -0.25]},
        "usageMetadata": {"promptTokenCount": 3},
    }
    assert answer.headers["x-gatehouse-dropped"] == "taskType"
    sent = json.loads(seen[1].content)
    assert sent == {"model": "gpt-test", "input": ["hello"], "dimensions": 2, "encoding_format": "float"}
    batch = {"requests": [{"model": "models/gpt", **one}]}
    answer = await gate.ask(batch, path=f"{base}/models/gpt:batchEmbedContents")
    assert answer.json()["embeddings"] == [{"values": [0.5, -0.25]}]
    assert [end.endpoint for end in gate.ends] == ["embeddings", "embeddings"]


async def test_a_single_embedding_is_never_a_batch(tmp_path: Path) -> None:
    """What was held for it is the price of its own text."""
    seen: list[httpx.Request] = []
    gate = harness.gateway(tmp_path, answers(EMBEDDED, seen))
    one = {"content": {"parts": [{"text": "hello"}]}}
    answer = await gate.ask({**one, "requests": [one] * 9}, path="/v1beta/models/gpt:embedContent")
    assert answer.json()["embedding"] == {"values": [0.5, -0.25]}
    assert json.loads(seen[0].content)["input"] == ["hello"]


async def test_a_provider_without_the_endpoint_is_left_out_with_its_reason(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    both = model("gpt", deployment("claude", "anthropic"), deployment("alpha"))
    gate = harness.gateway(tmp_path, answers(EMBEDDED, seen), both)
    assert (await gate.ask({"model": "gpt", "input": "x"}, path="/v1/embeddings")).status == 200
    (end,) = gate.ends
    reasons = {each["deployment"]: each["reason"] for each in end.decision["candidates"]}
    assert "does not have this endpoint" in reasons["claude/gpt-test"]
    gate = harness.gateway(tmp_path / "b", answers(EMBEDDED), model("gpt", deployment("c", "anthropic")))
    answer = await gate.ask({"model": "gpt", "input": "x"}, path="/v1/embeddings")
    assert answer.status == 404
    assert "embeddings" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "endpoint_not_served"


# ---------------------------------------------------------------- images


async def test_images_are_charged_by_their_tokens_text_and_image_apart(tmp_path: Path) -> None:
    gate = priced(
        harness.gateway(tmp_path, answers(IMAGES)),
        {"input_image_tokens": 10 * DOLLAR, "output_image_tokens": 40 * DOLLAR},
        input=5 * DOLLAR,
        output=8 * DOLLAR,
    )
    body = {"model": "gpt", "prompt": "a cat", "n": 2}
    assert (await gate.ask(body, path="/v1/images/generations")).json() == IMAGES
    (end,) = gate.ends
    assert end.tokens.units == {
        "images:high:1024x1024": 2,
        "input_image_tokens": 40,
        "output_image_tokens": 8_320,
    }
    assert end.cost_nanodollars == (10 * 5 + 40 * 10 + 8_320 * 40) * 1_000


async def test_images_of_a_model_billed_by_the_image_cost_what_their_kind_costs(tmp_path: Path) -> None:
    body = {**IMAGES, "usage": None, "quality": None, "size": None}
    gate = priced(
        harness.gateway(tmp_path, answers(body)),
        {"images": 40_000 * DOLLAR, "images:hd:1024x1792": 120_000 * DOLLAR},
    )
    asked = {"model": "gpt", "prompt": "a cat", "n": 2, "quality": "hd", "size": "1024x1792"}
    await gate.ask(asked, path="/v1/images/generations")
    (end,) = gate.ends
    assert (end.cost_nanodollars, end.usage_source) == (2 * 120_000_000, "provider")


@pytest.mark.parametrize(
    ("told", "units", "each"),
    [
        ({}, "images:high:1024x1024", 6_240),
        ({"quality": None, "size": None}, "images", 16_384),
        ({"quality": "low", "size": None}, "images:low", 408),
    ],
)
async def test_images_without_usage_at_a_price_of_tokens_cost_the_largest_of_their_kind(
    tmp_path: Path, told: Any, units: str, each: int
) -> None:
    gate = harness.gateway(tmp_path, answers({**IMAGES, "usage": None, **told}))
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**9)
    await gate.services.limits.load({}, [])
    await gate.ask({"model": "gpt", "prompt": "a cat", "n": 3}, path="/v1/images/generations")
    (end,) = gate.ends
    assert (end.status, end.usage_source, end.tokens.units) == ("ok", "estimate", {units: 2})  # that came
    assert end.cost_nanodollars == 5 * 1_000 + 2 * each * 4_000
    assert await spent_and_held(gate) == (end.cost_nanodollars, 0)


async def test_an_answer_without_any_image_costs_what_was_asked_for(tmp_path: Path) -> None:
    gate = harness.gateway(tmp_path, answers({"data": []}))
    await gate.ask({"model": "gpt", "prompt": "a cat", "quality": "low"}, path="/v1/images/generations")
    (end,) = gate.ends
    assert (end.status, end.usage_source, end.cost_nanodollars) == ("ok", "estimate", 5_000 + 408 * 4_000)


async def test_images_without_usage_at_a_price_of_both_cost_what_their_kind_costs(tmp_path: Path) -> None:
    gate = priced(
        harness.gateway(tmp_path, answers({**IMAGES, "usage": None})),
        {"images": 40_000 * DOLLAR},
        input=5 * DOLLAR,
        output=8 * DOLLAR,
    )
    await gate.ask({"model": "gpt", "prompt": "a cat", "n": 2}, path="/v1/images/generations")
    (end,) = gate.ends
    assert (end.cost_nanodollars, end.usage_source) == (2 * 40_000_000, "provider")


async def test_streamed_images_pass_as_they_come_and_each_counts(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "output_tokens": 100, "input_tokens_details": {"image_tokens": 0}}
    pieces = [
        event("image_generation.partial_image", b64_json="aGk=", partial_image_index=0),
        event("image_generation.completed", b64_json="aGk=", usage=usage, quality="low", size="1x1"),
        event("image_generation.completed", b64_json="aGk=", usage=usage, quality="low", size="1x1"),
    ]

    async def script(request: httpx.Request) -> httpx.Response:
        return streamed([b"".join(pieces)[:50], b"".join(pieces)[50:]])

    gate = harness.gateway(tmp_path, script)
    body = {"model": "gpt", "prompt": "a cat", "n": 2, "stream": True}
    answer = await gate.ask(body, path="/v1/images/generations")
    assert answer.body == b"".join(pieces)
    assert answer.headers["content-type"] == "text/event-stream"
    (end,) = gate.ends
    assert (end.status, end.stream, end.tokens.output_tokens) == ("ok", True, 200)
    assert end.tokens.units["images:low:1x1"] == 2


async def test_a_cut_stream_of_images_ends_in_an_error_event(tmp_path: Path) -> None:
    async def script(request: httpx.Request) -> httpx.Response:
        return streamed([event("image_generation.partial_image", b64_json="aGk=")])

    gate = harness.gateway(tmp_path, script)
    answer = await gate.ask({"model": "gpt", "prompt": "p", "stream": True}, path="/v1/images/generations")
    assert answer.events[-1]["error"]["code"] == "upstream_cut"
    assert gate.ends[0].status == "truncated"


# ---------------------------------------------------------------- judging


async def test_a_moderation_of_a_free_model_costs_nothing(tmp_path: Path) -> None:
    body = {"id": "modr-1", "model": "omni", "results": [{"flagged": False}]}
    gate = priced(harness.gateway(tmp_path, answers(body)), {}, input=0, output=0)
    assert (await gate.ask({"model": "gpt", "input": "hello"}, path="/v1/moderations")).json() == body
    assert gate.ends[0].cost_nanodollars == 0


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank", "/openai/v1/rerank"])
async def test_a_rerank_is_charged_by_what_the_provider_bills(tmp_path: Path, path: str) -> None:
    seen: list[httpx.Request] = []
    told = {"id": "r", "results": [{"index": 0, "relevance_score": 0.9}]}
    told["meta"] = {"billed_units": {"search_units": 3}}
    own = deployment("cohere")
    own = replace(own, provider=replace(own.provider, quirks={"rerank_path": "/v2/rerank"}))
    gate = priced(
        harness.gateway(tmp_path, answers(told, seen), model("gpt", own)), {"searches": 2_000 * DOLLAR}
    )
    body = {"model": "gpt", "query": "q", "documents": ["a", {"text": "b"}]}
    assert (await gate.ask(body, path=path)).json() == told
    assert str(seen[0].url) == "http://cohere.test/v2/rerank"
    assert gate.ends[0].cost_nanodollars == 3 * 2_000_000
    assert gate.ends[0].endpoint == "rerank"
