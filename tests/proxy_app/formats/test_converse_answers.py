"""Converse answers, streams and errors on their way to callers."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import (
    CredentialRefused,
    UpstreamCut,
    UpstreamFailed,
    UpstreamInvalid,
    UpstreamRefused,
)
from proxy_app.event_stream import EventStreamDecoder, to_sse
from proxy_app.formats import exchange
from proxy_app.formats.bedrock_converse import UPSTREAM
from proxy_app.formats.contract import RenderOptions
from proxy_app.wire import CallFacts, Finish, Target, Thinking, ToolCall
from tests.proxy_app.aws_frames import event, exception

TARGET = Target("bedrock_converse", "anthropic.claude-opus-4-8")
OPTIONS = RenderOptions(model="public", answer_id="answer-1", created=1)
USAGE = {
    "inputTokens": 10,
    "outputTokens": 7,
    "totalTokens": 117,
    "cacheReadInputTokens": 60,
    "cacheWriteInputTokens": 40,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 10}],
}


def answer(*content: dict[str, Any], reason: str = "end_turn", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(content)}
    return {"output": {"message": message}, "stopReason": reason, "usage": USAGE, "metrics": {}, **more}


THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}}
CALL = {"toolUse": {"toolUseId": "tooluse_1", "name": "now", "input": {"zone": "Asia/Seoul"}}}


def test_an_answer_is_read_whole() -> None:
    told = UPSTREAM.parse_answer(answer(THOUGHT, {"text": "So."}, CALL, reason="tool_use"))
    assert told.finish is Finish.TOOL_CALLS
    assert told.parts[0] == Thinking("Hm", "c2ln", provider="bedrock")
    assert told.parts[2] == ToolCall("tooluse_1", "now", '{"zone":"Asia/Seoul"}')
    usage = told.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (110, 7)
    assert (usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens) == (60, 40, 30)


def test_redacted_and_unsigned_thoughts_are_told_apart() -> None:
    hidden = {"reasoningContent": {"redactedContent": "AAAA"}}
    bare = {"reasoningContent": {"reasoningText": {"text": "Hm"}}}
    told = UPSTREAM.parse_answer(answer(hidden, bare))
    assert told.parts == [Thinking("", redacted="AAAA", provider="bedrock"), Thinking("Hm")]


def test_citations_come_with_their_text() -> None:
    cited = {
        "title": "A page",
        "sourceContent": [{"text": "as it says"}],
        "location": {"web": {"url": "https://a.test", "domain": "a.test"}},
    }
    told = UPSTREAM.parse_answer(
        answer({"citationsContent": {"content": [{"text": "It is."}], "citations": [cited]}})
    )
    (text,) = told.parts
    assert text.text == "It is."
    assert (text.citations[0].url, text.citations[0].cited_text) == ("https://a.test", "as it says")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("stop_sequence", Finish.STOP_SEQUENCE),
        ("guardrail_intervened", Finish.CONTENT_FILTER),
        ("content_filtered", Finish.CONTENT_FILTER),
        ("something_new", Finish.STOP),
    ],
)
def test_ends_are_told_in_our_words(reason: str, finish: Finish) -> None:
    assert UPSTREAM.parse_answer(answer({"text": "x"}, reason=reason)).finish is finish


@pytest.mark.parametrize("reason", ["malformed_tool_use", "malformed_model_output"])
def test_what_the_model_spoilt_is_no_answer(reason: str) -> None:
    with pytest.raises(UpstreamInvalid):
        UPSTREAM.parse_answer(answer({"text": "x"}, reason=reason))
    with pytest.raises(UpstreamInvalid):
        through("openai_chat", event("messageStop", {"stopReason": reason}))


@pytest.mark.parametrize("body", [{}, {"output": {}}, {"output": {"message": {"content": "x"}}}])
def test_an_answer_without_content_is_invalid(body: dict[str, Any]) -> None:
    with pytest.raises(UpstreamInvalid):
        UPSTREAM.parse_answer(body)


def through(inbound: str, *frames: bytes) -> tuple[bytes, Any]:
    """A stream as it comes from the network, to a caller's bytes."""
    pipe = exchange.open_pipe(inbound, TARGET, CallFacts("m", stream=True, wants_usage=True), OPTIONS)
    decoder = EventStreamDecoder()
    sent = [pipe.feed(to_sse(message)) for frame in frames for message in decoder.feed(frame)]
    return b"".join([*sent, pipe.finish()]), pipe.observed


BEGIN = event("messageStart", {"role": "assistant", "p": "ab"})


def delta(index: int, **content: Any) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": content, "p": "abc"})


def stop(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


STREAM = [
    BEGIN,
    delta(0, reasoningContent={"text": "Hm"}),
    delta(0, reasoningContent={"signature": "c2"}),
    delta(0, reasoningContent={"signature": "ln"}),
    stop(0),
    delta(1, text="So"),
    delta(1, text="."),
    stop(1),
    event(
        "contentBlockStart",
        {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "now"}}},
    ),
    delta(2, toolUse={"input": '{"zone":'}),
    delta(2, toolUse={"input": '"Asia/Seoul"}'}),
    stop(2),
    event(
        "contentBlockStart",
        {"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t2", "name": "now"}}},
    ),
    stop(3),
    event("messageStop", {"stopReason": "tool_use"}),
    event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 5}}),
]


@pytest.mark.parametrize("inbound", ["openai_chat", "anthropic", "openai_responses", "gemini"])
def test_a_stream_reaches_every_caller(inbound: str) -> None:
    sent, observed = through(inbound, *STREAM)
    assert b"So" in sent and b"Asia/Seoul" in sent
    assert observed.ended and observed.finish is Finish.TOOL_CALLS
    assert (observed.usage.input_tokens, observed.usage.cache_write_1h_tokens) == (110, 30)
    assert observed.signed["t1"].thoughts == (Thinking("Hm", "c2ln", provider="bedrock"),)


def test_the_tier_that_comes_with_the_figures_is_told() -> None:
    last = event("metadata", {"usage": USAGE, "serviceTier": {"type": "flex"}})
    sent, observed = through("openai_chat", *STREAM[:-1], last)
    assert b'"service_tier":"flex"' in sent and b'"finish_reason":"tool_calls"' in sent
    assert observed.ended and observed.usage is not None


def test_a_call_without_arguments_is_an_empty_object() -> None:
    sent, _ = through("anthropic", *STREAM)
    assert b'"partial_json":"{}"' in sent


def test_redacted_thoughts_and_citations_stream_too() -> None:
    cited = {"title": "A page", "location": {"web": {"url": "https://a.test"}}}
    sent, observed = through(
        "anthropic",
        BEGIN,
        delta(0, reasoningContent={"redactedContent": "AAAA"}),
        stop(0),
        delta(1, text="It is."),
        delta(1, citation=cited),
        stop(1),
        event("messageStop", {"stopReason": "end_turn"}),
    )
    assert b"gatehouse.bedrock+redacted.AAAA" in sent and b"https://a.test" in sent
    assert observed.ended and observed.usage is None


@pytest.mark.parametrize("count", range(len(STREAM) - 2))
def test_a_stream_cut_before_its_end_is_an_error(count: int) -> None:
    with pytest.raises(UpstreamCut):
        through("openai_chat", *STREAM[:count])


@pytest.mark.parametrize(
    ("name", "status", "retryable"),
    [
        ("throttlingException", 429, True),
        ("serviceUnavailableException", 503, True),
        ("modelStreamErrorException", 502, True),
        ("validationException", 400, False),
    ],
)
def test_an_exception_amid_a_stream_is_an_error(name: str, status: int, retryable: bool) -> None:
    with pytest.raises(UpstreamRefused) as refused:
        through("openai_chat", BEGIN, delta(0, text="Hi"), exception(name, "No more"))
    assert (refused.value.upstream_status, refused.value.can_retry) == (status, retryable)


def failure(status: int, kind: str, message: str, key: str = "message") -> UpstreamFailed:
    headers = {"X-Amzn-ErrorType": f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    return exchange.read_failure(TARGET, status, headers, orjson.dumps({key: message}))


@pytest.mark.parametrize(
    ("status", "kind", "message", "can_retry", "code"),
    [
        (429, "ThrottlingException", "Too many requests, please wait", True, ""),
        (400, "ServiceQuotaExceededException", "Your quota is used up", True, ""),
        (424, "ModelErrorException", "The model failed", True, ""),
        (408, "ModelTimeoutException", "Model has timed out", True, ""),
        (503, "ServiceUnavailableException", "Try again", True, ""),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            False,
            "context_length_exceeded",
        ),
        (400, "ValidationException", "The provided model identifier is invalid.", False, ""),
        (404, "ResourceNotFoundException", "Could not resolve the model", False, ""),
    ],
)
def test_refusals_are_told_by_their_kind(
    status: int, kind: str, message: str, can_retry: bool, code: str
) -> None:
    refused = failure(status, kind, message)
    assert isinstance(refused, UpstreamRefused)
    assert (refused.can_retry, refused.upstream_code, refused.upstream_type) == (can_retry, code, kind)
    assert refused.detail == message


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("UnrecognizedClientException", "The security token included in the request is invalid."),
        ("ExpiredTokenException", "The security token included in the request is expired"),
        ("InvalidSignatureException", "The request signature we calculated does not match"),
        ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
    ],
)
def test_what_the_service_thinks_of_our_credential_is_ours(kind: str, message: str) -> None:
    assert isinstance(failure(403, kind, message, key="Message"), CredentialRefused)


def test_a_page_of_a_proxy_is_an_error_too() -> None:
    refused = exchange.read_failure(TARGET, 502, {}, b"<html>Bad gateway</html>")
    assert isinstance(refused, UpstreamRefused) and "html" not in refused.detail
