"""Every provider stream on its way to a Chat Completions caller."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import (
    CallStopped,
    UpstreamCut,
    UpstreamFailed,
    UpstreamInvalid,
    UpstreamRefused,
)
from proxy_app.formats.openai_chat.stream import Parser
from proxy_app.sse import Decoder
from proxy_app.wire import (
    CallFacts,
    Finish,
    Finished,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from tests.proxy_app.formats.wire_bytes import (
    STREAMS,
    WITHOUT_FULL_USAGE,
    Told,
    expected_usage,
    open_pipe,
    read,
    run,
)

BROKEN = [
    "openai_chat/truncated",
    "openai_responses/truncated",
    "anthropic/truncated",
    "anthropic/truncated_after_finish",
    "gemini/truncated",
]


def chunks_of(sent: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(event.data) for event in Decoder().feed(sent) if event.data != b"[DONE]"]


def told_by(events: list[StreamEvent]) -> Told:
    def joined(kind: type) -> str:
        return "".join(event.text for event in events if isinstance(event, kind))

    calls = []
    for start in (event for event in events if isinstance(event, ToolCallStarted)):
        pieces = [e.fragment for e in events if isinstance(e, ToolCallDelta) and e.index == start.index]
        calls.append((start.id, start.name, orjson.loads("".join(pieces) or "{}")))
    indices = [event.index for event in events if isinstance(event, ToolCallStarted)]
    assert indices == list(range(len(indices)))
    finish = [event.finish for event in events if isinstance(event, Finished)][-1]
    return Told(joined(TextDelta), joined(ThinkingDelta), joined(RefusalDelta), calls, finish)


def parsed_as_chunks(sent: bytes) -> list[StreamEvent]:
    parser = Parser()
    return [event for one in Decoder().feed(sent) for event in parser.feed(one)]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_says_to_the_caller_what_the_provider_said(name: str) -> None:
    pipe = open_pipe(name)
    events = parsed_as_chunks(run(pipe, read(name)))
    wanted = STREAMS[name]
    if wanted.finish is Finish.STOP_SEQUENCE:
        wanted = Told(wanted.text, finish=Finish.STOP)  # the format has no word of its own for it
    assert told_by(events) == wanted
    assert pipe.observed.ended and pipe.observed.content_started
    assert pipe.observed.finish is STREAMS[name].finish
    if name not in WITHOUT_FULL_USAGE:
        assert pipe.observed.usage == expected_usage(name)
        (usage,) = [event.usage for event in events if isinstance(event, UsageReported)]
        known = expected_usage(name)
        assert (usage.input_tokens, usage.output_tokens) == (known.input_tokens, known.output_tokens)
        assert (usage.cache_read_tokens, usage.reasoning_tokens) == (1024, 32)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream_is_the_same_wherever_its_bytes_are_cut(name: str, wants_usage: bool) -> None:
    raw = read(name)
    whole = open_pipe(name, wants_usage=wants_usage)
    sent = run(whole, raw)
    for cut in range(len(raw)):
        pipe = open_pipe(name, wants_usage=wants_usage)
        assert run(pipe, raw[:cut], raw[cut:]) == sent, cut
        assert pipe.observed == whole.observed, cut
    pipe = open_pipe(name, wants_usage=wants_usage)
    assert run(pipe, *(raw[at : at + 1] for at in range(len(raw)))) == sent


@pytest.mark.parametrize("name", STREAMS)
def test_only_whole_events_are_sent_and_the_terminator_comes_once_and_last(name: str) -> None:
    raw, pipe = read(name), open_pipe(name)
    for at in range(0, len(raw), 11):
        sent = pipe.feed(raw[at : at + 11])
        assert sent == b"" or sent.endswith(b"\n\n")
    sent = run(open_pipe(name), raw + b'data: {"after": "the end"}\n\n' if name.startswith("openai") else raw)
    assert sent.endswith(b"data: [DONE]\n\n") and sent.count(b"[DONE]") == 1


@pytest.mark.parametrize("name", STREAMS)
def test_no_usage_chunk_for_a_caller_who_did_not_ask(name: str) -> None:
    asked, unasked = open_pipe(name), open_pipe(name, wants_usage=False)
    run(asked, read(name))
    for chunk in chunks_of(run(unasked, read(name))):
        assert chunk["choices"] and not chunk.get("usage")
    assert unasked.observed == asked.observed


def test_a_relayed_stream_is_forwarded_byte_for_byte() -> None:
    for name in ("openai_chat/text", "openai_chat/tool_three", "openai_chat/text_usage_with_choices"):
        assert run(open_pipe(name), read(name)) == read(name)


def test_usage_not_asked_for_is_taken_out_of_a_chunk_that_says_more() -> None:
    name = "openai_chat/text_usage_with_choices"
    wanted = chunks_of(read(name))
    del wanted[-1]["usage"]
    assert chunks_of(run(open_pipe(name, wants_usage=False), read(name))) == wanted


def test_line_ends_of_a_relayed_stream_become_line_feeds() -> None:
    sent = run(open_pipe("openai_chat/text_crlf"), read("openai_chat/text_crlf"))
    assert sent == read("openai_chat/text_crlf").replace(b"\r\n", b"\n")


@pytest.mark.parametrize("name", BROKEN)
def test_a_cut_stream_is_never_shown_as_finished(name: str) -> None:
    pipe = open_pipe(name)
    sent = pipe.feed(read(name))
    with pytest.raises(UpstreamCut):
        pipe.finish()
    assert b"[DONE]" not in sent and not pipe.observed.ended
    assert all(choice["finish_reason"] is None for chunk in chunks_of(sent) for choice in chunk["choices"])


def test_a_stream_cut_at_any_byte_is_cut_or_whole_but_never_silently_short() -> None:
    for name in (
        "openai_chat/tool_three",
        "openai_responses/tool_three",
        "anthropic/tool_three",
        "gemini/tool_three",
    ):
        raw = read(name)
        for cut in range(len(raw)):
            pipe = open_pipe(name)
            try:
                sent = run(pipe, raw[:cut])
            except UpstreamCut:
                continue
            assert told_by(parsed_as_chunks(sent)) == STREAMS[name], (name, cut)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("openai_chat/error_in_band", 502),
        ("openai_responses/error_in_band", 502),
        ("openai_responses/failed", 429),
        ("anthropic/error_in_band", 529),
        ("gemini/error_in_band", 503),
    ],
)
def test_an_error_in_band_is_a_failure_that_may_be_retried(name: str, status: int) -> None:
    pipe = open_pipe(name)
    with pytest.raises(UpstreamRefused) as caught:
        pipe.feed(read(name))
    assert (caught.value.status, caught.value.can_retry) == (status, True)
    assert "sk-proj" not in caught.value.detail


def test_a_model_that_broke_off_is_a_failure() -> None:
    with pytest.raises(UpstreamInvalid):
        run(open_pipe("gemini/malformed_call"), read("gemini/malformed_call"))


@pytest.mark.parametrize("name", ["openai_chat/x", "openai_responses/x", "anthropic/x", "gemini/x"])
@pytest.mark.parametrize("raw", [b"data: {oops\n\n", b"data: \xff\xfe\n\n", b"data: hello\n\n"])
def test_what_cannot_be_read_is_a_failure(name: str, raw: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        open_pipe(name).feed(raw)


@pytest.mark.parametrize("name", ["openai_chat/x", "openai_responses/x", "anthropic/x", "gemini/x"])
@pytest.mark.parametrize("raw", [b"", b"\n", b"<html>busy</html>", b": hi\n\n"])
def test_a_stream_that_says_nothing_is_cut(name: str, raw: bytes) -> None:
    pipe = open_pipe(name)
    pipe.feed(raw)
    with pytest.raises(UpstreamCut):
        pipe.finish()
    assert not pipe.observed.content_started


def test_a_plain_error_body_in_place_of_a_stream_is_told() -> None:
    for name in ("openai_chat/x", "openai_responses/x", "anthropic/x", "gemini/x"):
        pipe = open_pipe(name)
        pipe.feed(b'{"error": {"message": "too fast", "type": "rate_limit_error", "code": 429}}')
        with pytest.raises(UpstreamRefused, match="too fast") as caught:
            pipe.finish()
        assert caught.value.status == 429


def test_content_starts_with_the_first_thing_a_caller_can_see() -> None:
    for name in ("openai_chat/text", "openai_responses/text", "anthropic/text", "gemini/tool_one"):
        pipe, seen = open_pipe(name), False
        for event in read(name).replace(b"\r\n", b"\n").split(b"\n\n"):
            before = pipe.observed.output_events
            pipe.feed(event + b"\n\n")
            seen = seen or pipe.observed.output_events > before
            assert pipe.observed.content_started == seen


@pytest.mark.parametrize(
    ("field", "said", "nothing"),
    [
        ("audio", {"id": "audio_1", "data": "UklG"}, {}),
        ("images", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}], []),
        ("reasoning_details", [{"type": "reasoning.encrypted", "data": "gAAA"}], []),
        ("thinking_blocks", [{"type": "thinking", "thinking": "Hm"}], []),
        ("function_call", {"name": "look", "arguments": ""}, None),
        ("annotations", [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}], []),
    ],
)
def test_a_delta_of_any_field_goes_on_at_once(field: str, said: Any, nothing: Any) -> None:
    def piece(value: Any) -> bytes:
        delta = {"role": "assistant", "content": "", "refusal": None, field: value}
        return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n"

    pipe = open_pipe("openai_chat/x")
    assert pipe.feed(piece(nothing)) and not pipe.observed.content_started
    assert pipe.feed(piece(said)) == piece(said)
    assert pipe.observed.content_started and pipe.observed.output_chars > 0


def test_chunks_of_unusual_types_are_relayed_and_counted() -> None:
    pipe = open_pipe("openai_chat/x", wants_usage=False)
    odd = (
        b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":"hm"}]}}]}\n\n'
        b'data:{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
        b"data: [DONE]\n\n"
    )
    sent = run(pipe, odd)
    assert [list(chunk) for chunk in chunks_of(sent)] == [["choices"], ["choices"]]
    assert pipe.observed.content_started and pipe.observed.output_chars > 0
    assert pipe.observed.usage is not None and pipe.observed.usage.input_tokens == 3


def test_all_candidates_must_finish() -> None:
    from proxy_app.formats.openai_chat.relay import Relay

    one = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    relay = Relay(CallFacts("m", stream=True, candidates=2))
    relay.feed(one)
    with pytest.raises(UpstreamCut):
        relay.finish()
    relay = Relay(CallFacts("m", stream=True, candidates=2))
    relay.feed(one + one.replace(b'"index":0', b'"index":1'))
    assert relay.finish() == b"data: [DONE]\n\n"


def test_a_stream_ended_by_us_gets_an_error_event_and_no_false_end() -> None:
    for name in ("openai_chat/text", "anthropic/text"):
        pipe = open_pipe(name)
        (event,) = Decoder().feed(pipe.error(CallStopped(), "req-1"))
        error = orjson.loads(event.data)["error"]
        assert error["code"] == "call_stopped" and error["message"].endswith("(request id: req-1)")


def test_signed_thoughts_and_calls_keep_their_signatures() -> None:
    deltas = [
        c["choices"][0]["delta"]
        for c in chunks_of(run(open_pipe("anthropic/x"), read("anthropic/reasoning")))
        if c["choices"]
    ]
    blocks = [block for delta in deltas for block in delta.get("thinking_blocks", ())]
    assert blocks == [
        {"index": 0, "type": "thinking", "thinking": "Think hard.", "signature": "c2lnbmF0dXJl"},
        {"index": 1, "type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
    ]
    sent = run(open_pipe("gemini/x"), read("gemini/tool_one"))
    assert b'"extra_content":{"google":{"thought_signature":"c2ln"}}' in sent
