"""Whole answers where a stream was asked for: some providers answer so. Pure."""

from collections.abc import Callable, Iterable, Iterator

import orjson

from gateway_project.errors import UpstreamCut, UpstreamInvalid
from proxy_app.formats.lenient import load
from proxy_app.formats.reading import as_object
from proxy_app.wire import (
    JSON,
    Answer,
    CitationDelta,
    Finished,
    Observed,
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


def answer_events(answer: Answer) -> Iterator[StreamEvent]:
    """The stream that says what the answer says."""
    yield Started(answer.id, answer.model, answer.created, answer.service_tier)
    if answer.usage is not None:
        yield UsageReported(answer.usage)
    yield from said_by(answer.parts)
    yield Finished(answer.finish, answer.stop_sequence, answer.service_tier, answer.finish_word)
    yield Terminated()


def said_by(parts: Iterable[Part]) -> Iterator[StreamEvent]:
    """The events of an answer's parts, from its first call on."""
    calls = 0
    for part in parts:
        yield from _part_events(part, calls)
        calls += isinstance(part, ToolCall)


def _part_events(part: Part, index: int) -> Iterator[StreamEvent]:
    match part:
        case Text(text):
            if text:
                yield TextDelta(text)
            for citation in part.citations:
                yield CitationDelta(citation)
        case Refusal(text):
            yield RefusalDelta(text)
        case Thinking(text, signature, redacted, provider):
            if text:
                yield ThinkingDelta(text)
            if seal := redacted or signature:
                yield SignatureDelta(seal, redacted=bool(redacted), provider=provider, id=part.id)
        case ToolCall(call_id, name, arguments, signature):
            yield ToolCallStarted(index, call_id, name)
            yield ToolCallDelta(index, arguments or "{}")
            if signature:
                yield SignatureDelta(signature, call_index=index)


def take_whole(raw: bytes, observed: Observed, observe_answer: Callable[[JSON], Observed]) -> JSON | None:
    """The answer that came in place of a stream, with what it tells in `observed`; None for an object that is
    no answer. Raises UpstreamFailed for an error told in the shape of one, UpstreamInvalid for one that comes
    amid a stream, UpstreamCut for half of one."""
    body = load_whole(raw)
    try:
        told = observe_answer(body)
    except UpstreamInvalid:
        return None
    if observed != Observed():
        observed.usage = told.usage or observed.usage
        raise UpstreamInvalid("The provider answered whole amid what was asked for as a stream.")
    for name in Observed.__struct_fields__:
        setattr(observed, name, getattr(told, name))
    return body


def load_whole(rest: bytes) -> JSON:
    """The object that is all that came of a stream. Raises UpstreamCut for half of one."""
    try:
        return as_object(load(rest))
    except orjson.JSONDecodeError:
        raise UpstreamCut from None


def refuse_unsaid(reason: str, parts: list[Part]) -> None:
    """Raises UpstreamInvalid for an answer that says nothing, not even why it ended."""
    if not reason and not parts:
        raise UpstreamInvalid("The provider's answer is empty and does not say why.")
