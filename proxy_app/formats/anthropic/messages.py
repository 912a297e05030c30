"""Anthropic messages and content blocks, read into turns. Every block is carried or refused by name.

Text documents and search results become text, under their title: every model takes it.
"""

from collections.abc import Iterable

import orjson

from gateway_project.errors import InvalidBody, UnsupportedContent
from proxy_app.formats.anthropic.blocks import PROVIDER, UNSIGNED
from proxy_app.formats.anthropic.citations import read_citation
from proxy_app.formats.media import is_data_url, is_web_url, split_data_url
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.formats.signing import sealed_thought
from proxy_app.wire import JSON, File, Image, Part, Role, Text, Thinking, ToolCall, ToolResult, Turn

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_MEDIA = frozenset({"text", "image", "document", "search_result"})
_KINDS: dict[str, frozenset[str]] = {
    "user": _MEDIA | {"tool_result"},
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "system": frozenset({"text"}),
    "tool_result": _MEDIA,
    "document": frozenset({"text", "image"}),
    "search_result": frozenset({"text"}),
}


def parse_messages(messages: Iterable[Fields]) -> list[Turn]:
    """All messages as turns. Raises InvalidBody (wrong types, a result without its call, nothing that says
    something) and UnsupportedContent."""
    names: dict[str, str] = {}  # tool call id -> tool name
    turns: list[Turn] = []
    told = list(messages)
    last_user = max((at for at, message in enumerate(told) if message.text("role") == "user"), default=-1)
    for position, message in enumerate(told):
        role = _ROLES[message.text("role")]
        if role == "system" and _is_silent(message, before_user=position < last_user):
            continue
        parts = _content(message, "content", role, names)
        turns.append(Turn(role, parts, message.path))
    if not turns:
        raise InvalidBody("'messages' hold nothing to answer.", param="messages")
    return turns


def _is_silent(message: Fields, *, before_user: bool) -> bool:
    """Whether a system message says nothing any more: it only sets how the answer is to be, or was for the
    user's turn before."""
    if message.maybe_text("clear_at") == "next_user_message" and before_user:
        return True
    return message.get("content") in ([], "") or (
        message.get("content") is None and bool(message.maybe_json("output_config"))
    )


def effort_of_turn(messages: Iterable[Fields]) -> str | None:
    """The effort that a system message asks for in the turn that is to be answered; the last counts."""
    effort = None
    for message in messages:
        settings = message.maybe_object("output_config")
        if message.text("role") == "assistant":
            effort = None  # it was said of the turn before
        elif settings is not None:
            effort = settings.maybe_text("effort") or effort
    return effort


def parse_texts(fields: Fields, key: str) -> list[Text]:
    """A text or an array of text blocks; none when absent."""
    if fields.get(key) is None:
        return []
    return [part for part in _content(fields, key, "system", {}) if isinstance(part, Text)]


def _content(holder: Fields, key: str, place: str, names: dict[str, str]) -> list[Part]:
    """The parts of a text or an array of blocks; `place` says which kinds of block may stand there."""
    value = holder.get(key)
    if isinstance(value, str):
        return [Text(value)]
    if value is None:
        raise InvalidBody(f"'{holder.at(key)}' is missing.", param=holder.at(key))
    if not isinstance(value, list):
        raise wrong_type(holder.at(key), "a string or an array of blocks")
    return [part for block in holder.objects(key) for part in _block(block, place, names)]


def _block(block: Fields, place: str, names: dict[str, str]) -> list[Part]:
    kind = block.text("type")
    if kind not in _KINDS[place]:
        where = f"a message of the role '{place}'" if place in _ROLES else f"a '{place}' block"
        raise _unsupported(block.path, f"blocks of the type '{kind[:60]}' in {where}")
    match kind:
        case "text":
            citations = [read_citation(one.data) for one in block.objects("citations")]
            return [Text(block.text("text"), block.maybe_json("cache_control"), citations)]
        case "image":
            return [_image(block)]
        case "document":
            return _document(block)
        case "search_result":
            return [_search_result(block)]
        case "tool_use":
            call = _tool_call(block)
            names[call.id] = call.name
            return [call]
        case "tool_result":
            return [_tool_result(block, names)]
    return [_thought(block, kind)]


def _image(block: Fields) -> Image:
    source, cache_control = block.object("source"), block.maybe_json("cache_control")
    match source.text("type"):
        case "base64":
            data, media_type = source.text("data"), source.text("media_type")
            return Image(data=data, media_type=media_type, cache_control=cache_control, path=block.path)
        case "url":
            url = source.text("url")
            if is_data_url(url):
                media_type, data = split_data_url(url, source.at("url"))
                return Image(data=data, media_type=media_type, cache_control=cache_control, path=block.path)
            _check_web_url(url, source)
            return Image(url=url, cache_control=cache_control, path=block.path)
        case "file":
            raise _unsupported(block.path, "a file known to another provider")
    raise wrong_type(source.at("type"), "base64, url or file")


def _check_web_url(url: str, source: Fields) -> None:
    if not is_web_url(url):
        raise wrong_type(source.at("url"), "an http(s) URL")


def _document(block: Fields) -> list[Part]:
    """A file, its context told before it; or the text and images a document is made of."""
    _refuse_citations(block)
    source, cache_control = block.object("source"), block.maybe_json("cache_control")
    title, context = block.maybe_text("title"), block.maybe_text("context")
    heading = "\n".join(line for line in (title, context) if line)
    file = File(filename=title, cache_control=cache_control, path=block.path)
    match source.text("type"):
        case "base64":
            file.data, file.media_type = source.text("data"), source.text("media_type")
        case "url":
            file.url, file.media_type = source.text("url"), "application/pdf"
            _check_web_url(file.url, source)
        case "file":
            file.file_id = source.text("file_id")
        case "text":
            return [Text(_under(heading, source.text("data")), cache_control)]
        case "content":
            return _made_of(_content(source, "content", "document", {}), heading, cache_control)
        case _:
            raise wrong_type(source.at("type"), "base64, text, url, content or file")
    return [Text(context), file] if context else [file]


def _made_of(parts: list[Part], heading: str, cache_control: JSON | None) -> list[Part]:
    """A document's own parts under its heading; the last of them bears its cache mark."""
    if heading:
        parts = [Text(heading), *parts]
    if cache_control is not None and parts and isinstance(parts[-1], Text | Image):
        parts[-1].cache_control = cache_control
    return parts


def _under(heading: str, text: str) -> str:
    return f"{heading}\n\n{text}" if heading else text


def _search_result(block: Fields) -> Text:
    _refuse_citations(block)
    texts = [part.text for part in _content(block, "content", "search_result", {}) if isinstance(part, Text)]
    heading = f"{block.text('title')}\n{block.text('source')}"
    return Text(_under(heading, "\n".join(texts)), block.maybe_json("cache_control"))


def _refuse_citations(block: Fields) -> None:
    citations = block.maybe_object("citations")
    if citations is not None and citations.maybe_flag("enabled"):
        raise _unsupported(block.at("citations"), "citations of documents")


def _tool_call(block: Fields) -> ToolCall:
    return ToolCall(
        block.text("id"),
        block.text("name"),
        orjson.dumps(block.object("input").data).decode(),
        cache_control=block.maybe_json("cache_control"),
        path=block.path,
    )


def _tool_result(block: Fields, names: dict[str, str]) -> ToolResult:
    call_id = block.text("tool_use_id")
    if call_id not in names:
        raise InvalidBody(
            f"'{block.at('tool_use_id')}' names no 'tool_use' block of an earlier assistant message.",
            param=block.at("tool_use_id"),
        )
    parts = [] if block.get("content") is None else _content(block, "content", "tool_result", {})
    is_error, cache_control = block.maybe_flag("is_error") or False, block.maybe_json("cache_control")
    return ToolResult(call_id, parts, names[call_id], is_error, cache_control)


def _thought(block: Fields, kind: str) -> Thinking:
    """A thought with whose signature it bears: this format's own, or another family's under its tag."""
    if kind == "redacted_thinking":
        thought = sealed_thought("", block.text("data"), PROVIDER)
        if thought.redacted is None:
            thought.redacted, thought.signature = thought.signature, None
        return thought
    text, seal = block.text("thinking"), block.maybe_text("signature")
    return Thinking(text) if seal == UNSIGNED else sealed_thought(text, seal, PROVIDER)


def _unsupported(path: str, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"'{path}': {what} cannot be carried to this model.", param=path)
