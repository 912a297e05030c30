"""JSON that only strict decoders refuse: texts cut within a character, numbers that are none."""

import json
from typing import Any

import orjson
import pytest

from gateway_project.errors import UpstreamFailed, UpstreamInvalid
from proxy_app.event_stream import EventMessage, to_sse
from proxy_app.formats import exchange
from proxy_app.formats.lenient import Halves, load, marked, mended
from proxy_app.formats.registry import INBOUND
from proxy_app.sse import Decoder
from proxy_app.wire import (
    CallFacts,
    Finish,
    Finished,
    Started,
    StreamEvent,
    Target,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from tests.proxy_app.formats.wire_bytes import OPTIONS, open_pipe, run

WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")
PAIRS = [(wire, caller) for wire in WIRES for caller in WIRES if wire != caller]
WAVE = "👋"
HIGH, LOW = "\ud83d", "\udc4b"
DONE = b"data: [DONE]\n\n"


def dumped(body: Any, name: str = "") -> bytes:
    """An event with halves escaped, as servers in JavaScript write them."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(body).encode() + b"\n\n"


def chat(*texts: str, field: str = "content") -> bytes:
    said = [{"id": "c", "choices": [{"index": 0, "delta": {field: text}}]} for text in texts]
    end = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return b"".join(map(dumped, [*said, end])) + DONE


def claude(*texts: str, kind: str = "text") -> bytes:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": kind, kind: ""}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", kind: text}}
        for text in texts
    ]
    events = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}},
        block,
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return b"".join(dumped(event, str(event["type"])) for event in events)


def responses(*texts: str) -> bytes:
    said = [{"type": "response.output_text.delta", "output_index": 0, "delta": text} for text in texts]
    content = [{"type": "output_text", "text": "".join(texts)}]
    whole = {"id": "r", "status": "completed", "output": [{"type": "message", "content": content}]}
    events = [
        {"type": "response.created", "response": {"id": "r"}},
        *said,
        {"type": "response.completed", "response": whole},
    ]
    return b"".join(dumped(event, str(event["type"])) for event in events)


def gemini(*texts: str) -> bytes:
    said = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in texts]
    return b"".join(map(dumped, [*said, {"candidates": [{"finishReason": "STOP"}]}]))


STREAMS = {"openai_chat": chat, "anthropic": claude, "openai_responses": responses, "gemini": gemini}


def text_in(caller: str, sent: bytes) -> str:
    said = ""
    for event in Decoder().feed(sent):
        if event.data == b"[DONE]":
            continue
        told = orjson.loads(event.data)  # strict: no half goes on
        match caller:
            case "openai_chat":
                said += "".join(each["delta"].get("content") or "" for each in told["choices"])
            case "openai_responses":
                said += told["delta"] if told["type"] == "response.output_text.delta" else ""
            case "anthropic":
                said += told["delta"].get("text", "") if told["type"] == "content_block_delta" else ""
            case _:
                parts = [part for each in told["candidates"] for part in each["content"].get("parts", ())]
                said += "".join(part.get("text", "") for part in parts)
    return said


TEXTS = {
    "cut": (["Hi " + HIGH, LOW + WAVE + HIGH, LOW + "!"], f"Hi {WAVE * 3}!"),
    "alone": (["Hi", HIGH, LOW, "!"], f"Hi{WAVE}!"),
    "never": (["Hi" + HIGH, "you", LOW + "!", HIGH], "Hi\ufffdyou\ufffd!\ufffd"),
    "twice": (["Hi" + HIGH, HIGH, LOW], f"Hi\ufffd{WAVE}"),
    "within": (["a" + HIGH + "b" + LOW + "c", "d"], "a\ufffdb\ufffdcd"),
}
every_pair = pytest.mark.parametrize(("wire", "caller"), PAIRS)
every_text = pytest.mark.parametrize("kind", TEXTS)


@every_pair
@every_text
def test_a_translated_text_that_is_cut_within_a_character_comes_whole(
    wire: str, caller: str, kind: str
) -> None:
    texts, wanted = TEXTS[kind]
    raw = STREAMS[wire](*texts)
    for cut in range(0, len(raw), 13):
        pipe = open_pipe(f"{wire}/x", inbound=caller)
        assert text_in(caller, run(pipe, raw[:cut], raw[cut:])) == wanted
        assert pipe.observed.ended and pipe.observed.output_chars == len(wanted)


@pytest.mark.parametrize("wire", WIRES)
@every_text
def test_a_relayed_text_that_is_cut_within_a_character_passes_as_it_came(wire: str, kind: str) -> None:
    raw = STREAMS[wire](*TEXTS[kind][0])
    for cut in range(0, len(raw), 3):
        pipe = open_pipe(f"{wire}/x", inbound=wire)
        assert run(pipe, raw[:cut], raw[cut:]) == raw, cut
        assert pipe.observed.ended and pipe.observed.finish is Finish.STOP and pipe.observed.output_chars > 1


def test_thoughts_that_are_cut_within_a_character_come_whole() -> None:
    for raw in (chat("a" + HIGH, LOW, field="reasoning_content"), claude("a" + HIGH, LOW, kind="thinking")):
        wire = "openai_chat" if raw.startswith(b"data") else "anthropic"
        for caller in {*WIRES} - {wire}:
            sent = run(open_pipe(f"{wire}/x", inbound=caller), raw)
            assert WAVE.encode() in sent and b"\xef\xbf\xbd" not in sent


ALSO = {
    "openai_chat": {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": [float("-inf")]}]},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "a"}]}, "avgLogprobs": float("nan")}]},
    "anthropic": {
        "type": "content_block_start",
        "content_block": {"type": "text", "text": "a"},
        "x": float("nan"),
    },
    "openai_responses": {"type": "response.output_text.delta", "delta": "a", "logprobs": [float("-inf")]},
}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("caller", WIRES)
def test_a_number_that_is_none_costs_nobody_the_stream(wire: str, caller: str) -> None:
    odd = dumped(ALSO[wire], str(ALSO[wire].get("type", "")))
    raw = odd + STREAMS[wire]("b")
    sent = run(open_pipe(f"{wire}/x", inbound=caller), raw)
    assert sent == raw if wire == caller else text_in(caller, sent) == "ab"


def test_usage_not_asked_for_is_taken_out_of_a_chunk_that_is_cut_within_a_character() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    body = {"choices": [{"index": 0, "delta": {"content": HIGH}, "finish_reason": "stop"}], "usage": usage}
    for odd in (body, body | {"choices": [body["choices"][0] | {"delta": {"content": [{"text": HIGH}]}}]}):
        pipe = open_pipe("openai_chat/x", wants_usage=False)
        sent = run(pipe, dumped(odd) + DONE)
        (event, _) = Decoder().feed(sent)
        assert "usage" not in orjson.loads(event.data)
        assert pipe.observed.usage is not None and pipe.observed.usage.input_tokens == 3


WHOLE: dict[str, Any] = {
    "openai_chat": {"choices": [{"message": {"content": "a" + HIGH}, "finish_reason": "stop"}]},
    "openai_responses": {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "a" + HIGH}]}],
    },
    "anthropic": {"content": [{"type": "text", "text": "a" + HIGH}], "stop_reason": "end_turn"},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "a" + HIGH}]}, "finishReason": "STOP"}]},
}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("caller", INBOUND)
def test_a_whole_answer_with_half_a_character_is_an_answer(wire: str, caller: str) -> None:
    raw = json.dumps(WHOLE[wire] | {"odd": float("nan")}).encode()
    sent, observed = exchange.convert_answer(caller, Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    assert sent == raw if wire == caller else "a\ufffd" in sent.decode()
    assert observed.output_chars == 2 and observed.finish is Finish.STOP


@pytest.mark.parametrize("raw", [b'{"a": "\xff"}', b"{oops", b"", b'{"a": "\\ud83"}', b"[" * 5000])
def test_what_is_no_json_stays_none(raw: bytes) -> None:
    assert mended(raw) is None and marked(raw) is None
    with pytest.raises(orjson.JSONDecodeError):
        load(raw)
    with pytest.raises(UpstreamFailed):
        exchange.convert_answer("openai_chat", Target("openai_chat", "m"), raw, CallFacts("m"), OPTIONS)


def test_what_strict_decoders_take_is_never_read_again() -> None:
    assert mended('{"a": "👋", "b": "\\ud83d\\udc4b"}'.encode()) is None
    assert load(b'{"n": NaN, "i": 123456789012345678901234567890, "\\ud83d": "\\udc4b"}') == {
        "n": None,
        "i": 123456789012345678901234567890.0,
        "\ufffd": "\ufffd",
    }


def told_by(*events: StreamEvent) -> list[StreamEvent]:
    """What comes of events whose halves are marked as a body's are."""
    for event in events:
        for name in ("text", "fragment", "id", "name"):
            if isinstance(value := getattr(event, name, None), str):
                written = marked(json.dumps(value).encode())
                setattr(event, name, value if written is None else orjson.loads(written))
    return list(Halves().feed(events))


def test_halves_of_calls_that_take_turns_find_each_other() -> None:
    told = told_by(
        ToolCallStarted(0, "a" + HIGH, "f"),
        ToolCallDelta(0, "x" + HIGH),
        ToolCallStarted(1, "b", "g"),
        ToolCallDelta(1, "y" + HIGH),
        ToolCallDelta(0, LOW),
        ToolCallDelta(1, "z"),
        Finished(Finish.TOOL_CALLS),
    )
    assert told == [
        ToolCallStarted(0, "a\ufffd", "f"),
        ToolCallDelta(0, "x"),
        ToolCallStarted(1, "b", "g"),
        ToolCallDelta(1, "y"),
        ToolCallDelta(0, WAVE),
        ToolCallDelta(1, "\ufffdz"),
        Finished(Finish.TOOL_CALLS),
    ]


def test_half_a_character_waits_for_usage_and_for_nothing_else() -> None:
    usage = UsageReported(Usage(1))
    assert told_by(TextDelta(HIGH), Started("a", "m"), usage, TextDelta(LOW)) == [
        Started("a", "m"),
        usage,
        TextDelta(WAVE),
    ]
    assert told_by(TextDelta(HIGH), ThinkingDelta(LOW), ToolCallDelta(0, "{"), Finished(Finish.STOP)) == [
        TextDelta("\ufffd"),
        ThinkingDelta("\ufffd"),
        ToolCallDelta(0, "{"),
        Finished(Finish.STOP),
    ]


def test_a_clouds_event_with_half_a_character_is_passed_on() -> None:
    import base64

    inner = json.dumps({"type": "x", "text": HIGH}).encode()
    payload = orjson.dumps({"bytes": base64.b64encode(inner).decode()})
    assert to_sse(EventMessage({":event-type": "chunk"}, payload)) == b"event: x\ndata: " + inner + b"\n\n"


def test_a_relay_still_refuses_what_is_no_json() -> None:
    for wire in WIRES:
        with pytest.raises(UpstreamInvalid):
            open_pipe(f"{wire}/x", inbound=wire).feed(b'data: {"a": "\\ud83d}\n\n')
