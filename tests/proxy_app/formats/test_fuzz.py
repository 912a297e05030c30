"""Whatever a caller or a provider sends, the only errors are ours."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_project.errors import BadRequest, GatehouseError, UpstreamFailed
from proxy_app.formats import exchange
from proxy_app.wire import NOWHERE, CallFacts, Target
from tests.proxy_app.formats.wire_bytes import OPTIONS, open_pipe, run

TARGETS = [
    Target("openai_chat", "up"),
    Target("openai_responses", "up"),
    Target("anthropic", "claude-opus-5"),
    Target("gemini", "gemini-3-pro"),
]
WORDS = [
    "model",
    "messages",
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "url",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "tool_call_id",
    "tools",
    "parameters",
    "tool_choice",
    "allowed_tools",
    "mode",
    "response_format",
    "json_schema",
    "schema",
    "stream",
    "stream_options",
    "include_usage",
    "max_tokens",
    "n",
    "metadata",
    "tags",
    "stop",
    "temperature",
    "file",
    "file_data",
    "filename",
    "input_audio",
    "data",
    "format",
    "user",
    "assistant",
    "system",
    "tool",
    "auto",
    "required",
    "choices",
    "delta",
    "message",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "error",
    "code",
    "index",
    "candidates",
    "parts",
    "functionCall",
    "args",
    "promptFeedback",
    "usageMetadata",
    "blockReason",
    "finishReason",
    "responseId",
    "details",
    "content_block_delta",
    "content_block_start",
    "message_start",
    "message_delta",
    "content_block",
    "partial_json",
    "stop_reason",
    "input_tokens",
    "output_tokens",
    "thinking",
    "signature",
    "thinking_blocks",
    "extra_content",
    "google",
    "thought_signature",
    "refusal",
    "reasoning_effort",
    "cache_control",
    "reasoning_content",
    "status",
    "message_stop",
    "input",
    "prompt_tokens_details",
]
WORD = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**63),
    st.floats(allow_nan=False),
    WORD,
    st.sampled_from(["data:image/png;base64,AA", "https://x.test/a.png", "data:;base64,", "{", "[DONE]"]),
)
JSON = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORD, inner, max_size=5)),
    max_leaves=25,
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file", "input_audio", "refusal", "video"])},
    optional=dict.fromkeys(("text", "image_url", "file", "input_audio", "refusal", "cache_control"), JSON),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"])},
    optional={
        "content": st.one_of(st.text(max_size=5), st.lists(PART, max_size=3), JSON),
        "tool_calls": st.one_of(st.lists(JSON, max_size=2), JSON),
        "tool_call_id": LEAF,
        "thinking_blocks": JSON,
        "refusal": LEAF,
    },
)
BODY = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGE, min_size=1, max_size=4)},
    optional=dict.fromkeys(
        ("tools", "tool_choice", "response_format", "stop", "reasoning_effort", "metadata", "stream"), JSON
    )
    | dict.fromkeys(("temperature", "top_p", "n", "seed", "max_tokens", "logprobs", "top_k", "user"), LEAF),
)
RELAXED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@RELAXED
@given(st.one_of(BODY, JSON))
def test_any_body_is_built_or_is_a_bad_request(body: Any) -> None:
    raw = orjson.dumps(body)
    body = orjson.loads(raw)
    try:
        facts = exchange.read_call("openai_chat", body, NOWHERE)
    except BadRequest as error:
        assert error.detail
        return
    for target in TARGETS:
        try:
            outgoing = exchange.build_outgoing("openai_chat", target, raw, body, facts)
        except BadRequest as error:
            assert error.detail
        else:
            orjson.loads(outgoing.body)


@RELAXED
@given(JSON, st.sampled_from(TARGETS), st.integers(300, 599))
def test_any_answer_is_read_or_is_an_upstream_failure(body: Any, target: Target, status: int) -> None:
    raw = orjson.dumps(body)
    assert isinstance(exchange.read_failure(target, status, {}, raw), UpstreamFailed)
    try:
        sent, observed = exchange.convert_answer("openai_chat", target, raw, CallFacts("m"), OPTIONS)
    except UpstreamFailed:
        return
    assert observed.ended and orjson.loads(sent)


@RELAXED
@given(st.lists(JSON, max_size=4), st.sampled_from(TARGETS), st.binary(max_size=20))
def test_any_stream_is_read_or_is_an_upstream_failure(events: list[Any], target: Target, junk: bytes) -> None:
    pipe = open_pipe(f"{target.format}/x", wants_usage=False)
    try:
        for event in events:
            pipe.feed(b"data: " + orjson.dumps(event) + b"\n\n")
        pipe.feed(junk)
        pipe.finish()
    except UpstreamFailed:
        pass


def typed_event(kind: str) -> st.SearchStrategy[Any]:
    return JSON.map(lambda rest: {**(rest if isinstance(rest, dict) else {"delta": rest}), "type": kind})


@RELAXED
@given(
    st.lists(
        st.one_of(
            [
                typed_event(kind)
                for kind in (
                    "message_start",
                    "content_block_start",
                    "content_block_delta",
                    "message_delta",
                    "error",
                )
            ]
        ),
        max_size=5,
    )
)
def test_any_claude_events_are_read(events: list[Any]) -> None:
    pipe = open_pipe("anthropic/x")
    try:
        for event in events:
            pipe.feed(b"event: x\ndata: " + orjson.dumps(event) + b"\n\n")
    except UpstreamFailed:
        pass


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.format)
@RELAXED
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_an_upstream_failure(target: Target, raw: bytes) -> None:
    assert isinstance(
        exchange.read_failure(target, 500, {"retry-after": raw.decode("latin-1")}, raw), GatehouseError
    )


FEW = settings(RELAXED, max_examples=40)
SAID = "said-by-the-model"
ENDS = st.one_of(st.sampled_from(["stop", "tool_calls", "end_turn", "STOP", "completed", "length"]), LEAF)
CONTENT = st.one_of(
    st.just(SAID),
    st.lists(st.one_of(PART, JSON), max_size=2).map(lambda odd: [*odd, {"type": "text", "text": SAID}]),
    st.sampled_from([[SAID], [{"text": SAID}], [{"type": "thinking", "thinking": SAID}]]),
)


def junk(**told: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object that tells this, among fields that nobody expects."""
    return st.tuples(st.dictionaries(WORD, JSON, max_size=3), st.fixed_dictionaries(told)).map(
        lambda pair: pair[0] | pair[1]
    )


def only(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return value.map(lambda one: [one])


ITEM = junk(type=st.just("message"), content=only(st.just({"type": "output_text", "text": SAID})))
CANDIDATE = junk(content=junk(parts=only(st.just({"text": SAID}))), finishReason=ENDS)
CHOICE = junk(index=st.just(0), message=junk(content=CONTENT), finish_reason=ENDS)
#: Format -> whole answers that say something.
WHOLE = {
    "openai_chat": junk(
        choices=only(junk(index=st.just(0), message=junk(content=CONTENT), finish_reason=ENDS))
    ),
    "openai_responses": junk(output=only(ITEM), status=ENDS),
    "anthropic": junk(content=only(st.just({"type": "text", "text": SAID})), stop_reason=ENDS),
    "gemini": junk(candidates=only(CANDIDATE)),
}
CHUNK = junk(choices=only(junk(index=st.just(0), delta=junk(content=CONTENT))))
LAST_CHUNK = junk(choices=only(junk(index=st.just(0), delta=st.just({}), finish_reason=ENDS)))
CALLERS = ("openai_chat", "openai_responses", "anthropic", "gemini")


@pytest.mark.parametrize("inbound", CALLERS)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.format)
@FEW
@given(st.data())
def test_text_in_is_text_out_or_a_failure(inbound: str, target: Target, data: st.DataObject) -> None:
    """Whole, whole in place of a stream, and as one event of a stream that then ends."""
    raw = orjson.dumps(data.draw(WHOLE[target.format]))
    ends = b"\n\ndata: " + orjson.dumps(data.draw(LAST_CHUNK)) + b"\n\ndata: [DONE]\n\n"
    for stream in (raw, raw + b"\n\n", b"data: " + raw + ends, b"data: " + raw):
        try:
            sent = run(open_pipe(f"{target.format}/x", inbound=inbound), stream)
        except UpstreamFailed:
            continue
        assert SAID.encode() in sent, stream
    try:
        sent, _ = exchange.convert_answer(inbound, target, raw, CallFacts("m"), OPTIONS)
    except UpstreamFailed:
        return
    assert SAID.encode() in sent


@pytest.mark.parametrize("inbound", CALLERS)
@FEW
@given(CHUNK, st.lists(JSON, max_size=1), LAST_CHUNK)
def test_text_in_a_chat_stream_is_text_out_or_a_failure(
    inbound: str, chunk: Any, others: list[Any], last: Any
) -> None:
    events = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in (chunk, *others, last))
    try:
        sent = run(open_pipe("openai_chat/x", inbound=inbound), events + b"data: [DONE]\n\n")
    except UpstreamFailed:
        return
    assert SAID.encode() in sent
