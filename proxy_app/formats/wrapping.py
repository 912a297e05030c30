"""Schemas of an answer that are no object's (a list, one word of several), for providers that take objects
alone: the provider is asked for an object with the answer as its one value, and the caller gets that value,
whole or streamed. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import orjson

from proxy_app.wire import (
    JSON,
    Answer,
    Conversation,
    Finished,
    RefusalDelta,
    SignatureDelta,
    StreamEvent,
    Terminated,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCallStarted,
)

NAME = "value"
_BEGINNING = f'{{"{NAME}":'  # with blanks where JSON allows them
_GAPS = frozenset({0, 1, len(_BEGINNING) - 1})
_BLANKS = " \t\r\n"
_SHARED = ("$defs", "definitions")  # schemas that others refer to, from the root on
_NO_OBJECT = ("anyOf", "oneOf", "enum", "const", "items", "prefixItems")
#: A reference to the root, or to a place in it that moves with it.
_REFERENCE = re.compile(rb'("\$ref":"#)(?=["/])(?!/(?:\$defs|definitions)/)')
_ENDS_A_TEXT = (ThinkingDelta, SignatureDelta, ToolCallStarted, RefusalDelta, Finished, Terminated)


def wrap_schema(conversation: Conversation) -> bool:
    """Ask for an object around the answer where its schema is none; tells whether it did."""
    output = conversation.output
    if output.kind != "schema" or not output.schema or _is_object(output.schema):
        return False
    conversation.output = replace(output, schema=_wrapped(output.schema))
    return True


def _is_object(schema: JSON) -> bool:
    """What is said nowhere counts as one: the provider tells."""
    kind = schema.get("type")
    if kind is not None:
        return kind in ("object", ["object"])
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = _shared_at(schema, reference)
        return target is None or target.get("type") == "object"
    return not any(name in schema for name in _NO_OBJECT)


def _shared_at(schema: JSON, reference: str) -> JSON | None:
    root, _, rest = reference.partition("/")
    place, _, name = rest.partition("/")
    found = schema.get(place) if root == "#" and place in _SHARED else None
    target = found.get(name) if isinstance(found, dict) else None
    return target if isinstance(target, dict) else None


def _wrapped(schema: JSON) -> JSON:
    moved: JSON = orjson.loads(_REFERENCE.sub(rb"\1/properties/value", orjson.dumps(schema)))
    shared = {name: moved.pop(name) for name in _SHARED if name in moved}
    around: JSON = {"type": "object", "properties": {NAME: moved}, "required": [NAME]}
    return {**around, "additionalProperties": False, **shared}


def unwrap_answer(answer: Answer) -> None:
    for part in answer.parts:
        if isinstance(part, Text):
            unwrapping = Unwrapping()
            part.text = unwrapping.feed(part.text) + unwrapping.end()


class Unwrapping:
    """Takes the object off a text that comes in pieces. What does not begin as that object is as it is."""

    __slots__ = ("_depth", "_escaped", "_held", "_matched", "_quoted", "_state")

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._state = "before"  # then "within" and "after", or "other"
        self._held = ""
        self._matched = 0  # of the beginning
        self._depth = 0
        self._quoted = self._escaped = False

    def events(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        for event in events:
            if isinstance(event, TextDelta):
                if text := self.feed(event.text):
                    yield TextDelta(text)
                continue
            if isinstance(event, _ENDS_A_TEXT) and (rest := self.end()):
                yield TextDelta(rest)
            yield event

    def feed(self, text: str) -> str:
        if self._state == "before":
            text = self._after_beginning(text)
        if self._state == "within":
            return self._before_ending(text)
        return text if self._state == "other" else ""

    def end(self) -> str:
        """What was held back of a text that broke off before it told what it is."""
        held = self._held
        self._begin()
        return held

    def _after_beginning(self, text: str) -> str:
        self._held += text
        for at, letter in enumerate(text):
            if self._matched == len(_BEGINNING) and letter not in _BLANKS:
                self._state, self._held = "within", ""
                return text[at:]
            if self._matched < len(_BEGINNING) and letter == _BEGINNING[self._matched]:
                self._matched += 1
            elif not (letter in _BLANKS and self._matched in (*_GAPS, len(_BEGINNING))):
                held, self._held, self._state = self._held, "", "other"
                return held
        return ""

    def _before_ending(self, text: str) -> str:
        for at, letter in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped, self._quoted = letter == "\\", letter != '"'
            elif letter == '"':
                self._quoted = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "]},":
                if not self._depth:
                    self._state = "after"
                    return text[:at]
                self._depth -= letter != ","
        return text
