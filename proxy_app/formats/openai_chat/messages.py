"""Chat Completions messages and parts, read into turns. Every part is carried or refused by name."""

from collections.abc import Iterable
from typing import Literal

from gateway_project.errors import InvalidBody, UnsupportedContent
from proxy_app.formats.media import AUDIO_TYPES, guess_type, is_data_url, is_web_url, split_data_url
from proxy_app.formats.reading import Fields, cache_mark, wrong_type
from proxy_app.formats.signing import sealed_thought, untag_signature
from proxy_app.wire import Audio, File, Image, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult, Turn

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def parse_messages(messages: Iterable[Fields]) -> list[Turn]:
    """All messages as turns; tool results of neighbouring messages stand in one user turn.

    Raises InvalidBody (wrong types, a result without its call) and UnsupportedContent.
    """
    turns: list[Turn] = []
    names: dict[str, str] = {}  # tool call id -> function name
    was_tool = False
    for message in messages:
        role = message.text("role")
        if role == "tool":
            result = _tool_result(message, names)
            if was_tool:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn("user", [result]))
        elif role in _ROLES:
            turns.append(_turn(message, _ROLES[role], names))
        else:
            raise UnsupportedContent(
                f"'{message.at('role')}': messages with the role '{role}' cannot be carried to this model.",
                param=message.at("role"),
            )
        was_tool = role == "tool"
    return turns


def _turn(message: Fields, role: Role, names: dict[str, str]) -> Turn:
    if role != "assistant":
        return Turn(role, _content(message, role))
    parts: list[Part] = _thoughts(message)
    parts += _content(message, role)
    if refusal := message.maybe_text("refusal"):
        parts.append(Refusal(refusal))
    if message.get("audio") is not None:
        raise _unsupported(message.at("audio"), "earlier audio answers")
    if message.get("function_call") is not None:
        raise _unsupported(message.at("function_call"), "'function_call' (use 'tool_calls')")
    for call in message.objects("tool_calls"):
        parts.append(tool_call := _tool_call(call))
        names[tool_call.id] = tool_call.name
    return Turn(role, parts, message.path)


def _content(message: Fields, role: Role | Literal["tool"]) -> list[Part]:
    value = message.get("content")
    if isinstance(value, str):
        return [Text(value, message.maybe_json("cache_control"))]
    if value is None:
        if role == "assistant":
            return []
        raise InvalidBody(f"'{message.at('content')}' is missing.", param=message.at("content"))
    if not isinstance(value, list):
        raise wrong_type(message.at("content"), "a string or an array of parts")
    return [_part(part, role) for part in message.objects("content")]


def _part(part: Fields, role: Role | Literal["tool"]) -> Part:
    kind = part.text("type")
    if kind == "text":
        return Text(part.text("text"), cache_mark(part))
    if kind == "refusal" and role == "assistant":
        return Refusal(part.text("refusal"))
    if role == "tool" and kind == "image_url":
        return _image(part)  # OpenAI takes text alone; tools that look at things give pictures
    if role == "user":
        match kind:
            case "image_url":
                return _image(part)
            case "file":
                return _file(part)
            case "input_audio":
                return _audio(part)
    raise _unsupported(part.path, f"parts of the type '{kind[:60]}' in a message of the role '{role}'")


def _image(part: Fields) -> Image:
    image = part.object("image_url")
    url, detail = image.text("url"), image.maybe_text("detail")
    cache_control = cache_mark(part)
    if is_data_url(url):
        media_type, data = split_data_url(url, image.at("url"))
        return Image(
            data=data, media_type=media_type, detail=detail, cache_control=cache_control, path=part.path
        )
    if not is_web_url(url):
        raise wrong_type(image.at("url"), "a data URL or an http(s) URL")
    return Image(url=url, detail=detail, cache_control=cache_control, path=part.path)


def _file(part: Fields) -> File | Image:
    """`file_data` is a data URL; bare base64 counts when the file name tells what it is."""
    file = part.object("file")
    data, name = file.maybe_text("file_data"), file.maybe_text("filename")
    cache_control = cache_mark(part)
    media_type: str | None
    if data is None:
        file_id = file.maybe_text("file_id")
        if file_id is None:
            raise InvalidBody(f"'{file.path}' needs 'file_data' or 'file_id'.", param=file.path)
        return File(file_id=file_id, filename=name, cache_control=cache_control, path=part.path)
    if is_data_url(data):
        media_type, data = split_data_url(data, file.at("file_data"))
    elif is_web_url(data):
        return File(
            url=data, media_type=guess_type(data), filename=name, cache_control=cache_control, path=part.path
        )
    else:
        media_type = guess_type(name) or "application/pdf"
    if media_type.startswith("image/"):
        return Image(data=data, media_type=media_type, cache_control=cache_control, path=part.path)
    return File(data=data, media_type=media_type, filename=name, cache_control=cache_control, path=part.path)


def _audio(part: Fields) -> Audio:
    audio = part.object("input_audio")
    form = audio.text("format")
    if form not in AUDIO_TYPES:
        raise wrong_type(audio.at("format"), "wav or mp3")
    return Audio(audio.text("data"), AUDIO_TYPES[form], path=part.path)


def _thoughts(message: Fields) -> list[Part]:
    """Thoughts an earlier answer of ours carried: signed blocks, else the bare text."""
    thoughts: list[Part] = []
    for block in message.objects("thinking_blocks"):
        if block.get("type") == "redacted_thinking":
            data, signer = untag_signature(block.text("data"), "anthropic")
            thoughts.append(Thinking("", redacted=data, provider=signer))
        else:
            text, seal = block.maybe_text("thinking") or "", block.maybe_text("signature")
            thoughts.append(sealed_thought(text, seal, "anthropic"))
    if not thoughts and (bare := message.maybe_text("reasoning_content")):
        thoughts.append(Thinking(bare))
    return thoughts


def _tool_call(call: Fields) -> ToolCall:
    kind = call.maybe_text("type") or "function"
    if kind != "function":
        raise _unsupported(call.path, f"tool calls of the type '{kind[:60]}'")
    function = call.object("function")
    extra = call.maybe_object("extra_content")
    google = extra.maybe_object("google") if extra is not None else None
    return ToolCall(
        call.text("id"),
        function.text("name"),
        function.maybe_text("arguments") or "",
        signature=google.maybe_text("thought_signature") if google is not None else None,
        cache_control=call.maybe_json("cache_control"),
        path=call.path,
    )


def _tool_result(message: Fields, names: dict[str, str]) -> ToolResult:
    call_id = message.text("tool_call_id")
    if call_id not in names:
        raise InvalidBody(
            f"'{message.at('tool_call_id')}' names no tool call of an earlier assistant message.",
            param=message.at("tool_call_id"),
        )
    parts = _content(message, "tool")
    return ToolResult(call_id, parts, names[call_id], cache_control=message.maybe_json("cache_control"))


def _unsupported(path: str, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"'{path}': {what} cannot be carried to this model.", param=path)
