"""Every provider stream on its way to a Gemini caller, and Gemini's own on their way to others."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import CallStopped, UpstreamCut, UpstreamInvalid, UpstreamRefused
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.relay import Relay
from proxy_app.formats.gemini.rendering import Renderer
from proxy_app.formats.gemini.signatures import UNSIGNED
from proxy_app.formats.gemini.stream import Parser
from proxy_app.sse import Decoder
from proxy_app.wire import (
    CallFacts,
    Citation,
    CitationDelta,
    Finish,
    Finished,
    RefusalDelta,
    SignatureDelta,
    Started,
    StreamEvent,
    Target,
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
    read,
    run,
)

OTHERS = [name for name in STREAMS if not name.startswith("gemini/")]
OWN = [name for name in STREAMS if name.startswith("gemini/")]
OPTIONS = RenderOptions("public-model", "resp-ours", 1_790_000_001)
FINISHES = {"MAX_TOKENS": Finish.LENGTH, "SAFETY": Finish.CONTENT_FILTER}


def pipe_for(name: str, framing: str = "sse", candidates: int = 1) -> Any:
    facts = CallFacts("m", True, wants_usage=True, framing=framing, candidates=candidates)
    options = RenderOptions("public-model", "resp-ours", 1_790_000_001, framing=framing)
    return exchange.open_pipe("gemini", Target(name.partition("/")[0], "up"), facts, options)


def as_sent(name: str) -> bytes:
    """A provider's bytes as a relay passes them on: line ends are LF, in JSON escaped."""
    return read(name).replace(b"\r\n", b"\n").replace("\u2028".encode(), b"\\u2028")


def pieces_of(sent: bytes) -> list[dict[str, Any]]:
    """The pieces of server-sent events, each checked to be one plain line of data."""
    for block in sent.split(b"\n\n")[:-1]:
        assert block.startswith(b"data: {") and len(block.decode().splitlines()) == 1, block
    return [orjson.loads(event.data) for event in Decoder().feed(sent)]


def told_by(pieces: list[dict[str, Any]]) -> Told:
    text, thoughts, calls, finish = "", "", [], None
    for piece in pieces:
        assert finish is None, "nothing comes after the reason"
        if piece.get("promptFeedback"):
            return Told(finish=Finish.CONTENT_FILTER)
        (candidate,) = piece["candidates"]
        for part in candidate["content"]["parts"]:
            call = part.get("functionCall")
            if call:
                calls.append((call["id"], call["name"], call["args"]))
            elif part.get("thought"):
                thoughts += part["text"]
            else:
                text += part["text"]
        finish = candidate.get("finishReason")
    assert finish is not None
    ended = Finish.TOOL_CALLS if calls and finish == "STOP" else FINISHES.get(finish, Finish.STOP)
    refusal = pieces[-1]["candidates"][0].get("finishMessage", "")
    return Told(text, thoughts, refusal, calls, ended)


def wanted_of(name: str) -> Told:
    wanted = STREAMS[name]
    if wanted.refusal:  # a refusal is what the caller reads, and the reason why it stopped
        return Told(wanted.refusal, refusal=wanted.refusal, finish=Finish.CONTENT_FILTER)
    finish = Finish.STOP if wanted.finish is Finish.STOP_SEQUENCE else wanted.finish
    return Told(wanted.text, wanted.thoughts, "", wanted.calls, finish)


@pytest.mark.parametrize("name", OTHERS)
def test_a_translated_stream_says_what_the_provider_said(name: str) -> None:
    pipe = pipe_for(name)
    pieces = pieces_of(run(pipe, read(name)))
    assert told_by(pieces) == wanted_of(name)
    assert pipe.observed.ended and pipe.observed.finish is STREAMS[name].finish
    assert {piece["modelVersion"] for piece in pieces} == {"public-model"}
    assert len({piece["responseId"] for piece in pieces}) == 1
    assert all(piece["candidates"][0]["content"]["parts"] for piece in pieces)


@pytest.mark.parametrize("name", OTHERS)
def test_the_last_piece_has_the_usage(name: str) -> None:
    pieces = pieces_of(run(pipe_for(name), read(name)))
    assert all("usageMetadata" not in piece for piece in pieces[:-1])
    if name in WITHOUT_FULL_USAGE:
        assert "usageMetadata" not in pieces[-1]
        return
    usage, known = pieces[-1]["usageMetadata"], expected_usage(name)
    assert usage["promptTokenCount"] == known.input_tokens
    assert usage["candidatesTokenCount"] + usage["thoughtsTokenCount"] == known.output_tokens
    assert (usage["cachedContentTokenCount"], usage["thoughtsTokenCount"]) == (1024, 32)
    assert usage["totalTokenCount"] == 1248


@pytest.mark.parametrize("name", STREAMS)
def test_without_alt_sse_the_same_pieces_are_one_array(name: str) -> None:
    sent = run(pipe_for(name, "array"), read(name))
    assert orjson.loads(sent) == pieces_of(run(pipe_for(name), read(name)))
    assert sent.startswith(b"[{") and sent.endswith(b"}\r\n]")


@pytest.mark.parametrize("name", OWN)
def test_the_same_format_is_relayed_byte_for_byte(name: str) -> None:
    pipe = pipe_for(name)
    assert run(pipe, read(name)) == as_sent(name)
    observed = pipe.observed
    if name not in WITHOUT_FULL_USAGE:
        assert observed.usage == expected_usage(name)
    assert observed.finish is STREAMS[name].finish
    assert (observed.upstream_id, observed.served_model) == ("rF1", "gemini-2.5-flash")
    wanted = STREAMS[name]
    arguments = sum(len(orjson.dumps(call[2])) for call in wanted.calls)
    assert observed.ended and observed.content_started
    assert observed.output_chars >= len(wanted.text) + len(wanted.thoughts) + arguments * 0.8


UNKNOWN = (
    b'data: {"candidates":[{"content":{"parts":[{"novel":{"n":12345678901234567890123}}]},"x":1.10}],'
    b'"a":{"b":1,"b":2},"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}}\n\n'
    b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"args":'
    b'{"n":12345678901234567890123}}}]}}]}\n\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":["odd"]}]},"finishReason":"BRAND_NEW"}]}\n\n'
    b'data: {"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"promptTokensDetails":'
    b'[{"modality":"AUDIO","tokenCount":2}]}}\n\n'
)


def test_unknown_fields_keep_their_bytes_and_the_last_usage_counts() -> None:
    for cut in range(len(UNKNOWN)):
        pipe = pipe_for("gemini/x")
        assert run(pipe, UNKNOWN[:cut], UNKNOWN[cut:]) == UNKNOWN
        assert pipe.observed.usage == Usage(5, output_tokens=7, input_audio_tokens=2)
        assert (pipe.observed.output_events, pipe.observed.finish) == (3, Finish.TOOL_CALLS)


def test_what_the_sdk_cannot_read_is_left_out() -> None:
    name = "gemini/tool_three"
    noisy = b": ping\n\nevent: x\n\n" + as_sent(name).replace(b"data: ", b"event: message\nid: 1\ndata:")
    assert run(pipe_for(name), noisy.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n") == as_sent(name)
    first, rest = as_sent(name).split(b"\n\n", 1)
    lines = first.replace(b'"parts"', b'\ndata: "parts"') + b"\n\n"
    assert pieces_of(run(pipe_for(name), lines + rest)) == pieces_of(as_sent(name))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("framing", ["sse", "array"])
def test_a_stream_is_the_same_wherever_its_bytes_are_cut(name: str, framing: str) -> None:
    raw, whole = read(name), pipe_for(name, framing)
    sent = run(whole, raw)
    for cut in range(len(raw)):
        pipe = pipe_for(name, framing)
        assert run(pipe, raw[:cut], raw[cut:]) == sent, cut
        assert pipe.observed == whole.observed, cut
    pipe = pipe_for(name, framing)
    assert run(pipe, *(raw[at : at + 1] for at in range(len(raw)))) == sent


@pytest.mark.parametrize("framing", ["sse", "array"])
@pytest.mark.parametrize(
    "name", ["openai_chat/truncated", "openai_responses/truncated", "anthropic/truncated", "gemini/truncated"]
)
def test_a_truncated_stream_has_no_false_end(name: str, framing: str) -> None:
    pipe = pipe_for(name, framing)
    sent = pipe.feed(read(name))
    with pytest.raises(UpstreamCut):
        pipe.finish()
    assert b"finishReason" not in sent and not pipe.observed.ended
    ended = pipe.error(CallStopped(), "req-1")
    if framing == "array":
        *_, last = orjson.loads(sent + ended)
    else:
        (last,) = pieces_of(ended)
    assert next(iter(last)) == "error" and "req-1" in last["error"]["message"]


def test_an_error_before_any_piece_is_an_array_too() -> None:
    for name in ("gemini/x", "openai_chat/x"):
        (only,) = orjson.loads(pipe_for(name, "array").error(CallStopped(), "r"))
        assert only["error"]["status"]


def test_a_stream_cut_at_any_byte_is_cut_or_whole_but_never_silently_short() -> None:
    for name in ("openai_chat/tool_three", "anthropic/tool_three", "gemini/tool_three"):
        raw = read(name)
        for cut in range(len(raw)):
            pipe = pipe_for(name)
            try:
                sent = run(pipe, raw[:cut])
            except UpstreamCut:
                continue
            if name.startswith("gemini/"):
                assert sent == as_sent(name)
            else:
                assert told_by(pieces_of(sent)) == wanted_of(name), (name, cut)


def test_every_candidate_must_have_ended() -> None:
    two = b'data: {"candidates":[{"index":0,"finishReason":"STOP"},{"index":1,"content":{}}]}\n\n'
    pipe = pipe_for("gemini/x", candidates=2)
    pipe.feed(two)
    with pytest.raises(UpstreamCut):
        pipe.finish()
    last = b'data: {"candidates":[{"index":1,"finishReason":"MAX_TOKENS"}]}\n\n'
    pipe = pipe_for("gemini/x", candidates=2)
    assert run(pipe, two, last) == two + last and pipe.observed.finish is Finish.STOP


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
        pipe_for("gemini/x").feed(raw)


@pytest.mark.parametrize("form", ["%s", "[%s]", "[ %s\n]"])
def test_a_plain_error_body_in_place_of_a_stream_is_told(form: str) -> None:
    pipe = pipe_for("gemini/x")
    body = '{"error":{"code":429,"message":"too fast",\n"status":"RESOURCE_EXHAUSTED"}}'
    with pytest.raises(UpstreamRefused, match="too fast") as caught:
        pipe.feed((form % body).encode())
        pipe.finish()
    assert caught.value.status == 429


@pytest.mark.parametrize("name", ["gemini/text", "openai_chat/reasoning", "anthropic/tool_one"])
def test_content_starts_with_the_first_thing_a_caller_can_see(name: str) -> None:
    pipe = pipe_for(name)
    for event in read(name).replace(b"\r\n", b"\n").split(b"\n\n"):
        before = pipe.observed.output_events
        pipe.feed(event + b"\n\n")
        if pipe.observed.output_events > before:
            break
        assert not pipe.observed.content_started or name == "anthropic/tool_one"
    assert pipe.observed.content_started


# ------------------------------------------------------------------ our events as pieces


def render(*events: StreamEvent) -> bytes:
    renderer = Renderer(OPTIONS)
    return b"".join([renderer.feed(event) for event in events])


def parts_of(*events: StreamEvent) -> list[dict[str, Any]]:
    pieces = pieces_of(render(*events, Terminated()))
    return [part for piece in pieces for part in piece["candidates"][0]["content"]["parts"]][:-1]


def call(index: int, *fragments: str) -> list[StreamEvent]:
    pieces = [ToolCallDelta(index, one) for one in fragments]
    return [ToolCallStarted(index, f"c{index}", f"tool{index}"), *pieces]


def test_a_call_is_sent_whole_when_the_next_thing_comes() -> None:
    renderer = Renderer(OPTIONS)
    for event in call(0, '{"a"', ":1}"):
        assert renderer.feed(event) == b""
    (piece,) = pieces_of(renderer.feed(ToolCallStarted(1, "c1", "tool1")))
    assert piece["candidates"][0]["content"]["parts"] == [
        {"functionCall": {"id": "c0", "name": "tool0", "args": {"a": 1}}, "thoughtSignature": UNSIGNED}
    ]
    assert b"c1" in renderer.feed(Terminated())


@given(st.data())
def test_calls_may_come_in_any_mixture(data: st.DataObject) -> None:
    objects = data.draw(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9)), max_size=4))
    queues: list[list[StreamEvent]] = []
    for index, arguments in enumerate(objects):
        text = orjson.dumps(arguments).decode()
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        queues.append(call(index, *(text[a:b] for a, b in pairwise([0, *cuts, len(text)]))))
    mixed: list[StreamEvent] = [Started("id", "m"), ThinkingDelta("hm")]
    begun = 0
    while any(queues):
        chosen = data.draw(st.sampled_from([n for n, queue in enumerate(queues) if queue and n <= begun]))
        begun = max(begun, chosen + 1)
        mixed.append(queues[chosen].pop(0))
    pieces = pieces_of(render(*mixed, Finished(Finish.STOP), Terminated()))
    calls = [(f"c{n}", f"tool{n}", arguments) for n, arguments in enumerate(objects)]
    finish = Finish.TOOL_CALLS if objects else Finish.STOP
    assert told_by(pieces) == Told("", "hm", calls=calls, finish=finish)


def test_a_call_that_goes_on_after_its_end_is_no_answer() -> None:
    with pytest.raises(UpstreamInvalid):
        render(*call(0, "{}"), *call(1, "{}"), ToolCallDelta(0, "{}"))


def test_a_call_with_line_ends_between_its_arguments_is_one_line() -> None:
    """A model may break its JSON's lines, and a line's end would end the event's data."""
    (part,) = parts_of(*call(0, '{"a"\n :1,\r\n', '"b":"x\\ny",\r"c": 1.0}'))
    assert part["functionCall"]["args"] == {"a": 1, "b": "x\ny", "c": 1.0}


def test_arguments_that_are_no_object_are_wrapped() -> None:
    (part,) = parts_of(*call(0, "{oops"))
    assert part["functionCall"]["args"] == {"invalid_json": "{oops"}


def test_thoughts_are_signed_by_whoever_signed_them() -> None:
    parts = parts_of(
        ThinkingDelta("a"),
        SignatureDelta("s1", provider="anthropic"),
        SignatureDelta("s2", redacted=True, provider="anthropic"),
        SignatureDelta("c2ln", provider="gemini"),
        *call(0, "{}"),
        SignatureDelta("b3du", call_index=0, provider="gemini"),
    )
    assert [part.get("thought", False) for part in parts] == [True, True, True, False, False]
    assert parts[3] == {"text": "", "thoughtSignature": "c2ln"}
    assert parts[4]["thoughtSignature"] == "b3du"
    talk = [
        {"parts": [{"text": "Hi"}]},
        {"role": "model", "parts": parts[:3]},
        {"parts": [{"text": "Go on"}]},
    ]
    body = {"contents": talk}
    facts = exchange.read_call("gemini", body, exchange.Address("m"))
    outgoing = exchange.build_outgoing("gemini", Target("anthropic", "claude"), b"", body, facts)
    assert orjson.loads(outgoing.body)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "s1"},
        {"type": "redacted_thinking", "data": "s2"},
    ]


def test_citations_count_bytes() -> None:
    cited = Citation("https://x.test", "X", start=1, end=3)
    pieces = pieces_of(render(TextDelta("né"), TextDelta("e"), CitationDelta(cited), Terminated()))
    sources = [p["candidates"][0].get("citationMetadata") for p in pieces]
    source = {"startIndex": 1, "endIndex": 4, "uri": "https://x.test", "title": "X"}
    assert sources[2] == {"citationSources": [source]}


def test_line_ends_that_json_does_not_know_are_escaped() -> None:
    text = "a\u2028b\u2029c\u0085d"
    sent = render(
        TextDelta(text), ThinkingDelta(text), *call(0, orjson.dumps({"q": text}).decode()), Terminated()
    )
    assert told_by(pieces_of(sent)) == Told(
        text, text, calls=[("c0", "tool0", {"q": text})], finish=Finish.TOOL_CALLS
    )


def test_a_refusal_is_told_as_one() -> None:
    *_, last = pieces_of(
        render(RefusalDelta("I "), RefusalDelta("can't."), Finished(Finish.STOP), Terminated())
    )
    assert last["candidates"][0]["finishMessage"] == "I can't."
    assert last["candidates"][0]["finishReason"] == "SAFETY"


def test_a_prompt_that_was_filtered_has_no_candidates() -> None:
    (piece,) = pieces_of(render(Started("r", "m"), Finished(Finish.CONTENT_FILTER), Terminated()))
    assert piece == {
        "promptFeedback": {"blockReason": "SAFETY"},
        "modelVersion": "public-model",
        "responseId": "r",
    }


def test_the_keep_alive_is_a_bare_line() -> None:
    line = exchange.keep_alive("gemini")
    assert line == b"\n"
    relay = Relay(CallFacts("m", True))
    assert relay.feed(b"\n\n" + line) == b"" and not relay.observed.content_started


# ------------------------------------------------------------------ Gemini's pieces as our events


def events_from(*pieces: Any) -> list[StreamEvent]:
    parser = Parser()
    raw = b"".join([b"data: " + orjson.dumps(piece) + b"\n\n" for piece in pieces])
    return [event for one in Decoder().feed(raw) for event in parser.feed(one)] + list(parser.finish())


def candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": list(parts)}, **more}],
        "responseId": "r",
        "modelVersion": "m",
    }


def test_a_signature_on_an_empty_text_is_kept() -> None:
    events = events_from(
        candidate({"text": "42"}), candidate({"text": "", "thoughtSignature": "c2ln"}, finishReason="STOP")
    )
    assert events[1:] == [
        TextDelta("42"),
        SignatureDelta("c2ln", provider="gemini"),
        Finished(Finish.STOP),
        Terminated(),
    ]


def test_citations_of_an_answer_come_once_and_count_characters() -> None:
    sources = [
        {"uri": "https://a.test", "endIndex": 3},
        {"uri": "https://b.test", "startIndex": 3, "endIndex": 4},
    ]
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://c.test", "title": "C"}},
            {"web": {"uri": "https://d.test"}},
        ],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 4}, "groundingChunkIndices": [0, 9]}],
    }
    events = events_from(
        candidate({"text": "né"}, citationMetadata={"citationSources": sources[:1]}),
        candidate(
            {"text": "e"},
            citationMetadata={"citations": sources},
            groundingMetadata=grounding,
            finishReason="CONTINUATION",
        ),
    )
    cited = [event.citation for event in events if isinstance(event, CitationDelta)]
    assert cited == [
        Citation("https://a.test", start=0, end=2),
        Citation("https://b.test", start=2, end=3),
        Citation("https://c.test", "C", start=2, end=3),
        Citation("https://d.test"),
    ]
    assert Finished(Finish.PAUSE) in events


def test_pieces_of_any_shape_are_read_alike() -> None:
    """The typed way and the plain one agree."""
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1}
    plain = candidate({"text": "a"}, {"text": "b", "thought": True}) | {"usageMetadata": usage}
    odd = {**plain, "responseId": 7}
    first, second = events_from(plain, plain), events_from(plain, odd)
    assert first == second
    assert first[1:4] == [
        TextDelta("a"),
        ThinkingDelta("b"),
        UsageReported(Usage(5, output_tokens=3, reasoning_tokens=1)),
    ]
