"""Objects of a body that are put into other words than the caller's: held to the format they come from before
that is done, since only what is known of an object lasts. Refusals name the caller's own places. Pure.
"""

from collections.abc import Iterator
from typing import Any, Final

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.knowing import Kinds, Place, Shape, named
from proxy_app.formats.messages_mixtures import block_of, heads, is_split, messages_tool
from proxy_app.formats.mixtures import is_chat_tool
from proxy_app.formats.reading import as_list, as_object, as_text, wrong_type
from proxy_app.formats.registry import INBOUND
from proxy_app.formats.responses_mixtures import address_of, flat_tool, part_of
from proxy_app.wire import JSON


def _within(form: str, *steps: str) -> Shape | Kinds:
    kind: Shape | Kinds = INBOUND[form].known.body
    for step in steps:
        kind = kind.shapes[step] if isinstance(kind, Kinds) else kind.inside[step]
    return kind


_CHAT, _CLAUDE, _RESPONSES = "openai_chat", "anthropic", "openai_responses"
_PART: Final = _within(_CHAT, "messages", "user", "content")
_BLOCK: Final = _within(_CLAUDE, "messages", "user", "content")
_TOOLS: Final = {
    _CHAT: _within(_CHAT, "tools", "function"),
    _CLAUDE: _within(_CLAUDE, "tools", "custom"),
    _RESPONSES: _within(_RESPONSES, "tools", "function"),
}
#: What a message of Chat Completions may hold that has no place in a shape.
_HOMELESS: Final = {
    _CLAUDE: ("audio", "function_call"),
    _RESPONSES: ("audio", "function_call", "thinking_blocks", "reasoning_content"),
}
_LISTS = ("tool_calls", "thinking_blocks")


def check_foreign(body: JSON, shape: str) -> None:
    """Raises UnsupportedParameter for what would be lost, InvalidBody for a wrong type that would be."""
    for position, tool in enumerate(as_list(body.get("tools"))):
        _check_tool(tool, shape, ((None, "tools"), position))
    _check_choice(as_object(body.get("tool_choice")), shape)
    _check_form(body.get("response_format"))
    _check_system(body.get("system"), shape)
    if shape == _CLAUDE:
        messages = as_list(body.get("messages"))
        head = heads(messages)
        for position, message in enumerate(messages):
            _check_turn(as_object(message), ((None, "messages"), position), is_head=position < head)
    else:
        for position, item in enumerate(as_list(body.get("input"))):
            _check_item(as_object(item), ((None, "input"), position))


def _hold(form: str, value: JSON, kind: Shape | Kinds, place: Place) -> None:
    INBOUND[form].known.check_object(value, kind, place)


def _check_tool(tool: Any, shape: str, place: Place) -> None:
    rewritten = messages_tool(tool) if shape == _CLAUDE else flat_tool(tool)
    if rewritten is tool:
        return
    form = _CHAT if is_chat_tool(tool) else _RESPONSES if shape == _CLAUDE else _CLAUDE
    _hold(form, tool, _TOOLS[form], place)


def _check_choice(choice: JSON, shape: str) -> None:
    if isinstance(choice.get("function"), dict):
        _hold(_CHAT, choice, _within(_CHAT, "tool_choice"), (None, "tool_choice"))
    elif shape == _RESPONSES and as_text(choice.get("type")) in ("tool", "any", "auto", "none"):
        _hold(_CLAUDE, choice, _within(_CLAUDE, "tool_choice"), (None, "tool_choice"))


def _check_form(form: Any) -> None:
    if form is None:
        return
    if not isinstance(form, dict):
        raise wrong_type("response_format", "an object")
    if not isinstance(form.get("json_schema"), dict | None):
        raise wrong_type("response_format.json_schema", "an object")
    _hold(_CHAT, form, _within(_CHAT, "response_format"), (None, "response_format"))


def _check_system(system: Any, shape: str) -> None:
    if not isinstance(system, str | list | None):
        raise wrong_type("system", "a string or an array of blocks")
    for position, block in enumerate(as_list(system)):
        place = (None, "system"), position
        if shape == _RESPONSES:
            if as_object(block).get("type") != "text":
                raise wrong_type(named(place), "a block of text")
            _hold(_CLAUDE, block, _within(_CLAUDE, "system"), place)


# ---------------------------------------------------------------- messages


def _check_turn(message: JSON, place: Place, *, is_head: bool) -> None:
    if is_head or is_split(message):
        _check_message(message, _CLAUDE, place)
    for part, where in _parts(message, place):
        if block_of(part) is not part:
            _hold(_CHAT, part, _PART, where)


def _check_item(item: JSON, place: Place) -> None:
    role = as_text(item.get("role"))
    parts = list(_parts(item, place))
    if role == "tool" or item.get("tool_calls"):
        _check_message(item, _RESPONSES, place)
    elif any(as_text(part.get("type")) in ("tool_use", "tool_result") for part, _ in parts):
        _hold(_CLAUDE, _alone(item), _within(_CLAUDE, "messages"), place)
    for part, where in parts if role else ():
        _check_part(part, where)


def _check_part(part: JSON, place: Place) -> None:
    """A part of an item, and those of a result that it is."""
    kind = as_text(part.get("type"))
    if kind == "image" and not address_of(as_object(part.get("source"))):
        raise UnsupportedParameter(f"'{named(place)}' cannot be carried to this model.", param=named(place))
    if kind in ("tool_use", "tool_result", "image"):
        _hold(_CLAUDE, part, _BLOCK, place)
    elif kind != "text" and part_of(part, "user") is not part:
        _hold(_CHAT, part, _PART, place)
    if kind == "tool_result":
        _check_text(part, place)
        if not isinstance(part.get("is_error"), bool | None):
            raise wrong_type(named((place, "is_error")), "true or false")
        for inner, where in _parts(part, place):
            _check_part(inner, where)


def _check_message(message: JSON, shape: str, place: Place) -> None:
    """A message of Chat Completions without its parts."""
    _check_text(message, place)
    for name in _LISTS:
        if not isinstance(message.get(name), list | None):
            raise wrong_type(named((place, name)), "an array")
    if not isinstance(message.get("refusal"), str | None):
        raise wrong_type(named((place, "refusal")), "a string")
    for name in _HOMELESS[shape]:
        if message.get(name):
            path = named((place, name))
            raise UnsupportedParameter(f"'{path}' cannot be carried to this model.", param=path)
    _hold(_CHAT, _alone(message), _within(_CHAT, "messages"), place)


def _check_text(holder: JSON, place: Place) -> None:
    if not isinstance(holder.get("content"), str | list | None):
        raise wrong_type(named((place, "content")), "a string or an array")


def _alone(message: JSON) -> JSON:
    return {name: value for name, value in message.items() if name != "content"}


def _parts(holder: JSON, place: Place) -> Iterator[tuple[JSON, Place]]:
    for position, part in enumerate(as_list(holder.get("content"))):
        if isinstance(part, dict):
            yield part, ((place, "content"), position)
