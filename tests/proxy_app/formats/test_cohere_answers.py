"""Answers of Cohere's own chat on their way to callers, whole and streamed, cut anywhere."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import UpstreamCut, UpstreamFailed, UpstreamInvalid, UpstreamRefused
from proxy_app.formats import exchange
from proxy_app.formats.cohere import UPSTREAM
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.registry import INBOUND
from proxy_app.wire import CallFacts, Citation, Finish, Target, Text, Thinking, ToolCall
from tests.proxy_app.pairs.fuzzing import encoded, spoilt

TARGET = Target("cohere", "command-a")
OPTIONS = RenderOptions(model="public", answer_id="answer-1", created=1)
USAGE = {
    "billed_units": {"input_tokens": 5.0, "output_tokens": 7.0},
    "tokens": {"input_tokens": 71.0, "output_tokens": 9.0},
    "cached_tokens": 2.0,
}
CALL = {"id": "look_1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Seoul"}'}}
PAGE = {"type": "document", "id": "doc:0", "document": {"url": "https://a.test", "title": "A page"}}
CITED = {"start": 0, "end": 4, "text": "Rain", "sources": [PAGE], "type": "TEXT_CONTENT"}
FROM_TOOL = {"start": 0, "end": 4, "text": "Rain", "sources": [{"type": "tool", "id": "look_1:0"}]}


def answer(reason: str = "COMPLETE", **message: Any) -> dict[str, Any]:
    return {"id": "a-1", "finish_reason": reason, "usage": USAGE, "message": {"role": "assistant", **message}}


def event(kind: str, delta: Any = None, index: int | None = None, **more: Any) -> bytes:
    body = {"type": kind, **({} if index is None else {"index": index}), **more}
    if delta is not None:
        body["delta"] = delta
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(body))


def said(kind: str, index: int, **content: Any) -> bytes:
    return event(kind, {"message": {"content": content}}, index)


def called(kind: str, index: int, call: Any) -> bytes:
    return event(kind, {"message": {"tool_calls": call}}, index)


def ended(reason: str = "COMPLETE", **more: Any) -> bytes:
    return event("message-end", {"finish_reason": reason, "usage": USAGE, **more})


START = event("message-start", {"message": {"role": "assistant", "content": []}}, id="a-1")
TALK = [
    START,
    said("content-start", 0, type="thinking", thinking=""),
    said("content-delta", 0, thinking="Hm, "),
    said("content-delta", 0, thinking="né."),
    event("content-end", index=0),
    said("content-start", 1, type="text", text=""),
    said("content-delta", 1, text="Rain"),
    event("citation-start", {"message": {"citations": CITED}}, 0),
    event("citation-end", index=0),
    said("content-delta", 1, text=" 비."),
    event("content-end", index=1),
    ended(),
]
CALLS = [
    START,
    event("tool-plan-delta", {"message": {"tool_plan": "I will "}}),
    event("tool-plan-delta", {"message": {"tool_plan": "look."}}),
    called("tool-call-start", 0, {**CALL, "function": {"name": "look", "arguments": ""}}),
    called("tool-call-delta", 0, {"function": {"arguments": '{"city": '}}),
    called("tool-call-delta", 0, {"function": {"arguments": '"Seoul"}'}}),
    event("tool-call-end", index=0),
    called("tool-call-start", 1, {"id": "now_1", "type": "function", "function": {"name": "now"}}),
    event("tool-call-end", index=1),
    ended("TOOL_CALL"),
]


def through(inbound: str, *pieces: bytes) -> bytes:
    pipe = exchange.open_pipe(inbound, TARGET, CallFacts("public", stream=True, wants_usage=True), OPTIONS)
    sent = b"".join([pipe.feed(piece) for piece in pieces])
    sent += pipe.finish()
    assert pipe.observed.ended
    return sent


def chat_of(raw: bytes) -> list[Any]:
    return [orjson.loads(each[6:]) for each in raw.split(b"\n\n") if each.startswith(b"data: {")]


def test_an_answer_is_read_whole() -> None:
    content = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Rain."}]
    told = UPSTREAM.parse_answer(answer(content=content, citations=[CITED, FROM_TOOL]))
    cited = Citation("https://a.test", "A page", "Rain", 0, 4)
    assert told.parts == [
        Thinking("Hm", "thinking", provider="cohere"),
        Text("Rain.", citations=[cited]),
    ]
    assert (told.id, told.finish) == ("a-1", Finish.STOP)
    assert told.usage is not None  # what is billed, not what the provider put around it
    assert (told.usage.input_tokens, told.usage.output_tokens, told.usage.cache_read_tokens) == (5, 7, 2)


def test_a_plan_before_calls_is_a_thought() -> None:
    told = UPSTREAM.parse_answer(answer("TOOL_CALL", tool_plan="I will look.", tool_calls=[CALL]))
    assert told.parts == [
        Thinking("I will look.", "tool_plan", provider="cohere"),
        ToolCall("look_1", "look", '{"city": "Seoul"}'),
    ]
    assert told.finish is Finish.TOOL_CALLS


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("MAX_TOKENS", Finish.LENGTH), ("STOP_SEQUENCE", Finish.STOP_SEQUENCE), ("NOVEL", Finish.STOP)],
)
def test_every_reason_has_its_word(reason: str, finish: Finish) -> None:
    assert UPSTREAM.parse_answer(answer(reason, content=[{"type": "text", "text": "a"}])).finish is finish


@pytest.mark.parametrize(("reason", "status"), [("ERROR", 502), ("TIMEOUT", 504)])
def test_a_failure_is_no_end(reason: str, status: int) -> None:
    with pytest.raises(UpstreamFailed):
        UPSTREAM.parse_answer(answer(reason, content=[{"type": "text", "text": "Ra"}]))
    with pytest.raises(UpstreamRefused, match="out of luck") as refused:
        through("openai_chat", START, ended(reason, error="out of luck"))
    assert refused.value.status == status


@pytest.mark.parametrize("body", [{}, {"message": {}}, {"message": {"content": [{"type": "novel"}]}}])
def test_what_says_nothing_or_cannot_be_read_is_refused(body: Any) -> None:
    with pytest.raises(UpstreamInvalid):
        UPSTREAM.parse_answer(body)


def test_tokens_count_where_nothing_is_billed() -> None:
    told = UPSTREAM.parse_answer(
        answer(content=[{"type": "text", "text": "a"}]) | {"usage": {"tokens": USAGE["tokens"]}}
    )
    assert told.usage is not None and (told.usage.input_tokens, told.usage.output_tokens) == (71, 9)


def test_a_stream_tells_whose_a_thought_is_where_it_ends() -> None:
    def seals(*pieces: bytes) -> list[Any]:
        deltas = [
            choice["delta"]
            for chunk in chat_of(through("openai_chat", *pieces))
            for choice in chunk["choices"]
        ]
        return [block for delta in deltas for block in delta.get("thinking_blocks") or ()]

    def block(index: int, thought: str, seal: str) -> dict[str, Any]:
        return {
            "index": index,
            "type": "thinking",
            "thinking": thought,
            "signature": f"gatehouse.cohere.{seal}",
        }

    assert seals(*TALK) == [block(0, "Hm, né.", "thinking")]
    assert seals(*CALLS) == [block(0, "I will look.", "tool_plan")]
    assert seals(*TALK[:5], *CALLS[1:]) == [
        block(0, "Hm, né.", "thinking"),
        block(1, "I will look.", "tool_plan"),
    ]
    unended = [*TALK[:4], *TALK[5:]]
    assert seals(*unended) == [block(0, "Hm, né.", "thinking")]
    alone = [*TALK[:4], ended()]
    assert seals(*alone) == [block(0, "Hm, né.", "thinking")]


def test_a_stream_says_what_the_whole_does() -> None:
    chunks = chat_of(through("openai_chat", *TALK))
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Rain 비."
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "Hm, né."
    [note] = [delta["annotations"] for delta in deltas if delta.get("annotations")]
    assert note[0]["url_citation"]["url"] == "https://a.test"
    assert chunks[-1]["usage"]["completion_tokens"] == 7


def test_calls_of_a_stream_are_told_apart() -> None:
    chunks = chat_of(through("openai_chat", *CALLS))
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    written = {0: "", 1: ""}
    for call in calls:
        written[call["index"]] += call["function"].get("arguments") or ""
    assert written == {0: '{"city": "Seoul"}', 1: "{}"}
    assert [call["id"] for call in calls if call.get("id")] == ["look_1", "now_1"]
    finishes = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert finishes[-1] == "tool_calls"


@pytest.mark.parametrize("inbound", INBOUND)
@pytest.mark.parametrize("events", [TALK, CALLS], ids=["talk", "calls"])
def test_a_stream_is_the_same_wherever_its_bytes_are_cut(inbound: str, events: list[bytes]) -> None:
    raw = b"".join(events)
    whole = through(inbound, raw)
    for cut in range(len(raw)):
        assert through(inbound, raw[:cut], raw[cut:]) == whole, cut
    assert through(inbound, *(raw[at : at + 1] for at in range(len(raw)))) == whole


@pytest.mark.parametrize("inbound", INBOUND)
def test_one_that_ends_too_early_is_cut(inbound: str) -> None:
    for events in (TALK, CALLS):
        raw = b"".join(events)
        for cut in range(len(raw) - len(ended("TOOL_CALL")) + 40):
            with pytest.raises(UpstreamCut):
                through(inbound, raw[:cut])


def test_an_end_without_a_reason_is_none() -> None:
    with pytest.raises(UpstreamCut):
        through("openai_chat", *TALK[:-1], event("message-end", {"usage": USAGE}))


@pytest.mark.parametrize("raw", [b'{"message": "no such model"}', b'data: {"message": "no such model"}\n\n'])
def test_an_error_in_place_of_a_stream_is_told(raw: bytes) -> None:
    with pytest.raises(UpstreamFailed, match="no such model"):
        through("openai_chat", raw)


def test_a_whole_answer_in_place_of_a_stream_is_streamed() -> None:
    raw = orjson.dumps(answer(content=[{"type": "text", "text": "Rain."}]))
    chunks = chat_of(through("openai_chat", raw))
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Rain."


def test_a_refusal_is_told_in_the_providers_words() -> None:
    refused = UPSTREAM.read_failure(429, {"retry-after": "3"}, b'{"message": "too many requests", "id": "x"}')
    assert isinstance(refused, UpstreamRefused) and refused.status == 429
    assert "too many requests" in refused.detail and refused.retry_after_s == 3


# ---------------------------------------------------------------- with something wrong in it

FULL = answer(
    "TOOL_CALL",
    tool_plan="I will look.",
    content=[{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Rain."}],
    citations=[CITED, FROM_TOOL],
    tool_calls=[CALL],
)
EVENTS = [orjson.loads(raw.partition(b"data: ")[2]) for raw in (*TALK, *CALLS)]


@given(data=st.data(), inbound=st.sampled_from(sorted(INBOUND)))
def test_a_spoilt_answer_is_read_or_is_the_providers_failure(data: st.DataObject, inbound: str) -> None:
    raw = encoded(data.draw(spoilt(FULL)))
    try:
        exchange.convert_answer(inbound, TARGET, raw, CallFacts("public"), OPTIONS)
    except UpstreamFailed as failed:
        assert failed.detail


@given(data=st.data(), inbound=st.sampled_from(sorted(INBOUND)))
def test_a_spoilt_stream_is_read_or_is_the_providers_failure(data: st.DataObject, inbound: str) -> None:
    at = data.draw(st.integers(0, len(EVENTS) - 1))
    odd = b"data: " + encoded(data.draw(spoilt(EVENTS[at]))).replace(b"\n", b" ") + b"\n\n"
    events = [*TALK[:-1], *CALLS]
    pieces = [*events[: min(at, len(events))], odd, *events[min(at, len(events)) :]]
    try:
        through(inbound, *pieces)
    except UpstreamFailed as failed:
        assert failed.detail
