"""Gemini contents and parts, read into turns. Every part is carried or refused by name.

A stream's pieces come back as they were sent, one content each, so texts and thoughts of a model that
stand side by side are joined. Results are matched to calls by id, else by name in order; calls without an
id get one. Beside a part `partMetadata` (the caller's notes), `mediaResolution` and `mediaProcessing` are
dropped.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from gateway_project.errors import InvalidBody, UnsupportedContent
from proxy_app.formats.gemini.media import parse_media
from proxy_app.formats.gemini.signatures import own_signature, read_thought
from proxy_app.formats.gemini.spelling import CamelFields
from proxy_app.formats.reading import wrong_type
from proxy_app.wire import Part, Role, Text, Thinking, ToolCall, ToolResult, Turn

_ROLES: dict[str, Role] = {"user": "user", "function": "user", "tool": "user", "model": "assistant"}
#: What may stand beside the one thing that a part is.
_BESIDE = frozenset({"thought", "thoughtSignature", "partMetadata", "mediaResolution", "mediaProcessing"})
_KINDS: dict[str, frozenset[str]] = {
    "user": frozenset({"text", "inlineData", "fileData", "functionResponse"}),
    "assistant": frozenset({"text", "functionCall"}),
    "system": frozenset({"text"}),
}


def parse_contents(fields: CamelFields) -> list[Turn]:
    """All contents as turns. Raises InvalidBody (wrong types, a result without its call) and
    UnsupportedContent."""
    reader = _Reader()
    for content in _contents(fields, "contents"):
        role = content.maybe_text("role") or "user"
        if role not in _ROLES:
            raise wrong_type(content.at("role"), "user or model")
        reader.read(content, _ROLES[role])
    return reader.turns


def parse_instruction(fields: CamelFields) -> list[Turn]:
    """`systemInstruction`, whose role says nothing, as a system turn; none when it is absent or empty."""
    reader = _Reader()
    for content in _contents(fields, "systemInstruction"):
        reader.read(content, "system")
    return [turn for turn in reader.turns if turn.parts]


def _contents(fields: CamelFields, key: str) -> Iterator[CamelFields]:
    """Contents as a list or a single one, each an object or a bare text."""
    for position, content in enumerate(fields.one_or_more(key)):
        told = {"parts": [{"text": content}]} if isinstance(content, str) else content
        yield CamelFields(told, f"{fields.at(key)}[{position}]")


class _Reader:
    """Reads contents one after the other and remembers the calls that still want their result."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._calls: dict[str, str] = {}  # every tool call's id -> its name
        self._open: list[ToolCall] = []  # calls without a result, in order

    def read(self, content: CamelFields, role: Role) -> None:
        was_said = bool(self.turns) and self.turns[-1].role == role == "assistant"
        turn = self.turns[-1] if was_said else Turn(role, [])
        if not was_said:
            self.turns.append(turn)
        turn.path = content.path
        for position, value in enumerate(content.one_or_more("parts")):
            told = {"text": value} if isinstance(value, str) else value
            for part in self._part(CamelFields(told, f"{content.at('parts')}[{position}]"), role):
                if role != "assistant" or not _joined(turn.parts, part):
                    turn.parts.append(part)

    def _part(self, part: CamelFields, role: Role) -> list[Part]:
        kinds = [name for name, value in part.data.items() if value is not None and name not in _BESIDE]
        for kind in kinds:
            if kind not in _KINDS[role]:
                raise _unsupported(part.at(kind[:60]), f"'{kind[:60]}' of the role '{role}'")
        if len(kinds) > 1:
            raise InvalidBody(
                f"'{part.path}' must be of one kind, not {' and '.join(kinds)}.", param=part.path
            )
        signature = part.maybe_text("thoughtSignature")
        match kinds:
            case ["functionCall"]:
                return [self._call(part.object("functionCall"), signature)]
            case ["functionResponse"]:
                return [self._result(part.object("functionResponse"))]
            case ["inlineData" | "fileData"]:
                return [parse_media(part)]
        text = part.maybe_text("text") or ""
        if part.maybe_flag("thought"):
            return [read_thought(text, signature)]
        signed: list[Part] = [thought] if (thought := read_thought("", signature)).provider else []
        return [Text(text), *signed] if text or not signed else signed

    def _call(self, call: CamelFields, signature: str | None) -> ToolCall:
        for name in ("partialArgs", "willContinue"):
            if call.get(name):
                raise _unsupported(call.at(name), "a call in pieces")
        arguments = orjson.dumps(call.maybe_json("args") or {}).decode()
        call_id = call.maybe_text("id") or self._new_id()
        made = ToolCall(call_id, call.text("name"), arguments, own_signature(signature), path=call.path)
        self._calls[made.id] = made.name
        self._open.append(made)
        return made

    def _new_id(self) -> str:
        count = len(self._calls)
        while f"call_{count}" in self._calls:
            count += 1
        return f"call_{count}"

    def _result(self, result: CamelFields) -> ToolResult:
        if result.get("willContinue"):
            raise _unsupported(result.at("willContinue"), "a result in pieces")
        call_id, name = result.maybe_text("id") or "", result.maybe_text("name") or ""
        if call_id not in self._calls:
            same = [call for call in self._open if call.name == name]
            if not same:
                raise InvalidBody(f"'{result.path}' answers no earlier 'functionCall'.", param=result.path)
            call_id = same[0].id
        self._open = [call for call in self._open if call.id != call_id]
        parts, is_error = _told(result.maybe_json("response") or {})
        parts += [parse_media(part) for part in result.objects("parts")]
        return ToolResult(call_id, parts, self._calls[call_id], is_error)


def _told(response: dict[str, Any]) -> tuple[list[Part], bool]:
    """(what a tool gave, whether it failed): `output`, `result` or `error` standing alone is the text
    itself; any other object goes as JSON."""
    if not response:
        return [], False
    key, value = next(iter(response.items()))
    if len(response) > 1 or key not in ("output", "result", "error"):
        return [Text(orjson.dumps(response).decode())], False
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return [Text(text)] if text else [], key == "error"


def _joined(parts: list[Part], part: Part) -> bool:
    """Whether a piece of text or thought went into the one before it."""
    last = parts[-1] if parts else None
    match last, part:
        case Text(), Text(text):
            last.text += text
            return True
        case Thinking(_, None, None), Thinking(text, signature, None):
            if signature is None or last.provider in (None, part.provider):
                last.text += text
                last.signature, last.provider = signature, part.provider
                return True
    return False


def _unsupported(path: str, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"'{path}': {what} cannot be carried to this model.", param=path)
