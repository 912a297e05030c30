"""For each caller's format and each provider's: what both can say comes through translation unchanged."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.formats.translation import Translation
from proxy_app.formats.usage_merge import merge_usage
from proxy_app.sse import Decoder
from proxy_app.wire import (
    Answer,
    Finished,
    Refusal,
    RefusalDelta,
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
from tests.proxy_app.formats.saying import CREATED, FORMATS, HOLES, PAIRS, answers, bare

OPTIONS = RenderOptions("public-model", "resp_ours", CREATED)


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
    assert bare(told_by(caller, told_by(provider, answer)), pair) == bare(answer, pair)


def test_each_hole_is_a_formats_and_says_why() -> None:
    for (what, name), reason in HOLES.items():
        assert what and name in FORMATS and reason


def events_of(answer: Answer) -> list[StreamEvent]:
    """An answer as a stream of it: thoughts, texts, refusals, calls, each in two pieces where it can be."""
    events: list[StreamEvent] = [Started(answer.id, answer.model, CREATED)]
    calls = 0
    for part in answer.parts:
        match part:
            case Thinking(text):
                events += map(ThinkingDelta, halves(text))
            case Text(text):
                events += map(TextDelta, halves(text))
            case Refusal(text):
                events += map(RefusalDelta, halves(text))
            case ToolCall(call_id, name, arguments):
                events.append(ToolCallStarted(calls, call_id, name))
                events += [ToolCallDelta(calls, piece) for piece in halves(arguments)]
                calls += 1
    ends: list[StreamEvent] = [Finished(answer.finish, answer.stop_sequence)]
    ends += [UsageReported(answer.usage)] if answer.usage is not None else []
    return [*events, *ends, Terminated()]


def halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def heard(events: Iterable[StreamEvent]) -> dict[str, Any]:
    """What a stream said, put together."""
    said: dict[str, Any] = {"thoughts": "", "text": "", "refusal": "", "finish": None, "usage": None}
    calls: dict[int, list[str]] = {}
    for event in events:
        match event:
            case ThinkingDelta(text):
                said["thoughts"] += text
            case TextDelta(text):
                said["text"] += text
            case RefusalDelta(text):
                said["refusal"] += text
            case ToolCallStarted(index, call_id, name):
                calls[index] = [call_id, name, ""]
            case ToolCallDelta(index, arguments):
                calls[index][2] += arguments
            case Finished(finish):
                said["finish"] = finish
            case UsageReported(usage):
                said["usage"] = merge_usage(said["usage"], usage)
            case _:
                pass
    usage = said["usage"]
    figures = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    said["usage"] = None if usage is None else [getattr(usage, name) or 0 for name in figures]
    said["calls"] = [[call_id, name, orjson.loads(text)] for call_id, name, text in calls.values()]
    return said


@pytest.mark.parametrize("pair", PAIRS, ids="<-".join)
@given(st.data())
def test_a_stream_both_formats_can_say_comes_through_unchanged(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    caller, provider = pair
    events = events_of(data.draw(answers(pair)))
    wanted = heard(events)
    written = INBOUND[provider].open_renderer(OPTIONS)
    sent = b"".join([written.feed(event) for event in events])
    pipe = Translation(UPSTREAM[provider].open_parser(), INBOUND[caller].open_renderer(OPTIONS))
    passed = pipe.feed(sent) + pipe.finish()
    reader = UPSTREAM[caller].open_parser()
    again = [event for one in Decoder().feed(passed) for event in reader.feed(one)]
    assert heard([*again, *reader.finish()]) == wanted
