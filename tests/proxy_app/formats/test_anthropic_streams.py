"""Every provider stream on its way to a caller of Anthropic Messages."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import CallStopped, UpstreamCut, UpstreamInvalid, UpstreamRefused
from proxy_app.formats.anthropic.relay import Relay
from proxy_app.formats.anthropic.rendering import Renderer
from proxy_app.formats.anthropic.stream import Parser
from proxy_app.formats.contract import RenderOptions
from proxy_app.sse import Decoder, encode
from proxy_app.wire import (
    CallFacts,
    Citation,
    CitationDelta,
    Finish,
    Finished,
    SignatureDelta,
    Started,
    StreamEvent,
    Terminated,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
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

OTHERS = [name for name in STREAMS if not name.startswith("anthropic/")]
OWN = [name for name in STREAMS if name.startswith("anthropic/")]
OPTIONS = RenderOptions("public-model", "msg_ours", 1_790_000_001, input_estimate=7)
DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set(),
}


def pipe_for(name: str) -> Any:
    return open_pipe(name, inbound="anthropic")


def events_of(sent: bytes) -> list[dict[str, Any]]:
    """The data of all events, each checked to bear its own name."""
    events = []
    for event in Decoder().feed(sent):
        data = orjson.loads(event.data)
        assert event.event == data["type"]
        events.append(data)
    return events


def check_grammar(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a whole stream, which must be of the documented grammar."""
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_delta") == 1
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in events[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not is_open and event["index"] == len(blocks)
                blocks.append({**event["content_block"], "deltas": []})
                is_open = True
            case "content_block_delta":
                assert is_open and event["index"] == len(blocks) - 1
                assert event["delta"]["type"] in DELTAS[blocks[-1]["type"]]
                blocks[-1]["deltas"].append(event["delta"])
            case "content_block_stop":
                assert is_open and event["index"] == len(blocks) - 1
                is_open = False
            case "ping":
                pass
            case other:
                raise AssertionError(other)
    assert not is_open
    for block in blocks:
        signed = [delta["type"] for delta in block["deltas"]].count("signature_delta")
        assert signed == (block["type"] == "thinking")
        assert not signed or block["deltas"][-1]["type"] == "signature_delta"
    return blocks


def told_by(sent: bytes) -> Told:
    events = events_of(sent)
    blocks = check_grammar(events)
    stop = events[-2]["delta"]
    joined = {"text": "", "thinking": ""}
    for block in blocks:
        if block["type"] in joined:
            pieces = [delta.get(block["type"], "") for delta in block["deltas"]]
            joined[block["type"]] += "".join(pieces)
    calls = [
        (b["id"], b["name"], orjson.loads("".join(d["partial_json"] for d in b["deltas"]) or "{}"))
        for b in blocks
        if b["type"] == "tool_use"
    ]
    refusal = (stop.get("stop_details") or {}).get("explanation") or ""
    finish = {"tool_use": Finish.TOOL_CALLS, "max_tokens": Finish.LENGTH, "refusal": Finish.CONTENT_FILTER}
    reason = finish.get(stop["stop_reason"], Finish.STOP)
    return Told(joined["text"], joined["thinking"], refusal, calls, reason)


@pytest.mark.parametrize("name", OTHERS)
def test_a_translated_stream_says_what_the_provider_said(name: str) -> None:
    pipe = pipe_for(name)
    sent = run(pipe, read(name))
    wanted = STREAMS[name]
    if wanted.refusal:  # a refusal is what the caller reads, and the reason why it stopped
        wanted = Told(wanted.refusal, refusal=wanted.refusal, finish=Finish.CONTENT_FILTER)
    assert told_by(sent) == wanted
    assert pipe.observed.ended and pipe.observed.finish is STREAMS[name].finish


@pytest.mark.parametrize("name", OTHERS)
def test_the_message_begins_with_an_estimate_and_ends_with_the_true_usage(name: str) -> None:
    pipe = pipe_for(name)
    events = events_of(run(pipe, read(name)))
    message = events[0]["message"]
    assert (message["model"], message["role"], message["content"]) == ("public-model", "assistant", [])
    assert message["id"] and message["stop_reason"] is None
    assert message["usage"]["input_tokens"] == 7 or name.startswith("gemini/")
    if name in WITHOUT_FULL_USAGE:
        return
    usage, known = events[-2]["usage"], expected_usage(name)
    assert pipe.observed.usage == known
    fresh = 1200 - 1024 - (known.cache_write_tokens or 0)
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (fresh, 1024)
    assert usage["cache_creation_input_tokens"] == (known.cache_write_tokens or 0)
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (48, {"thinking_tokens": 32})


def test_a_stream_whose_usage_is_unknown_ends_with_the_estimate_it_began_with() -> None:
    events = events_of(render(TextDelta("a"), Terminated()))
    assert events[0]["message"]["usage"]["input_tokens"] == 7
    told = {name: count for name, count in events[-2]["usage"].items() if count}
    assert told == {"input_tokens": 7}


@pytest.mark.parametrize("name", OWN)
def test_the_same_format_is_relayed_byte_for_byte(name: str) -> None:
    pipe = pipe_for(name)
    assert run(pipe, read(name)) == read(name)
    observed = pipe.observed
    assert (observed.usage, observed.finish) == (expected_usage(name), STREAMS[name].finish)
    assert (observed.upstream_id, observed.served_model) == ("msg_F1", "claude-opus-5-20260724")
    wanted = STREAMS[name]
    arguments = sum(len(orjson.dumps(call[2])) for call in wanted.calls)
    assert observed.ended and observed.content_started
    assert observed.output_chars >= len(wanted.text) + len(wanted.thoughts) + arguments * 0.8


@pytest.mark.parametrize("name", OWN)
def test_a_relay_observes_what_a_translation_does(name: str) -> None:
    relay, translation = pipe_for(name), open_pipe(name)
    run(relay, read(name))
    run(translation, read(name))
    for field in ("usage", "finish", "ended", "content_started", "upstream_id", "served_model"):
        assert getattr(relay.observed, field) == getattr(translation.observed, field)


UNKNOWN = (
    b": a comment\n\n"
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m1","new":1.10},'
    b'"x":{"a":1,"a":2}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"novel"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"novel_delta","n":12345678901234567890123}}\n\n'
    b'id: 7\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":["odd"]}}\n\n'
    b"event: bare\n\n"
    b'event: brand_new\ndata: {"type":"brand_new"}\nretry: 5\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"novel_reason"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def test_unknown_events_blocks_deltas_and_fields_keep_their_bytes() -> None:
    pipe = pipe_for("anthropic/x")
    assert run(pipe, UNKNOWN) == UNKNOWN
    assert pipe.observed.output_events == 2 and pipe.observed.content_started
    for cut in range(len(UNKNOWN)):
        assert run(pipe_for("anthropic/x"), UNKNOWN[:cut], UNKNOWN[cut:]) == UNKNOWN


def test_nothing_passes_after_the_end_and_no_other_formats_terminator() -> None:
    name = "anthropic/text"
    after = b'event: message_delta\ndata: {"type":"message_delta"}\n\ndata: [DONE]\n\n'
    assert run(pipe_for(name), read(name) + after) == read(name)
    assert run(pipe_for(name), b"data: [DONE]\n\n" + read(name)) == read(name)


def test_an_event_without_its_name_is_given_it() -> None:
    name = "anthropic/tool_three"
    bare = b"\n\n".join(block.split(b"\n", 1)[1] for block in read(name).strip().split(b"\n\n")) + b"\n\n"
    assert told_by(run(pipe_for(name), bare)) == STREAMS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_the_same_wherever_its_bytes_are_cut(name: str) -> None:
    raw, whole = read(name), pipe_for(name)
    sent = run(whole, raw)
    for cut in range(len(raw)):
        pipe = pipe_for(name)
        assert run(pipe, raw[:cut], raw[cut:]) == sent, cut
        assert pipe.observed == whole.observed, cut
    pipe = pipe_for(name)
    assert run(pipe, *(raw[at : at + 1] for at in range(len(raw)))) == sent


@pytest.mark.parametrize(
    "name",
    ["openai_chat/truncated", "anthropic/truncated", "anthropic/truncated_after_finish", "gemini/truncated"],
)
def test_a_truncated_stream_has_no_false_end(name: str) -> None:
    pipe = pipe_for(name)
    sent = pipe.feed(read(name))
    with pytest.raises(UpstreamCut):
        pipe.finish()
    assert b"message_stop" not in sent and not pipe.observed.ended
    assert b"message_delta" not in sent or name == "anthropic/truncated_after_finish"
    (event,) = events_of(pipe.error(CallStopped(), "req-1"))
    assert event["type"] == "error" and event["request_id"] == "req-1"


def test_a_stream_cut_at_any_byte_is_cut_or_whole_but_never_silently_short() -> None:
    for name in ("openai_chat/tool_three", "anthropic/tool_three", "gemini/tool_three"):
        raw = read(name)
        for cut in range(len(raw)):
            pipe = pipe_for(name)
            try:
                sent = run(pipe, raw[:cut])
            except UpstreamCut:
                continue
            assert told_by(sent) == STREAMS[name], (name, cut)


@pytest.mark.parametrize(
    ("name", "status"),
    [("openai_chat/error_in_band", 502), ("anthropic/error_in_band", 529), ("gemini/error_in_band", 503)],
)
def test_an_error_in_band_is_a_failure_that_may_be_retried(name: str, status: int) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        pipe_for(name).feed(read(name))
    assert (caught.value.status, caught.value.can_retry) == (status, True)


@pytest.mark.parametrize("raw", [b"data: {oops\n\n", b"event: x\ndata: \xff\xfe\n\n", b"data: hello\n\n"])
def test_what_cannot_be_read_is_a_failure(raw: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        pipe_for("anthropic/x").feed(raw)


def test_a_plain_error_body_in_place_of_a_stream_is_told() -> None:
    pipe = pipe_for("anthropic/x")
    pipe.feed(b'{"type":"error","error":{"type":"rate_limit_error","message":"too fast"}}')
    with pytest.raises(UpstreamRefused, match="too fast") as caught:
        pipe.finish()
    assert caught.value.status == 429


@pytest.mark.parametrize("name", ["anthropic/text", "openai_chat/reasoning", "gemini/tool_one"])
def test_content_starts_with_the_first_thing_a_caller_can_see(name: str) -> None:
    """Until then the call may still go to another provider, so a start alone is none."""
    pipe, seen = pipe_for(name), False
    for event in read(name).replace(b"\r\n", b"\n").split(b"\n\n"):
        before = pipe.observed.output_events
        pipe.feed(event + b"\n\n")
        seen = seen or pipe.observed.output_events > before
        assert pipe.observed.content_started == seen


def render(*events: StreamEvent) -> bytes:
    renderer = Renderer(OPTIONS)
    return b"".join([renderer.feed(event) for event in events])


def call(index: int, *fragments: str) -> list[StreamEvent]:
    return [
        ToolCallStarted(index, f"toolu_{index}", f"tool{index}"),
        *(ToolCallDelta(index, one) for one in fragments),
    ]


def test_calls_in_sequence_are_sent_as_they_come() -> None:
    renderer = Renderer(OPTIONS)
    for event in [*call(0, '{"a"', ":1}"), *call(1, "{}")]:
        assert renderer.feed(event), event


def test_calls_that_interleave_are_put_in_sequence() -> None:
    a, b, c = call(0, '{"x":', '"}"', "}"), call(1, '{"y"', ":2}"), call(2)
    mixed = [a[0], a[1], b[0], c[0], b[1], a[2], TextDelta("then"), b[2], a[3]]
    assert told_by(render(*mixed, Terminated())) == Told(
        "then",
        calls=[
            ("toolu_0", "tool0", {"x": "}"}),
            ("toolu_1", "tool1", {"y": 2}),
            ("toolu_2", "tool2", {}),
        ],
        finish=Finish.TOOL_CALLS,
    )


@given(st.data())
def test_calls_may_come_in_any_mixture(data: st.DataObject) -> None:
    objects = data.draw(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9)), max_size=4))
    queues: list[list[StreamEvent]] = []
    for index, arguments in enumerate(objects):
        text = orjson.dumps(arguments).decode()
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        bounds = [0, *cuts, len(text)]
        queues.append(call(index, *(text[a:b] for a, b in pairwise(bounds))))
    mixed: list[StreamEvent] = [Started("id", "m"), ThinkingDelta("hm")]
    begun = 0
    while any(queues):
        ready = [n for n, queue in enumerate(queues) if queue and n <= begun]
        chosen = data.draw(st.sampled_from(ready))
        begun = max(begun, chosen + 1)
        mixed.append(queues[chosen].pop(0))
    sent = render(*mixed, Finished(Finish.STOP), Terminated())
    calls = [(f"toolu_{n}", f"tool{n}", arguments) for n, arguments in enumerate(objects)]
    finish = Finish.TOOL_CALLS if objects else Finish.STOP
    assert told_by(sent) == Told("", "hm", calls=calls, finish=finish)


def test_a_call_that_goes_on_after_its_end_is_no_answer() -> None:
    with pytest.raises(UpstreamInvalid):
        render(*call(0, "{}"), *call(1, "{}"), ToolCallDelta(0, "{}"))
    with pytest.raises(UpstreamInvalid):
        render(*call(0, "{}"), *call(1, "{"), ToolCallDelta(0, "{}"), Terminated())


def blocks_of(*events: StreamEvent) -> list[dict[str, Any]]:
    return check_grammar(events_of(render(*events, Terminated())))


def test_thoughts_are_signed_by_whoever_signed_them() -> None:
    blocks = blocks_of(
        ThinkingDelta("a"),
        SignatureDelta("s1", provider="anthropic"),
        SignatureDelta("s2", provider="openai"),
        ThinkingDelta("b"),
        TextDelta("t"),
        SignatureDelta("r1", redacted=True, provider="anthropic"),
        SignatureDelta("r2", redacted=True, provider="openai"),
    )
    assert [block["type"] for block in blocks] == [
        "thinking",
        "thinking",
        "thinking",
        "text",
        "redacted_thinking",
        "redacted_thinking",
    ]
    seals = [block["deltas"][-1]["signature"] for block in blocks[:3]]
    assert seals == ["s1", "gatehouse.openai.s2", "gatehouse.unsigned."]
    assert blocks[1]["deltas"][:-1] == []  # a thought without words is a block all the same
    assert [block["data"] for block in blocks[4:]] == ["r1", "gatehouse.openai+redacted.r2"]


def test_citations_stand_with_their_text() -> None:
    cited = CitationDelta(Citation("https://x.test", "X", "words"))
    (block,) = blocks_of(TextDelta("a"), cited, TextDelta("b"))
    assert [delta["type"] for delta in block["deltas"]] == ["text_delta", "citations_delta", "text_delta"]
    assert block["deltas"][1]["citation"]["url"] == "https://x.test"
    assert [b["type"] for b in blocks_of(*call(0, "{}"), cited)] == ["tool_use", "text"]
    events = [encode(orjson.dumps({"type": "content_block_delta", "index": 0, "delta": block["deltas"][1]}))]
    (event,) = Parser().feed(Decoder().feed(events[0])[0])
    assert event == cited


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, "end_turn"),
        (Finish.LENGTH, "max_tokens"),
        (Finish.CONTENT_FILTER, "refusal"),
        (Finish.PAUSE, "pause_turn"),
        (Finish.TOOL_CALLS, "end_turn"),
    ],
)
def test_why_it_stopped(finish: Finish, reason: str) -> None:
    told = events_of(render(Finished(finish), Terminated()))[-2]["delta"]
    assert told["stop_reason"] == reason
    assert (told["stop_details"] is not None) == (reason == "refusal")


def test_a_stop_sequence_is_named() -> None:
    told = events_of(render(TextDelta("a"), Finished(Finish.STOP_SEQUENCE, "END"), Terminated()))[-2]["delta"]
    assert (told["stop_reason"], told["stop_sequence"]) == ("stop_sequence", "END")


def test_usage_told_before_the_first_content_stands_in_the_start() -> None:
    sent = render(Started("msg_1", "m"), UsageReported(Usage(30, 10)), TextDelta("a"), Terminated())
    usage = events_of(sent)[0]["message"]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (20, 10)


def test_the_keep_alive_is_a_ping_that_a_relay_lets_pass() -> None:
    from proxy_app.formats import exchange

    ping = exchange.keep_alive("anthropic")
    assert events_of(ping) == [{"type": "ping"}]
    relay = Relay(CallFacts("m", True))
    assert relay.feed(ping) == ping and not relay.observed.content_started
