"""JSON that is valid and yet refused by strict decoders: half of a UTF-16 pair, as `\\ud83d` alone, and
numbers that are none (`NaN`, `-Infinity`). Read here once the usual decoder has failed, and never before.

Servers in JavaScript and Java cut texts between the halves of a pair. Such a half is no character, and cannot
be written again. Whole texts have U+FFFD in its place; in a stream it waits for the other in the next piece.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from proxy_app.wire import (
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

REPLACEMENT = "\ufffd"
_HALF = re.compile("[\ud800-\udfff]")
#: A half that waits: a code point that is no character, and one of private use that tells which half.
_GUARD = "\ufdd0"
_HIGH, _LOW = 0xF0000, 0xF0400
_MARKED = re.compile(f"{_GUARD}[\U000f0000-\U000f07ff]")
_PAIR = re.compile(f"{_GUARD}([\U000f0000-\U000f03ff]){_GUARD}([\U000f0400-\U000f07ff])")
_WAITING = re.compile(f"{_GUARD}[\U000f0000-\U000f03ff]$")
_LONGEST = 18  # digits of a whole number that strict decoders take for sure

_TextKind = type[TextDelta] | type[ThinkingDelta] | type[RefusalDelta]


def load(data: bytes) -> Any:
    """Parsed JSON. Raises orjson.JSONDecodeError for what is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        if (written := mended(data)) is None:
            raise
        return orjson.loads(written)


def mended(data: bytes) -> bytes | None:
    """The same JSON as strict decoders take it, with U+FFFD for each half and null for what is no number;
    None where they take it already, and of what is no JSON at all."""
    return _written(data, lambda half: REPLACEMENT)


def marked(data: bytes) -> bytes | None:
    """As `mended`, with each half under a mark that `Halves` reads."""
    return _written(data, lambda half: _GUARD + chr(ord(half[0]) - 0xD800 + _HIGH))


def _written(data: bytes, put: Callable[[re.Match[str]], str]) -> bytes | None:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    else:
        return None
    try:
        value = json.loads(data.decode(), parse_constant=lambda name: None, parse_int=_number)
        return orjson.dumps(_with_each(value, put))
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST else float(digits)


def _with_each(value: Any, put: Callable[[re.Match[str]], str]) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub(put, value)
    if isinstance(value, dict):
        return {_with_each(name, put): _with_each(each, put) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_each(each, put) for each in value]
    return value


class Halves:
    """The events of a stream whose halves are marked, without marks. One at a text's end is joined with the
    other at the beginning of the next text of its kind (or of its call); U+FFFD stands for any other, before
    what is said next."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        #: by kind of text, and None with its index for a call
        self._kept: dict[tuple[_TextKind | None, int], str] = {}

    def feed(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        for event in events:
            match event:
                case TextDelta() | ThinkingDelta() | RefusalDelta():
                    yield from self._let_go((type(event), 0))
                    event.text = self._text((type(event), 0), event.text)
                    if event.text:
                        yield event
                case ToolCallDelta():
                    yield from self._let_go((None, event.index), but_calls=True)
                    event.fragment = self._text((None, event.index), event.fragment)
                    if event.fragment:
                        yield event
                case Started() | UsageReported():
                    yield _unmarked(event)
                case _:
                    yield from self._let_go(None, but_calls=isinstance(event, ToolCallStarted))
                    yield _unmarked(event)

    def _text(self, key: tuple[_TextKind | None, int], text: str) -> str:
        text = _PAIR.sub(_joined, self._kept.pop(key, "") + text)
        if (waits := _WAITING.search(text)) is not None:
            self._kept[key] = waits[0]
            text = text[: waits.start()]
        return _MARKED.sub(REPLACEMENT, text)

    def _let_go(
        self, key: tuple[_TextKind | None, int] | None, *, but_calls: bool = False
    ) -> Iterator[StreamEvent]:
        """U+FFFD for each half that waits no longer, since something else is said; calls may take turns."""
        for kind, index in [each for each in self._kept if each != key]:
            if kind is None:
                if but_calls:
                    continue
                yield ToolCallDelta(index, REPLACEMENT)
            else:
                yield kind(REPLACEMENT)
            del self._kept[kind, index]


def _joined(pair: re.Match[str]) -> str:
    return chr(0x10000 + ((ord(pair[1]) - _HIGH) << 10) + ord(pair[2]) - _LOW)


def _unmarked(value: Any) -> Any:
    """An event, or what it holds, without marks."""
    if isinstance(value, str):
        return _MARKED.sub(REPLACEMENT, _PAIR.sub(_joined, value)) if _GUARD in value else value
    if is_dataclass(value):
        for each in fields(value):
            setattr(value, each.name, _unmarked(getattr(value, each.name)))
    return value
