"""A model's own searches cost beside its tokens: told in each provider's way, charged once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy_app import harness
from tests.proxy_app.operating import priced
from usage_app.pricing import CompiledPrice, PriceBook, PriceRow, Rates, compile_rates

CENT = 10**7
SEARCH = 10 * 10**12  # nanodollars per million: a cent a search

USED = {"input_tokens": 10, "output_tokens": 5}
CLAUDE = {**USED, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}}


def responded(**fields: Any) -> dict[str, Any]:
    return harness.response() | {"usage": {**USED, "total_tokens": 15}, **fields}


def searched(*queries: str, version: str = "gemini-3.1-pro") -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}
    return {
        "candidates": [{**candidate, "groundingMetadata": {"webSearchQueries": list(queries)}}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
        "modelVersion": version,
    }


OPENAI = {"tool_usage": {"web_search": {"num_requests": 3}, "image_gen": {"total_tokens": 0}}}
PERPLEXITY = {"prompt_tokens": 10, "completion_tokens": 5, "num_search_queries": 4}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "openai_chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
    "openai_responses": ("/v1/responses", {"input": "Hi", "tools": [{"type": "web_search"}]}),
    "anthropic": ("/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}),
    "gemini": ("/v1beta/models/gpt:generateContent", {"contents": [{"parts": [{"text": "Hi"}]}]}),
}
WHOLE: list[tuple[str, dict[str, Any], int]] = [
    ("anthropic", harness.message({"type": "text", "text": "Hi"}) | {"usage": CLAUDE}, 2),
    ("anthropic", harness.message({"type": "text", "text": "Hi"}) | {"usage": USED}, 0),
    ("openai_responses", responded(**OPENAI), 3),
    ("openai_responses", responded(tool_usage=None), 0),
    ("openai_chat", harness.completion() | {"usage": PERPLEXITY}, 4),
    ("gemini", searched("a", "b"), 2),
    ("gemini", searched("a", "b", version="gemini-2.5-flash"), 1),
    ("gemini", searched(), 0),
]


def events(*told: dict[str, Any], named: bool = True) -> bytes:
    head = (lambda each: f"event: {each['type']}\n") if named else (lambda each: "")
    return "".join(f"{head(each)}data: {json.dumps(each)}\n\n" for each in told).encode()


STREAMED: list[tuple[str, bytes, int]] = [
    (
        "anthropic",
        events(
            {"type": "message_start", "message": harness.message() | {"usage": {"input_tokens": 10}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": CLAUDE},
            {"type": "message_stop"},
        ),
        2,
    ),
    (
        "openai_responses",
        events(
            {"type": "response.created", "sequence_number": 0, "response": responded(status="in_progress")},
            {"type": "response.completed", "sequence_number": 1, "response": responded(**OPENAI)},
        ),
        3,
    ),
    ("gemini", events(searched("a"), searched("a", "b"), named=False), 2),
    ("gemini", events({**searched("a"), "responseId": 7}, named=False), 1),
]


def serving(content: bytes, content_type: str) -> Callable[[httpx.Request], Any]:
    async def script(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content, headers={"content-type": content_type})

    return script


async def ends(folder: Path, wire: str, script: Any, *, stream: bool) -> Any:
    owner = harness.deployment("alpha", wire)
    gate = harness.gateway(folder, script, harness.model("gpt", owner))
    priced(gate, {"searches": SEARCH}, input=10**9, output=4 * 10**9)
    path, body = ASKED[wire]
    if stream:
        path = path.replace("generateContent", "streamGenerateContent")
        body = body if wire == "gemini" else {**body, "stream": True}
    query = "alt=sse" if stream and wire == "gemini" else ""
    answer = await gate.ask(body if wire == "gemini" else {"model": "gpt", **body}, path=path, query=query)
    assert answer.status == 200, answer.body
    (end,) = gate.ends
    return end


def check(end: Any, searches: int) -> None:
    assert end.status == "ok"
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (10, 5)
    assert end.tokens.units == ({"searches": searches} if searches else {})
    assert end.cost_nanodollars == 10 * 1000 + 5 * 4000 + searches * CENT


@pytest.mark.parametrize(("wire", "told", "searches"), WHOLE)
async def test_searches_of_a_whole_answer_are_charged(
    tmp_path: Path, wire: str, told: dict[str, Any], searches: int
) -> None:
    script = serving(json.dumps(told).encode(), "application/json")
    check(await ends(tmp_path, wire, script, stream=False), searches)


@pytest.mark.parametrize(("wire", "told", "searches"), STREAMED)
async def test_searches_of_a_stream_are_charged_once(
    tmp_path: Path, wire: str, told: bytes, searches: int
) -> None:
    check(await ends(tmp_path, wire, serving(told, "text/event-stream"), stream=True), searches)


# ---------------------------------------------------------------- a provider's other tools


def call(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": "x", "status": "completed", **fields}


TOOLS = [
    call("file_search_call"),
    call("file_search_call"),
    call("code_interpreter_call", container_id="cntr_1"),
    call("code_interpreter_call", container_id="cntr_1"),
    call("code_interpreter_call", container_id="cntr_2"),
    call("image_generation_call", quality="high", size="1024x1024"),
    call("image_generation_call", status="failed"),
    call("function_call", name="f", call_id="c", arguments="{}"),
]
UNITS = {"file_searches": 2, "code_sessions": 2, "images:high:1024x1024": 1}
RATES = {"file_searches": 25 * 10**11, "code_sessions": 3 * 10**13, "images": 4 * 10**13}
TOKENS = 10 * 1000 + 5 * 4000


async def tooled(folder: Path, rates: dict[str, int], output: list[Any], stream: bool, **fields: Any) -> Any:
    told = responded(output=output, **fields)
    content, kind = json.dumps(told).encode(), "application/json"
    if stream:
        content, kind = events({"type": "response.completed", "response": told}), "text/event-stream"
    gate = harness.gateway(
        folder, serving(content, kind), harness.model("gpt", harness.deployment("alpha", "openai_responses"))
    )
    priced(gate, rates, input=10**9, output=4 * 10**9)
    answer = await gate.ask({"model": "gpt", "input": "Hi", "stream": stream}, path="/v1/responses")
    assert answer.status == 200
    (end,) = gate.ends
    return end


@pytest.mark.parametrize("stream", [False, True])
async def test_the_tools_that_openai_runs_are_charged_beside_the_tokens(tmp_path: Path, stream: bool) -> None:
    end = await tooled(tmp_path, RATES, TOOLS, stream)
    assert end.tokens.units == UNITS and end.usage_source == "provider" and "unpriced" not in end.decision
    assert end.cost_nanodollars == TOKENS + 2 * 2_500_000 + 2 * 30_000_000 + 40_000_000


async def test_a_tool_without_a_price_makes_the_cost_a_lower_bound_that_says_so(tmp_path: Path) -> None:
    end = await tooled(tmp_path, {"file_searches": RATES["file_searches"]}, TOOLS, False)
    assert end.cost_nanodollars == TOKENS + 2 * 2_500_000
    assert end.usage_source == "estimate"
    assert end.decision["unpriced"] == {"code_sessions": 2, "images:high:1024x1024": 1}


@pytest.mark.parametrize(
    ("told", "searches"), [({}, 2), ({"tool_usage": {"web_search": None}}, 0), (OPENAI, 3)]
)
async def test_searches_that_the_provider_does_not_count_are_counted_by_their_calls(
    tmp_path: Path, told: dict[str, Any], searches: int
) -> None:
    actions: list[Any] = [{"type": "search", "query": "a"}, {"type": "open_page", "url": "x"}, None]
    output = [call("web_search_call", action=action) for action in actions]
    end = await tooled(tmp_path, {"searches": SEARCH}, output, False, **told)
    assert end.tokens.units.get("searches", 0) == searches
    assert end.cost_nanodollars == TOKENS + searches * CENT


@pytest.mark.parametrize("output", [None, 7, [None, 3, {"type": 1}, {}], [{"type": "code_interpreter_call"}]])
async def test_an_odd_list_of_items_fails_nothing(tmp_path: Path, output: Any) -> None:
    assert (await tooled(tmp_path, RATES, output, True)).status == "ok"


# ---------------------------------------------------------------- what Anthropic counts beside a message

ITERATIONS = [
    {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500, "cache_read_input_tokens": 500},
    {"type": "message", "input_tokens": 10, "output_tokens": 5},
    {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 900, "output_tokens": 100},
]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_shortens_a_conversation_on_the_way_is_charged_and_an_advisor_is_told(
    tmp_path: Path, stream: bool
) -> None:
    used = {**USED, "iterations": ITERATIONS}
    content, kind = json.dumps(harness.message() | {"usage": used}).encode(), "application/json"
    if stream:
        began = {"type": "message_start", "message": harness.message() | {"usage": {"input_tokens": 10}}}
        delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": used}
        content, kind = events(began, delta, {"type": "message_stop"}), "text/event-stream"
    gate = harness.gateway(
        tmp_path, serving(content, kind), harness.model("gpt", harness.deployment("alpha", "anthropic"))
    )
    priced(gate, {}, input=10**9, output=4 * 10**9, cache_read=10**8)
    path, body = ASKED["anthropic"]
    answer = await gate.ask({"model": "gpt", **body, "stream": stream}, path=path)
    assert answer.status == 200 and b"advisor_message" in answer.body  # as it came
    (end,) = gate.ends
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (180_510, 3_505)
    assert end.cost_nanodollars == 180_010 * 1000 + 500 * 100 + 3_505 * 4000
    assert end.usage_source == "estimate" and end.decision["unpriced"] == {"advisor_tokens": 1000}


OTHER = "claude-other"
USED_BY_OTHER = {**USED, "type": "fallback_message", "model": OTHER}


@pytest.mark.parametrize("caller", ["anthropic", "openai_chat"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("priced_as", "declined", "factor", "unpriced"),
    [
        (OTHER, [{"input_tokens": 10, "output_tokens": 0}], 2, 0),  # declined at once: not billed
        (OTHER, [{"input_tokens": 10, "output_tokens": 3}], 2, 13),  # in the midst of it: by its own model
        (OTHER, [], 2, 0),  # a conversation that stays with the other
        ("another", [{"input_tokens": 10, "output_tokens": 0}], 1, 0),
    ],
)
async def test_what_another_model_of_anthropics_answered_costs_what_that_model_costs(
    tmp_path: Path,
    caller: str,
    priced_as: str,
    declined: list[dict[str, Any]],
    factor: int,
    unpriced: int,
    stream: bool,
) -> None:
    before = [{**each, "type": "message", "model": "gpt-test"} for each in declined]
    used = {**USED, "iterations": [*before, USED_BY_OTHER]}
    whole = harness.message({"type": "text", "text": "Hi"}) | {"usage": used, "model": OTHER}
    content, kind = json.dumps(whole).encode(), "application/json"
    if stream:
        began = {"type": "message_start", "message": whole | {"usage": {"input_tokens": 10}, "content": []}}
        delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": used}
        content, kind = events(began, delta, {"type": "message_stop"}), "text/event-stream"
    model = harness.model("gpt", harness.deployment("alpha", "anthropic"))
    gate = harness.gateway(tmp_path, serving(content, kind), model)
    rates, _ = compile_rates({"input": 10**9, "output": 4 * 10**9})
    usual = CompiledPrice("usual", "openai", "gpt-test", "list", rates)
    other = replace(usual, id="other", model=priced_as, rates=Rates(*(2 * rate for rate in rates)))
    book = PriceBook([PriceRow(usual), PriceRow(other, order=(1, 0))])
    picture = gate.keeper.current
    gate.keeper.current = replace(picture, sections={**picture.sections, "prices": book})
    path, body = ASKED[caller]
    body = {name: value for name, value in body.items() if name != "tools"}
    assert (await gate.ask({"model": "gpt", **body, "stream": stream}, path=path)).status == 200
    (end,) = gate.ends
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (10, 5)
    assert end.cost_nanodollars == factor * (10 * 1000 + 5 * 4000)
    assert (end.price_id, end.decision["answered_by"]) == ("other" if factor == 2 else "usual", OTHER)
    assert end.decision.get("unpriced") == ({"declined_tokens": unpriced} if unpriced else None)


# ---------------------------------------------------------------- what Mistral hears beside its tokens


@pytest.mark.parametrize(
    ("heard", "audio_ms"), [(15, 15_000), (0.5, 500), (0, 0), (None, 0), ("9", 0), ({}, 0), (True, 0)]
)
async def test_seconds_that_a_conversation_was_heard_are_charged_at_their_price(
    tmp_path: Path, heard: Any, audio_ms: int
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_audio_seconds": heard}
    content = json.dumps(harness.completion() | {"usage": usage}).encode()
    gate = harness.gateway(tmp_path, serving(content, "application/json"))
    priced(gate, {"audio_ms": 10**8}, input=10**9, output=4 * 10**9)
    path, body = ASKED["openai_chat"]
    assert (await gate.ask({"model": "gpt", **body}, path=path)).status == 200
    (end,) = gate.ends
    assert end.tokens.units == ({"audio_ms": audio_ms} if audio_ms else {})
    assert end.cost_nanodollars == TOKENS + audio_ms * 100
