"""Whole answers and errors for a caller of Anthropic Messages."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import (
    BudgetExceeded,
    GatehouseError,
    RateLimited,
    UpstreamFailed,
    UpstreamRefused,
)
from proxy_app.formats import exchange
from proxy_app.formats.anthropic.response import parse_answer, render_answer
from proxy_app.formats.contract import RenderOptions
from proxy_app.wire import (
    Answer,
    CallFacts,
    Citation,
    Finish,
    Refusal,
    Target,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tests.proxy_app.formats.test_answers import ANSWERS
from tests.proxy_app.formats.test_errors import every_error

OPTIONS = RenderOptions("public-model", "msg_ours", 1_790_000_001, input_estimate=7)


def convert(wire: str, body: Any) -> tuple[Any, Any]:
    raw = orjson.dumps(body)
    sent, observed = exchange.convert_answer("anthropic", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    if wire == "anthropic":
        assert sent == raw
    return orjson.loads(sent), observed


def render(*parts: Any, finish: Finish = Finish.STOP, **more: Any) -> Any:
    return render_answer(Answer("", "up", list(parts), finish, **more), OPTIONS)


@pytest.mark.parametrize("wire", ANSWERS)
def test_an_answer_says_to_the_caller_what_the_provider_said(wire: str) -> None:
    body, usage = ANSWERS[wire]
    sent, observed = convert(wire, body)
    assert (sent["type"], sent["role"], sent["stop_reason"]) == ("message", "assistant", "tool_use")
    thought, text, call = sent["content"]
    assert (thought["thinking"], text["text"]) == ("hm", "Let me look.")
    assert call == {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Seoul"}}
    told = sent["usage"]
    write = usage.cache_write_tokens or 0
    assert (told["input_tokens"], told["cache_read_input_tokens"]) == (1200 - 1024 - write, 1024)
    assert (told["cache_creation_input_tokens"], told["output_tokens"]) == (write, 48)
    assert told["output_tokens_details"] == {"thinking_tokens": 32}
    assert (observed.usage, observed.finish, observed.ended) == (usage, Finish.TOOL_CALLS, True)
    assert sent["model"] == ("claude-opus-5" if wire == "anthropic" else "public-model")


@pytest.mark.parametrize("wire", ANSWERS)
@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{}", b"<html>", b'{"error": {"message": "oh"}}'])
def test_a_success_that_is_none_is_a_failure(wire: str, raw: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        exchange.convert_answer("anthropic", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)


def test_thoughts_go_out_with_a_signature_that_brings_them_back_to_whoever_signed() -> None:
    sent = render(
        Thinking("a", "s1", provider="anthropic"),
        Thinking("b", "s2", provider="openai", id="rs_1"),
        Thinking("c"),
        Thinking("", redacted="d1", provider="anthropic"),
        Thinking("", redacted="d2", provider="openai"),
    )
    assert sent["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "s1"},
        {"type": "thinking", "thinking": "b", "signature": "gatehouse.openai.s2"},
        {"type": "thinking", "thinking": "c", "signature": "gatehouse.unsigned."},
        {"type": "redacted_thinking", "data": "d1"},
        {"type": "redacted_thinking", "data": "gatehouse.openai+redacted.d2"},
    ]


def test_a_refusal_is_what_the_caller_reads_and_why_it_stopped() -> None:
    sent = render(Refusal("I can't."))
    assert sent["content"] == [{"type": "text", "text": "I can't."}]
    assert sent["stop_reason"] == "refusal"
    assert sent["stop_details"] == {"type": "refusal", "category": None, "explanation": "I can't."}
    silent = render(finish=Finish.CONTENT_FILTER)
    assert (silent["content"], silent["stop_details"]["explanation"]) == ([], None)
    assert render(Text("a"))["stop_details"] is None


def test_a_call_is_a_call_whatever_the_provider_calls_the_end() -> None:
    call = ToolCall("toolu_1", "now", "")
    assert render(call)["stop_reason"] == render(call, finish=Finish.TOOL_CALLS)["stop_reason"] == "tool_use"
    assert render(call, finish=Finish.LENGTH)["stop_reason"] == "max_tokens"
    assert render(Text("a"), finish=Finish.TOOL_CALLS)["stop_reason"] == "end_turn"


@pytest.mark.parametrize("arguments", ["{oops", "[1]", '"x"'])
def test_arguments_that_are_no_object_are_wrapped(arguments: str) -> None:
    assert render(ToolCall("t", "n", arguments))["content"][0]["input"] == {"invalid_json": arguments}


@pytest.mark.parametrize(
    ("tier", "told"), [("default", "standard"), ("priority", "priority"), ("flex", None), (None, None)]
)
def test_the_service_tier(tier: str | None, told: str | None) -> None:
    sent = render(Text("a"), usage=Usage(5, output_tokens=6), service_tier=tier)
    assert sent["usage"].get("service_tier") == told
    assert (sent["usage"]["input_tokens"], sent["usage"]["output_tokens"]) == (5, 6)
    assert render(Text("a"))["usage"]["input_tokens"] == 7  # unknown: the estimate


def test_citations_are_told_and_read() -> None:
    cited = Text("x", citations=[Citation("https://a.test", "A", "a"), Citation(None, "D", "d")])
    (block,) = render(cited)["content"]
    assert [one["url"] for one in block["citations"]] == ["https://a.test", ""]
    place = {"type": "page_location", "document_index": 0, "document_title": "D", "cited_text": "d"}
    body = {"content": [{"type": "text", "text": "x", "citations": [place]}], "stop_reason": "end_turn"}
    assert parse_answer(body).parts == [Text("x", citations=[Citation(None, "D", "d")])]


def test_results_of_tools_the_provider_ran_are_passed_over() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "Found."},
    ]
    assert parse_answer({"content": blocks, "stop_reason": "end_turn"}).parts == [Text("Found.")]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_every_error_is_told_in_the_formats_shape(error: GatehouseError) -> None:
    rendered = exchange.render_error("anthropic", error, "req-1")
    assert set(rendered.body) == {"type", "error", "request_id"}
    told = rendered.body["error"]
    assert (rendered.body["type"], rendered.body["request_id"]) == ("error", "req-1")
    assert told["message"] == "Why. (request id: req-1)" and told["type"].endswith(("_error", "_too_large"))
    assert rendered.headers["request-id"] == "req-1"


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, 400, "invalid_request_error"),
        (404, 404, "not_found_error"),
        (413, 413, "request_too_large"),
        (422, 422, "invalid_request_error"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (502, 502, "api_error"),
        (503, 529, "overloaded_error"),
        (504, 504, "timeout_error"),
        (529, 529, "overloaded_error"),
    ],
)
def test_a_provider_s_refusal_keeps_its_meaning(status: int, told: int, kind: str) -> None:
    raw = orjson.dumps({"error": {"message": "Sorry.", "type": "x", "code": None}})
    error = exchange.read_failure(Target("openai_chat", "m"), status, {}, raw)
    rendered = exchange.render_error("anthropic", error, "r")
    assert (rendered.status, rendered.body["error"]["type"]) == (told, kind)
    assert rendered.body["error"]["message"] == "Sorry. (request id: r)"


def test_limits_tell_how_long_to_wait_and_budgets_not_to_try_again() -> None:
    limited = exchange.render_error("anthropic", RateLimited(retry_after_s=300), "r")
    assert (limited.status, limited.headers["retry-after"]) == (429, "60")
    spent = exchange.render_error("anthropic", BudgetExceeded(), "r")
    assert (spent.status, spent.headers["x-should-retry"]) == (429, "false")
    assert spent.body["error"]["type"] == "rate_limit_error"
    assert spent.body["error"]["details"] == {"error_code": "budget_exceeded"}


def test_an_error_of_the_same_format_keeps_its_words() -> None:
    raw = orjson.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    error = exchange.read_failure(Target("anthropic", "m"), 529, {"retry-after": "3"}, raw)
    assert isinstance(error, UpstreamRefused) and error.can_retry
    rendered = exchange.render_error("anthropic", error, "")
    assert rendered.body == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "",
    }
    assert rendered.headers == {"retry-after": "3", "retry-after-ms": "3000"}
