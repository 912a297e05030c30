"""For each caller's format and each provider's: what both can say comes through translation unchanged."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.formats.translation import Translation
from proxy_app.formats.usage_merge import merge_usage
from proxy_app.sse import Decoder, ServerSentEvent
from proxy_app.wire import (
    Answer,
    CitationDelta,
    Finish,
    Finished,
    Part,
    Refusal,
    RefusalDelta,
    SignatureDelta,
    Started,
    StreamEvent,
    Terminated,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from tests.proxy_app.formats.saying import CREATED, FORMATS, HOLES, PAIRS, answers, bare, unsealed

OPTIONS = RenderOptions("public-model", "resp_ours", CREATED + 9)


def over_the_wire(body: Any) -> Any:
    return orjson.loads(orjson.dumps(body))


def told_by(name: str, answer: Answer) -> Answer:
    """An answer written in a format and read again from a provider of that format."""
    return UPSTREAM[name].parse_answer(over_the_wire(INBOUND[name].render_answer(answer, OPTIONS)))


@pytest.mark.parametrize("pair", PAIRS, ids="<-".join)
@given(st.data())
def test_an_answer_both_formats_can_say_comes_through_unchanged(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    caller, provider = pair
    answer = data.draw(answers(pair))
    got = unsealed(told_by(caller, told_by(provider, answer)), caller)
    assert bare(got, pair) == bare(answer, pair)


def test_each_hole_is_a_formats_and_says_why() -> None:
    for (what, name), reason in HOLES.items():
        assert what and name in FORMATS and reason


def events_of(answer: Answer, *, early: bool, mixed: bool) -> list[StreamEvent]:
    """An answer as a stream of it, each part in two pieces where it can be. Usage is told `early` too;
    calls that stand side by side come in mixture, told apart by their index, when they are `mixed`."""
    usage: list[StreamEvent] = [UsageReported(answer.usage)] if answer.usage is not None else []
    events: list[StreamEvent] = [Started(answer.id, answer.model, CREATED, answer.service_tier)]
    events += usage if early else []
    calls = 0
    waiting: list[StreamEvent] = []  # second halves of calls
    for part in answer.parts:
        if isinstance(part, ToolCall):
            first, *rest = call_events(part, calls)
            events += [first, *rest[:1]]
            waiting += rest[1:]
            calls += 1
        if not (mixed and isinstance(part, ToolCall)):
            events += waiting
            waiting = []
        events += said_events(part)
    ends: list[StreamEvent] = [*waiting, Finished(answer.finish, answer.stop_sequence)]
    return [*events, *ends, *usage, Terminated()]


def call_events(call: ToolCall, index: int) -> list[StreamEvent]:
    events: list[StreamEvent] = [ToolCallStarted(index, call.id, call.name)]
    events += [ToolCallDelta(index, piece) for piece in halves(call.arguments)]
    if call.signature is not None:
        events.append(SignatureDelta(call.signature, call_index=index, provider="gemini"))
    return events


def said_events(part: Part) -> list[StreamEvent]:
    match part:
        case Thinking(text, signature, redacted, provider):
            signed = signature or redacted
            told: list[StreamEvent] = [*map(ThinkingDelta, halves(text))]
            if signed:
                told.append(SignatureDelta(signed, None, redacted is not None, provider))
            return told
        case Text(text):
            return [*map(TextDelta, halves(text)), *map(CitationDelta, part.citations)]
        case Refusal(text):
            return [*map(RefusalDelta, halves(text))]
    return []


def halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def heard(events: Iterable[StreamEvent]) -> Answer:
    """What a stream said, put together: pieces of a kind that stand side by side are one part."""
    answer = Answer("", "", [], Finish.STOP)
    calls: list[ToolCall] = []
    ended: list[str] = []  # what came after the last thing that was said
    for event in events:
        match event:
            case Started():
                answer.id, answer.model, answer.created = event.id, event.model, event.created
                answer.service_tier = event.service_tier
            case ThinkingDelta(text):
                grow(answer.parts, Thinking(text))
            case TextDelta(text):
                grow(answer.parts, Text(text))
            case RefusalDelta(text):
                grow(answer.parts, Refusal(text))
            case SignatureDelta(signature, None):
                sign(answer.parts, event)
            case SignatureDelta(signature, index):
                calls[index or 0].signature = signature
            case CitationDelta(citation):
                last = next(part for part in reversed(answer.parts) if isinstance(part, Text))
                last.citations.append(citation)
            case ToolCallStarted(_, call_id, name):
                calls.append(ToolCall(call_id, name, ""))
                answer.parts.append(calls[-1])
            case ToolCallDelta(index, arguments):
                calls[index].arguments += arguments
            case Finished():
                answer.finish, answer.stop_sequence = event.finish, event.stop_sequence
                answer.service_tier = event.service_tier or answer.service_tier
                ended.append("finished")
            case UsageReported(usage):
                answer.usage = merge_usage(answer.usage, usage)
            case Terminated():
                ended.append("terminated")
    assert ended[:2] == ["finished", "terminated"]
    return answer


def grow(parts: list[Part], piece: Text | Thinking | Refusal) -> None:
    last = parts[-1] if parts else None
    is_open = not isinstance(last, Thinking) or last.provider is None
    if is_open and type(last) is type(piece) and isinstance(last, Text | Thinking | Refusal):
        last.text += piece.text
    else:
        parts.append(piece)


def sign(parts: list[Part], event: SignatureDelta) -> None:
    last = parts[-1] if parts else None
    signature, redacted = (None, event.signature) if event.redacted else (event.signature, None)
    if isinstance(last, Thinking) and last.provider is None and not event.redacted:
        last.signature, last.provider = signature, event.provider
    else:
        parts.append(Thinking("", signature, redacted, event.provider))


@pytest.mark.parametrize("pair", PAIRS, ids="<-".join)
@given(st.data())
def test_a_stream_both_formats_can_say_comes_through_unchanged(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    answer = data.draw(answers(pair))
    early, mixed = data.draw(st.booleans()), data.draw(st.booleans())
    if answer.usage is not None and not early:
        answer.usage.cache_write_1h_tokens = None  # Anthropic's last event has no field for it
    events = events_of(answer, early=early, mixed=mixed)
    wanted = bare(heard(events), pair)
    got = unsealed(heard(streamed(pair, events)), pair[0])
    assert bare(got, pair) == wanted


@pytest.mark.parametrize("caller", ["openai_chat", "openai_responses"])
@pytest.mark.parametrize(
    ("at_first", "in_the_end"), [(None, "flex"), ("default", "priority"), ("flex", None)]
)
def test_the_tier_that_a_stream_tells_last_counts(
    caller: str, at_first: str | None, in_the_end: str | None
) -> None:
    written, read = INBOUND[caller].open_renderer(OPTIONS), UPSTREAM[caller].open_parser()
    told = [Started("a", "m", CREATED, at_first), TextDelta("a"), Finished(Finish.STOP, None, in_the_end)]
    sent = Decoder().feed(b"".join([written.feed(event) for event in [*told, Terminated()]]))
    again = [event for one in sent for event in read.feed(one)]
    assert heard([*again, *read.finish()]).service_tier == (in_the_end or at_first)


def streamed(pair: tuple[str, str], events: list[StreamEvent]) -> list[StreamEvent]:
    """What a caller hears of a provider's stream of events."""
    reader = UPSTREAM[pair[0]].open_parser()
    again = [event for one in sent_to(pair, events) for event in reader.feed(one)]
    return [*again, *reader.finish()]


def sent_to(pair: tuple[str, str], events: list[StreamEvent]) -> list[ServerSentEvent]:
    caller, provider = pair
    written = INBOUND[provider].open_renderer(OPTIONS)
    sent = b"".join([written.feed(event) for event in events])
    pipe = Translation(UPSTREAM[provider].open_parser(), INBOUND[caller].open_renderer(OPTIONS))
    return list(Decoder().feed(pipe.feed(sent) + pipe.finish()))


@pytest.mark.parametrize("provider", FORMATS)
@settings(max_examples=40)
@given(st.data())
def test_the_end_of_a_response_tells_what_its_stream_told(provider: str, data: st.DataObject) -> None:
    pair = ("openai_responses", provider)
    events = events_of(data.draw(answers(pair)), early=False, mixed=data.draw(st.booleans()))
    last = orjson.loads(sent_to(pair, events)[-1].data)["response"]
    whole = UPSTREAM["openai_responses"].parse_answer(last)
    assert bare(whole, pair) == bare(heard(streamed(pair, events)), pair)
