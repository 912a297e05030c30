"""Streams to a caller of Responses: translated in the format's grammar, or relayed as they are."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway_project.errors import CallStopped, UpstreamCut, UpstreamFailed, UpstreamRefused
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_responses.parser import Parser
from proxy_app.formats.openai_responses.relay import Relay
from proxy_app.formats.openai_responses.renderer import Renderer
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
    Terminated,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from tests.proxy_app.formats.test_streams import told_by
from tests.proxy_app.formats.wire_bytes import OPTIONS, STREAMS, Told, expected_usage, open_pipe, read, run

FOREIGN = [name for name in STREAMS if not name.startswith("openai_responses/")]
OWN = [name for name in STREAMS if name.startswith("openai_responses/")]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def events_of(sent: bytes) -> list[dict[str, Any]]:
    """The events, each under its own name and numbered from 0."""
    events = []
    for number, event in enumerate(Decoder().feed(sent)):
        body = orjson.loads(event.data)
        assert (event.event, body["sequence_number"]) == (body["type"], number)
        events.append(body)
    return events


def parsed(sent: bytes) -> list[StreamEvent]:
    parser = Parser()
    return [event for one in Decoder().feed(sent) for event in parser.feed(one)]


def rendered(*events: StreamEvent, request: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    renderer = Renderer(RenderOptions("m", "a1", 1_790_000_000, request=request or {}))
    return events_of(b"".join(renderer.feed(event) for event in events))


def check_grammar(events: list[dict[str, Any]]) -> None:
    """Opened, filled, closed, once each; what is closed is what the answer ends with."""
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    open_items: dict[int, dict[str, Any]] = {}
    done: dict[int, dict[str, Any]] = {}
    part_open: set[tuple[int, str, int]] = set()
    for event in events[2:-1]:
        EVENT.validate_python(event, strict=False)
        kind, index = event["type"], event["output_index"]
        if kind == "response.output_item.added":
            assert index == len(open_items) + len(done)
            open_items[index] = event["item"]
            continue
        item = open_items[index]
        if kind == "response.output_item.done":
            assert not any(place[0] == index for place in part_open)
            assert event["item"]["id"] == item["id"]
            done[index] = event["item"]
            del open_items[index]
            continue
        assert event["item_id"] == item["id"]
        which = "summary" if "summary_index" in event else "content"
        place = (index, which, event.get(f"{which}_index", 0))
        if kind.endswith("_part.added"):
            part_open.add(place)
        elif kind.endswith("_part.done"):
            part_open.remove(place)
        elif "tool_call" not in kind and "function_call" not in kind:
            assert place in part_open
    assert not open_items
    last = events[-1]
    assert last["response"]["output"] == [done[index] for index in sorted(done)]
    assert last["type"] == f"response.{last['response']['status']}"
    Response.model_validate(last["response"], strict=False)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_stream_says_to_the_caller_what_the_provider_said(name: str) -> None:
    pipe = open_pipe(name, inbound="openai_responses")
    sent = run(pipe, read(name))
    check_grammar(events_of(sent))
    found, wanted = told_by(parsed(sent)), STREAMS[name]
    if wanted.finish is Finish.STOP_SEQUENCE:
        wanted = Told(wanted.text, finish=Finish.STOP)  # the format has no word of its own for it
    assert found == wanted
    assert pipe.observed.ended and pipe.observed.content_started
    usages = [event.usage for event in parsed(sent) if isinstance(event, UsageReported)]
    if usages:
        known, (usage,) = expected_usage(name), usages
        if name != "gemini/blocked_prompt":
            assert (usage.input_tokens, usage.output_tokens) == (known.input_tokens, known.output_tokens)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_the_same_wherever_its_bytes_are_cut(name: str) -> None:
    raw = read(name)
    whole = open_pipe(name, inbound="openai_responses")
    sent = run(whole, raw)
    for cut in range(0, len(raw), 1 if name in OWN else 7):
        pipe = open_pipe(name, inbound="openai_responses")
        assert run(pipe, raw[:cut], raw[cut:]) == sent, cut
        assert pipe.observed == whole.observed, cut
    pipe = open_pipe(name, inbound="openai_responses")
    assert run(pipe, *(raw[at : at + 1] for at in range(len(raw)))) == sent


@pytest.mark.parametrize("name", OWN)
def test_a_relayed_stream_is_forwarded_byte_for_byte(name: str) -> None:
    """Events and fields that nobody knows yet, too."""
    pipe = open_pipe(name, inbound="openai_responses")
    assert run(pipe, read(name)) == read(name).replace(b"\r\n", b"\n")
    assert pipe.observed.usage == expected_usage(name)
    assert pipe.observed.finish is STREAMS[name].finish
    assert (pipe.observed.upstream_id, pipe.observed.served_model) == ("resp_F1", "gpt-6-mini-2026-08-01")
    told = STREAMS[name]
    if not told.calls:
        assert pipe.observed.output_chars == len(told.text + told.thoughts + told.refusal)


@pytest.mark.parametrize(
    "name", ["openai_responses/truncated", "anthropic/truncated", "openai_chat/truncated"]
)
def test_a_cut_stream_is_never_shown_as_finished(name: str) -> None:
    pipe = open_pipe(name, inbound="openai_responses")
    sent = pipe.feed(read(name))
    with pytest.raises(UpstreamCut):
        pipe.finish()
    assert b"response.completed" not in sent and not pipe.observed.ended
    last = len(events_of(sent))
    (event,) = Decoder().feed(pipe.error(UpstreamCut(), "req-1"))
    body = orjson.loads(event.data)
    assert event.event == body["type"] == "response.failed" and body["sequence_number"] == last
    assert body["error"]["code"] == "upstream_cut" and "req-1" in body["error"]["message"]
    first = events_of(sent)[0]["response"]
    told = {"code": "server_error", "message": body["error"]["message"]}
    assert body["response"] == {**first, "status": "failed", "error": told}


def test_a_relayed_stream_cut_at_any_byte_is_cut_or_whole() -> None:
    raw = read("openai_responses/tool_one")
    for cut in range(len(raw)):
        pipe = open_pipe("openai_responses/x", inbound="openai_responses")
        try:
            sent = run(pipe, raw[:cut])
        except UpstreamCut:
            continue
        assert events_of(sent)[-1]["type"] == "response.completed", cut


@pytest.mark.parametrize(
    ("name", "status"), [("openai_responses/error_in_band", 502), ("openai_responses/failed", 429)]
)
def test_an_error_in_band_is_a_failure_that_may_be_retried(name: str, status: int) -> None:
    for inbound in ("openai_responses", "openai_chat"):
        pipe = open_pipe(name, inbound=inbound)
        with pytest.raises(UpstreamRefused) as caught:
            pipe.feed(read(name))
        assert (caught.value.status, caught.value.can_retry) == (status, True)
        assert "sk-proj" not in caught.value.detail
        if name.endswith("/failed"):
            assert pipe.observed.usage == expected_usage(name)  # it may cost


def test_what_shows_nothing_is_no_content_and_what_is_new_is() -> None:
    head = b'data: {"type":"response.created","response":{"id":"r"}}\n\ndata: {"type":"keepalive"}\n\n'
    quiet = b'data: {"type":"response.output_item.added","item":{"type":"reasoning"},"output_index":0}\n\n'
    for last in (
        b'data: {"type":"response.output_text.delta","delta":"a"}\n\n',
        b'data: {"type":"response.web_search_call.searching"}\n\n',
        b'data: {"type":"response.new_thing.delta","delta":{"x":1}}\n\n',
    ):
        relay = Relay(CallFacts("m", stream=True))
        relay.feed(head + quiet)
        assert not relay.observed.content_started
        relay.feed(last)
        assert relay.observed.content_started


def test_lines_spaced_otherwise_comments_and_done_are_relayed() -> None:
    relay = Relay(CallFacts("m", stream=True))
    delta = b'event: x\nid: 7\ndata:{"type":"response.output_text.delta",\ndata: "delta":"ab"}'
    end = b'data: {"type":"response.completed","response":{"id":"r","output":[]}}'
    sent = relay.feed(b": hi\n\n" + delta + b"\n\n" + end + b"\n\ndata: [DONE]\n\n") + relay.finish()
    assert sent == b": hi\n\n" + delta + b"\n\n" + end + b"\n\n"
    assert (relay.observed.output_chars, relay.observed.finish) == (2, Finish.STOP)
    for raw in (b"data: hello\n\n", b"data: {oops\n\n", b'event: error\ndata: {"message":"no"}\n\n'):
        with pytest.raises(UpstreamFailed):
            Relay(CallFacts("m", stream=True)).feed(raw)


def test_parallel_calls_may_be_told_in_turns() -> None:
    events = rendered(
        Started("u1", "x"),
        ToolCallStarted(0, "c0", "f"),
        ToolCallStarted(1, "c1", "g"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, "1}"),
        Terminated(),
    )
    check_grammar(events)
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("c0", '{"a":1}'), ("c1", "{}")]
    assert "usage" not in events[-1]["response"]


def test_a_custom_tool_is_called_as_such_and_reads_back() -> None:
    request = {"tools": [{"type": "custom", "name": "patch"}]}
    events = rendered(
        Started("u1", "x"),
        ToolCallStarted(0, "c0", "patch"),
        ToolCallDelta(0, '{"input":"*** '),
        ToolCallDelta(0, 'x\\n"}'),
        Finished(Finish.TOOL_CALLS),
        Terminated(),
        request=request,
    )
    check_grammar(events)
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["input"], item["id"]) == ("custom_tool_call", "*** x\n", "ctc_u1_0")
    raw = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    assert told_by(parsed(raw)).calls == [("c0", "patch", {"input": "*** x\n"})]


def test_thoughts_are_sealed_for_the_family_that_signed_them() -> None:
    sent = run(open_pipe("anthropic/x", inbound="openai_responses"), read("anthropic/reasoning"))
    first, second, _ = events_of(sent)[-1]["response"]["output"]
    assert (first["summary"][0]["text"], first["encrypted_content"]) == (
        "Think hard.",
        "gatehouse.anthropic.c2lnbmF0dXJl",
    )
    assert (second["summary"], second["encrypted_content"]) == (
        [],
        "gatehouse.anthropic+redacted.cmVkYWN0ZWQ=",
    )


def test_an_answer_of_openai_keeps_its_signature_by_the_call_for_chat() -> None:
    pipe = open_pipe("openai_responses/x")
    raw = read("openai_responses/reasoning").split(b"event: response.output_item.added")
    call = rendered(Started("r", "m"), ToolCallStarted(0, "c9", "f"), Terminated())
    added = next(event for event in call if event["type"] == "response.output_item.added")
    pipe.feed(raw[0] + b"event: response.output_item.added" + raw[1])
    pipe.feed(b"data: " + orjson.dumps(added | {"output_index": 1}) + b"\n\n")
    (thought,) = pipe.observed.signed["c9"].thoughts
    assert (thought.provider, thought.id, thought.text) == ("openai", "rs_F0", "Think hard.")
    assert thought.signature == "gAAAAB-c2VhbGVk=="


def test_citations_are_annotations_both_ways() -> None:
    citation = Citation("https://example.com/a", "A", None, 4, 8)
    sent = read("openai_responses/cited")
    assert [e.citation for e in parsed(sent) if isinstance(e, CitationDelta)] == [citation]
    events = rendered(Started("u", "m"), TextDelta("See this."), CitationDelta(citation), Terminated())
    check_grammar(events)
    (note,) = events[-1]["response"]["output"][0]["content"][0]["annotations"]
    assert (note["url"], note["start_index"], note["end_index"]) == ("https://example.com/a", 4, 8)


def test_an_answer_repeats_what_was_asked() -> None:
    request = {
        "model": "m",
        "input": "Hi",
        "instructions": "Be brief.",
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}],
        "tool_choice": {"type": "function", "name": "f"},
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "metadata": {"a": "b"},
        "store": True,
        "parallel_tool_calls": False,
    }
    for event in rendered(Started("resp_up", "m"), Terminated(), request=request):
        told = event["response"]
        Response.model_validate(told, strict=False)
        assert told["id"] == "resp_up"
        for name in (
            "instructions",
            "temperature",
            "tools",
            "tool_choice",
            "metadata",
            "parallel_tool_calls",
        ):
            assert told[name] == request[name]
        assert (told["store"], told["reasoning"]) == (False, {"effort": "low", "summary": None})
        assert told["text"] == {"format": {"type": "text"}, "verbosity": "low"}


def test_a_stream_ended_by_us_gets_an_error_event_and_no_false_end() -> None:
    for name in ("openai_responses/text", "anthropic/text"):
        pipe = open_pipe(name, inbound="openai_responses")
        pipe.feed(read(name)[:1500])
        body = orjson.loads(Decoder().feed(pipe.error(CallStopped(), "req-1"))[0].data)
        assert body["error"]["code"] == "call_stopped"
        assert body["response"]["error"]["message"].endswith("(request id: req-1)")
        EVENT.validate_python(body)


PIECES = st.lists(
    st.one_of(
        st.builds(TextDelta, st.text(min_size=1)),
        st.builds(ThinkingDelta, st.text(min_size=1)),
        st.builds(RefusalDelta, st.text(min_size=1)),
        st.builds(SignatureDelta, st.just("c2ln"), st.none(), st.booleans(), st.just("anthropic")),
        st.just(CitationDelta(Citation("https://x.test", "X"))),
        st.builds(lambda text: ("call", text), st.sampled_from(["{}", '{"a":1}', ""])),
        st.just(UsageReported(Usage(3, 1, 0, None, 5, 2))),
    ),
    max_size=12,
)


@given(PIECES, st.sampled_from([None, *Finish]))
def test_whatever_is_said_in_whatever_order_keeps_the_grammar_and_its_words(
    pieces: list[Any], finish: Finish | None
) -> None:
    events: list[StreamEvent] = [Started("u", "m")]
    calls = 0
    for piece in pieces:
        if isinstance(piece, tuple):
            events.append(ToolCallStarted(calls, f"c{calls}", "f"))
            if piece[1]:
                events.append(ToolCallDelta(calls, piece[1]))
            calls += 1
        else:
            events.append(piece)
    events += [Finished(finish)] if finish is not None else []
    found = rendered(*events, Terminated())
    check_grammar(found)
    raw = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in found)
    again = parsed(raw)
    for kind in (TextDelta, ThinkingDelta, RefusalDelta):
        assert "".join(e.text for e in again if isinstance(e, kind)) == "".join(
            e.text for e in events if isinstance(e, kind)
        )
    assert sum(isinstance(e, ToolCallStarted) for e in again) == calls
    assert OPTIONS.answer_id not in str(found)
