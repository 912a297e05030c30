"""The documents catch what they should: a wrong type, a field that is missing, one that nobody knows, a word
that is none of those listed. And no amendment outlives its reason."""

import json
from copy import deepcopy
from typing import Any

import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.wire import CallFacts, Target
from tests.proxy_app.formats.test_answers import ANSWERS as RECORDED
from tests.proxy_app.formats.wire_bytes import open_pipe, read, run
from tests.proxy_app.pairs.fuzzing import with_odd
from tests.proxy_app.pairs.speaking import FORMATS
from tests.proxy_app.published.amendments import FIELDS, MISSING, NULLS, OTHERS, owner_of
from tests.proxy_app.published.documents import DOCUMENTS, faults, published, schemas
from tests.proxy_app.published.test_answers import ANSWERS, EVENTS, OPTIONS, told_in
from tests.proxy_app.published.test_requests import CALLS, question, sent

GONE = object()
Change = tuple[tuple[Any, ...], Any, str]

#: Format -> changes of a request, each with a word of the fault that is told.
REQUESTS: dict[str, list[Change]] = {
    "openai_chat": [
        (("messages", 0, "content"), 5, "type"),
        (("messages",), GONE, "required"),
        (("messages", 0, "role"), "oracle", "oracle"),
        (("reasoning_effort",), "fierce", "fierce"),
        (("tools", 0, "function", "name"), GONE, "required"),
        (("max_completion_token",), 5, "unexpected"),
    ],
    "openai_responses": [
        (("max_output_tokens",), "many", "type"),
        (("tools", 0, "name"), GONE, "required"),
        (("reasoning", "effort"), "fierce", "fierce"),
        (("include",), ["everything"], "everything"),
        (("input", 0, "content", 0, "txt"), "", "unexpected"),
        (("max_tokens",), 5, "unexpected"),
    ],
    "anthropic": [
        (("max_tokens",), "many", "type"),
        (("max_tokens",), GONE, "required"),
        (("messages", 0, "role"), "oracle", "oracle"),
        (("thinking", "type"), "fierce", "expected"),
        (("tools", 0, "input_schema"), GONE, "required"),
        (("max_output_tokens",), 5, "unexpected"),
    ],
    "gemini": [
        (("generationConfig", "maxOutputTokens"), "many", "type"),
        (("contents",), GONE, "required"),
        (("tools", 0, "functionDeclarations", 0, "name"), GONE, "required"),
        (("generationConfig", "mediaResolution"), "fierce", "fierce"),
        (("contents", 0, "parts", 0, "txt"), "", "unexpected"),
        (("max_tokens",), 5, "unexpected"),
    ],
}
#: The same of an answer.
TOLD: dict[str, list[Change]] = {
    "openai_chat": [
        (("created",), "now", "type"),
        (("choices", 0, "message", "role"), GONE, "required"),
        (("choices", 0, "finish_reason"), "tired", "tired"),
        (("usage", "prompt_tokens"), None, "type"),
        (("usage", "tokens"), 5, "unexpected"),
    ],
    "openai_responses": [
        (("created_at",), "now", "type"),
        (("output", 0, "id"), GONE, "required"),
        (("status",), "tired", "tired"),
        (("usage", "input_tokens_details"), GONE, "required"),
        (("tokens",), 5, "unexpected"),
    ],
    "anthropic": [
        (("usage", "output_tokens"), None, "type"),
        (("stop_details",), GONE, "required"),
        (("stop_reason",), "tired", "tired"),
        (("content", 2, "id"), GONE, "required"),
        (("tokens",), 5, "unexpected"),
    ],
    "gemini": [
        (("usageMetadata", "totalTokenCount"), "many", "type"),
        (("candidates", 0, "finishReason"), "TIRED", "TIRED"),
        (("candidates", 0, "content", "parts", 2, "functionCall", "name"), GONE, "required"),
        (("tokens",), 5, "unexpected"),
    ],
}
#: The same of some event of a stream, by where it is found first.
HEARD: dict[str, list[Change]] = {
    "openai_chat": [
        (("created",), "now", "type"),
        (("choices",), GONE, "required"),
        (("choices", 0, "delta", "role"), "oracle", "oracle"),
        (("tokens",), 5, "unexpected"),
    ],
    "openai_responses": [
        (("sequence_number",), "first", "type"),
        (("delta",), GONE, "required"),
        (("response", "status"), "tired", "tired"),
        (("type",), "response.future", "response.future"),
        (("tokens",), 5, "unexpected"),
    ],
    "anthropic": [
        (("index",), "first", "type"),
        (("delta",), GONE, "required"),
        (("delta", "stop_reason"), "tired", "tired"),
        (("type",), "message_future", "expected"),
        (("tokens",), 5, "unexpected"),
    ],
    "gemini": [
        (("usageMetadata", "promptTokenCount"), "many", "type"),
        (("candidates", 0, "finishReason"), "TIRED", "TIRED"),
        (("tokens",), 5, "unexpected"),
    ],
}


def changes(table: dict[str, list[Change]]) -> Any:
    cases = [(format, *change) for format, each in table.items() for change in each]
    ids = [f"{format} {'/'.join(map(str, place))} {word}" for format, place, _, word in cases]
    return pytest.mark.parametrize(("format", "place", "value", "word"), cases, ids=ids)


def changed(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    if value is not GONE:
        return with_odd(body, place, value)
    body = deepcopy(body)
    holder = body
    for step in place[:-1]:
        holder = holder[step]
    del holder[place[-1]]
    return body


def asked_of(format: str) -> Any:
    """A request for a tool and for thoughts, as another format's caller wrote it."""
    inbound = FORMATS[FORMATS.index(format) - 1]
    return orjson.loads(sent(inbound, format, question(inbound, tools=True, thinks=True)))


def told_by(format: str) -> Any:
    provider = "anthropic" if format != "anthropic" else "gemini"
    raw = orjson.dumps(RECORDED[provider][0])
    return orjson.loads(
        exchange.convert_answer(format, Target(provider, "m"), raw, CallFacts("m"), OPTIONS)[0]
    )


def heard_in(format: str) -> list[Any]:
    name = "anthropic/text_then_tool" if format != "anthropic" else "openai_chat/text_then_tool"
    return list(told_in(run(open_pipe(name, inbound=format), read(name))))


@changes(REQUESTS)
def test_a_wrong_request_is_caught(format: str, place: tuple[Any, ...], value: Any, word: str) -> None:
    body = asked_of(format)
    document, name = DOCUMENTS[format], CALLS[format]
    assert faults(document, "asked", name, body) == []
    assert word in " ".join(faults(document, "asked", name, changed(body, place, value)))


@changes(TOLD)
def test_a_wrong_answer_is_caught(format: str, place: tuple[Any, ...], value: Any, word: str) -> None:
    body = told_by(format)
    document, name = DOCUMENTS[format], ANSWERS[format]
    assert faults(document, "told", name, body) == []
    assert word in " ".join(faults(document, "told", name, changed(body, place, value)))


@changes(HEARD)
def test_a_wrong_event_is_caught(format: str, place: tuple[Any, ...], value: Any, word: str) -> None:
    document, name = DOCUMENTS[format], EVENTS[format]
    for event in heard_in(format):
        assert faults(document, "told", name, event) == []
    event = next(event for event in heard_in(format) if _has(event, place) or "unexpected" in word)
    assert word in " ".join(faults(document, "told", name, changed(event, place, value)))


def _has(event: Any, place: tuple[Any, ...]) -> bool:
    try:
        for step in place:
            event = event[step]
    except (KeyError, IndexError, TypeError):
        return False
    return event is not None


# ---------------------------------------------------------------- amendments


@pytest.mark.parametrize("place", FIELDS, ids=lambda place: place[2])
def test_a_field_that_is_added_is_not_in_the_document(place: tuple[str, str, str]) -> None:
    owner, field = owner_of(published(place[1]), place[2])
    assert field not in owner["properties"], "described by now: take it out of the amendments"


@pytest.mark.parametrize("place", MISSING, ids=lambda place: place[2])
def test_a_field_that_may_be_missing_is_demanded_by_the_document(place: tuple[str, str, str]) -> None:
    owner, field = owner_of(published(place[1]), place[2])
    assert field in owner["required"], "not demanded any more: take it out of the amendments"


@pytest.mark.parametrize("place", NULLS, ids=lambda place: place[2])
def test_a_field_that_may_be_null_is_none_in_the_document(place: tuple[str, str, str]) -> None:
    owner, field = owner_of(published(place[1]), place[2])
    assert "null" not in json.dumps(owner["properties"][field].get("anyOf", [])), "null by now: as above"


def test_every_amendment_says_why() -> None:
    said = [reason for _, reason in (*FIELDS.values(), *OTHERS.values())] + [
        *MISSING.values(),
        *NULLS.values(),
    ]
    assert all(len(reason) > 15 for reason in said)
    for side, document, path in (*FIELDS, *MISSING, *NULLS, *OTHERS):
        assert side in ("asked", "told") and path.partition(".")[0] in schemas(document, side)
