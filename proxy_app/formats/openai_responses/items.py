"""Responses input items, read into turns. Every item is carried or refused by name."""

from collections.abc import Iterable
from typing import Any

import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats.openai_responses.content import parse_content, unsupported
from proxy_app.formats.openai_responses.request import FAILED, PROVIDER
from proxy_app.formats.openai_responses.tools import flat_name
from proxy_app.formats.reading import Fields, as_list, as_object, as_text, wrong_type
from proxy_app.formats.signing import sealed_thought
from proxy_app.wire import JSON, Part, Role, Text, Thinking, ToolCall, ToolResult, Turn

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})


def parse_items(items: Iterable[Fields]) -> list[Turn]:
    """All items as turns: what the assistant thought, said and called in a row is one turn; so are
    tool results in a row.

    Raises InvalidBody (wrong types, a result without its call) and UnsupportedContent.
    """
    turns: list[Turn] = []
    names: dict[str, str] = {}  # call id -> function name
    last = ""
    for item in items:
        kind = _kind_of(item)
        if kind == "additional_tools":
            continue  # read with the other tools
        if kind == "message":
            _add_message(turns, item, last)
        elif kind in _RESULTS:
            result = _result(item, names)
            if last in _RESULTS:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn("user", [result]))
        else:
            part = _assistant_part(item, kind)
            if isinstance(part, ToolCall):
                names[part.id] = part.name
            if part != Thinking("", id=item.maybe_text("id")):  # one that shows nothing and signs nothing
                _add_assistant(turns, [part], item.path)
        last = kind
    return turns


def _kind_of(item: Fields) -> str:
    """The item's type: a message when there is only a role."""
    kind = item.maybe_text("type")
    if kind is None and item.get("role") is None:
        raise wrong_type(item.at("type"), "a string")
    return kind or "message"


def _add_message(turns: list[Turn], item: Fields, last: str) -> None:
    word = item.text("role")
    role = _ROLES.get(word)
    if role is None:
        raise unsupported(item.at("role"), f"messages with the role '{word[:60]}'")
    parts = parse_content(item, "content", role)
    follows = last == "message" and turns[-1].role == "assistant" and not _has_calls(turns[-1])
    if role != "assistant" or follows:
        turns.append(Turn(role, parts, item.path))
    else:
        _add_assistant(turns, parts, item.path)


def _add_assistant(turns: list[Turn], parts: list[Part], path: str) -> None:
    if turns and turns[-1].role == "assistant":
        turns[-1].parts.extend(parts)
        turns[-1].path = path
    else:
        turns.append(Turn("assistant", parts, path))


def _has_calls(turn: Turn) -> bool:
    return any(isinstance(part, ToolCall) for part in turn.parts)


def _assistant_part(item: Fields, kind: str) -> Part:
    match kind:
        case "function_call":
            return ToolCall(
                item.text("call_id"), _name_of(item), item.maybe_text("arguments") or "", path=item.path
            )
        case "custom_tool_call":
            arguments = custom_arguments(item.maybe_text("input") or "")
            return ToolCall(item.text("call_id"), _name_of(item), arguments, path=item.path)
        case "reasoning":
            return _thought(item)
    raise unsupported(item.path, f"items of the type '{kind[:60]}'")


def _name_of(call: Fields) -> str:
    return flat_name(call.text("name"), call.maybe_text("namespace"))


def custom_arguments(text: str) -> str:
    """The arguments of a custom tool's call, which a function with one string stands for."""
    return orjson.dumps({"input": text}).decode()


def _thought(item: Fields) -> Thinking:
    for key in ("summary", "content"):
        for part in item.objects(key):
            part.maybe_text("text")
    return sealed_thought(
        thought_text(item.data), item.maybe_text("encrypted_content"), PROVIDER, item.maybe_text("id")
    )


def thought_text(item: JSON) -> str:
    """What a reasoning item shows: its summaries, else the raw thoughts that open models tell."""

    def joined(parts: Any) -> str:
        texts = [as_text(as_object(part).get("text")) for part in as_list(parts)]
        return "\n\n".join(text for text in texts if text)

    return joined(item.get("summary")) or joined(item.get("content"))


def _result(item: Fields, names: dict[str, str]) -> ToolResult:
    call_id = item.text("call_id")
    if call_id not in names:
        raise InvalidBody(
            f"'{item.at('call_id')}' names no tool call of an earlier item.", param=item.at("call_id")
        )
    parts = parse_content(item, "output", "user")
    return ToolResult(call_id, parts or [Text("")], names[call_id], item.maybe_flag(FAILED) or False)
