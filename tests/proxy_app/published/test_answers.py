"""What is told to callers is as the providers of their formats describe it: answers and every event of a
stream, whatever kind of provider they come from."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.registry import INBOUND
from proxy_app.sse import Decoder
from proxy_app.wire import Answer, CallFacts, Target
from tests.proxy_app.formats import (
    test_anthropic_properties,
    test_gemini_properties,
    test_responses_properties,
)
from tests.proxy_app.formats.saying import CREATED, FORMATS, PAIRS, answers
from tests.proxy_app.formats.test_answers import ANSWERS as RECORDED
from tests.proxy_app.formats.test_pairs_identity import events_of
from tests.proxy_app.formats.wire_bytes import STREAMS, open_pipe, read, run
from tests.proxy_app.pairs.speaking import question
from tests.proxy_app.published.documents import DOCUMENTS, faults

#: What each format's document calls an answer, and an event of a stream.
ANSWERS = {
    "openai_chat": "CreateChatCompletionResponse",
    "openai_responses": "Response",
    "anthropic": "Message",
    "gemini": "GenerateContentResponse",
}
EVENTS = {
    "openai_chat": "CreateChatCompletionStreamResponse",
    "openai_responses": "ResponseStreamEvent",
    "anthropic": "MessageStreamEvent",
    "gemini": "GenerateContentResponse",
}
OPTIONS = RenderOptions("public-model", "resp_ours", CREATED)
#: Answers of one format with what only it can say: citations, signed thoughts, signed calls.
OWN = {
    "anthropic": test_anthropic_properties.answers(),
    "gemini": test_gemini_properties.answers(),
    "openai_responses": test_responses_properties.answers(),
}
FEW = settings(max_examples=25)  # for each of many pairs


def as_described(format: str, name: str, body: Any) -> None:
    found = faults(DOCUMENTS[format], "told", name, body)
    assert not found, (found, body)


def told_in(sent: bytes) -> Iterable[Any]:
    return [orjson.loads(event.data) for event in Decoder().feed(sent) if bytes(event.data) != b"[DONE]"]


def any_answer(caller: str, provider: str) -> st.SearchStrategy[Answer]:
    """One that a provider of a format may give, and one of the caller's own format with all it can say."""
    return st.one_of(answers((caller, provider)), OWN.get(caller, st.nothing()))


@pytest.mark.parametrize(("caller", "provider"), PAIRS, ids=["<-".join(pair) for pair in PAIRS])
@FEW
@given(st.data())
def test_any_answer(caller: str, provider: str, data: st.DataObject) -> None:
    answer = data.draw(any_answer(caller, provider))
    options = RenderOptions(OPTIONS.model, OPTIONS.answer_id, CREATED, request=question(caller, tools=True))
    rendered = orjson.dumps(INBOUND[caller].render_answer(answer, options))
    as_described(caller, ANSWERS[caller], orjson.loads(rendered))


@pytest.mark.parametrize(("caller", "provider"), PAIRS, ids=["<-".join(pair) for pair in PAIRS])
@FEW
@given(st.data())
def test_every_event_of_any_answer(caller: str, provider: str, data: st.DataObject) -> None:
    answer = data.draw(answers((caller, provider)))
    early, mixed = data.draw(st.booleans()), data.draw(st.booleans())
    renderer = INBOUND[caller].open_renderer(OPTIONS)
    sent = [renderer.feed(event) for event in events_of(answer, early=early, mixed=mixed)]
    events = list(told_in(b"".join(sent)))
    assert events
    for event in events:
        as_described(caller, EVENTS[caller], event)


@pytest.mark.parametrize("format", FORMATS)
@FEW
@given(st.data())
def test_every_event_of_a_whole_answer_that_came_in_place_of_a_stream(
    format: str, data: st.DataObject
) -> None:
    answer = data.draw(any_answer(format, format))
    raw = orjson.dumps(INBOUND[format].render_answer(answer, OPTIONS))
    pipe = exchange.open_pipe(format, Target(format, "m"), CallFacts("m", stream=True), OPTIONS)
    events = list(told_in(pipe.feed(raw) + pipe.finish()))
    assert events
    for event in events:
        as_described(format, EVENTS[format], event)


@pytest.mark.parametrize("caller", FORMATS)
@pytest.mark.parametrize("provider", RECORDED)
def test_a_recorded_answer(caller: str, provider: str) -> None:
    raw = orjson.dumps(RECORDED[provider][0])
    if caller == provider:
        return  # relayed as it is
    sent, _ = exchange.convert_answer(caller, Target(provider, "m"), raw, CallFacts("m"), OPTIONS)
    as_described(caller, ANSWERS[caller], orjson.loads(sent))


@pytest.mark.parametrize("caller", FORMATS)
@pytest.mark.parametrize("name", STREAMS)
def test_every_event_of_a_recorded_stream(caller: str, name: str) -> None:
    if name.startswith(caller):
        return  # relayed as it is
    events = list(told_in(run(open_pipe(name, inbound=caller), read(name))))
    assert events
    for event in events:
        as_described(caller, EVENTS[caller], event)
