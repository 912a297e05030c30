"""Reads a chat completion request into an `Ask`: what is said, offered and demanded."""

from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from proxy_app.providers.sandbox.reply import Refused, digest

JSON = dict[str, Any]
ToolMode = Literal["auto", "required", "none"]

IMAGE_TOKENS = 85
MESSAGE_TOKENS = 4
CACHE_FLOOR = 1024
CACHE_STEP = 128


def count_tokens(text: str) -> int:
    """The sandbox's token estimate: four UTF-8 bytes a token, rounded up."""
    return (len(text.encode()) + 3) // 4


@dataclass(frozen=True, slots=True)
class ToolOffer:
    name: str
    kind: Literal["function", "custom"]
    schema: JSON


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `seed` depends on what is asked, not on how it is delivered."""

    model: str
    seed: str
    last_text: str
    images: int
    tool_results: tuple[str, ...]
    tools: tuple[ToolOffer, ...]
    tool_mode: ToolMode
    parallel_tools: bool
    output: Literal["text", "json", "schema"]
    schema: JSON
    stream: bool
    include_usage: bool
    choices: int
    max_tokens: int | None
    stop: tuple[str, ...]
    prompt_tokens: int
    cached_tokens: int


def read_ask(body: JSON) -> Ask:
    """Raises Refused (400) on a body the real API would refuse."""
    messages = _messages(body)
    tools = _tools(body)
    tool_mode, tools = _tool_choice(body.get("tool_choice"), tools)
    output, schema = _output(body.get("response_format"))
    prompt_tokens, cached_tokens = _prompt_tokens(messages, body.get("tools"))
    last_user = next((m for m in reversed(messages) if m["role"] == "user"), None)
    return Ask(
        model=str(body["model"]),
        seed=digest(messages, body.get("tools"), body.get("response_format"), body.get("seed")),
        last_text=_text_of(last_user) if last_user else "",
        images=_images_of(last_user) if last_user else 0,
        tool_results=_tool_results(messages),
        tools=tools,
        tool_mode=tool_mode,
        parallel_tools=body.get("parallel_tool_calls") is not False,
        output=output,
        schema=schema,
        stream=body.get("stream") is True,
        include_usage=_object(body.get("stream_options")).get("include_usage") is True,
        choices=_integer(body, "n", 1, 128) or 1,
        max_tokens=_integer(body, "max_completion_tokens", 1) or _integer(body, "max_tokens", 1),
        stop=_stop(body.get("stop")),
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
    )


def _messages(body: JSON) -> list[JSON]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "'messages' must be a list with at least one message.", param="messages")
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refused(400, "Each message must be an object with a 'role'.", param=f"messages[{position}]")
    return messages


def _integer(body: JSON, name: str, least: int, most: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most and value > most):
        limit = f"from {least} to {most}" if most else f"of at least {least}"
        raise Refused(400, f"'{name}' must be an integer {limit}.", code="invalid_value", param=name)
    return value


def _stop(stop: Any) -> tuple[str, ...]:
    texts = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "'stop' must be a text or a list of texts.", param="stop")
    return tuple(text for text in texts if text)


def _parts(message: JSON) -> list[JSON]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text_of(message: JSON) -> str:
    return " ".join(str(part.get("text") or "") for part in _parts(message) if part.get("type") == "text")


def _images_of(message: JSON) -> int:
    return sum(part.get("type") == "image_url" for part in _parts(message))


def _tool_results(messages: list[JSON]) -> tuple[str, ...]:
    """The results after the last assistant turn; empty unless the conversation ends with them."""
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, _text_of(message))
    return tuple(results)


def _tools(body: JSON) -> tuple[ToolOffer, ...]:
    if body.get("functions"):
        raise Refused(
            400,
            "Use 'tools': 'functions' is not supported here.",
            code="unsupported_parameter",
            param="functions",
        )
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise Refused(400, "'tools' must be a list.", param="tools")
    return tuple(_tool(tool, position) for position, tool in enumerate(tools))


def _tool(tool: Any, position: int) -> ToolOffer:
    kind: Literal["function", "custom"] = "function"
    if isinstance(tool, dict) and tool.get("type") == "custom":
        kind = "custom"
    definition = tool.get(kind) if isinstance(tool, dict) else None
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise Refused(
            400, "A tool must be a function or custom tool with a name.", param=f"tools[{position}]"
        )
    schema = definition.get("parameters")
    return ToolOffer(definition["name"], kind, schema if isinstance(schema, dict) else {})


def _tool_choice(choice: Any, tools: tuple[ToolOffer, ...]) -> tuple[ToolMode, tuple[ToolOffer, ...]]:
    """The mode, and the tools that may be called under it."""
    if choice is None:
        return "auto", tools
    if isinstance(choice, str) and choice in ("auto", "required", "none"):
        return cast(ToolMode, choice), tools
    if not isinstance(choice, dict):
        raise Refused(400, "'tool_choice' is not understood.", param="tool_choice")
    if choice.get("type") == "allowed_tools":
        allowed = _object(choice.get("allowed_tools"))
        mode: ToolMode = "required" if allowed.get("mode") == "required" else "auto"
        names = {_chosen_name(tool) for tool in allowed.get("tools") or ()}
    else:
        mode, names = "required", {_chosen_name(choice)}
    chosen = tuple(tool for tool in tools if tool.name in names)
    if not chosen:
        raise Refused(400, "'tool_choice' names a tool that is not in 'tools'.", param="tool_choice")
    return mode, chosen


def _object(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def _chosen_name(choice: Any) -> str:
    if not isinstance(choice, dict):
        return ""
    definition = choice.get(choice.get("type") or "")
    return str(definition.get("name")) if isinstance(definition, dict) else ""


def _output(wanted: Any) -> tuple[Literal["text", "json", "schema"], JSON]:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return "json", {}
    if kind == "json_schema":
        schema = _object(wanted.get("json_schema")).get("schema")
        if not isinstance(schema, dict):
            raise Refused(400, "A JSON schema is missing.", param="response_format.json_schema.schema")
        return "schema", schema
    if wanted is not None and kind != "text":
        raise Refused(400, "'response_format' is not understood.", param="response_format")
    return "text", {}


def _prompt_tokens(messages: list[JSON], tools: Any) -> tuple[int, int]:
    """All tokens of the prompt, and those a real provider would have had in its cache: what
    stands before the last user turn, once that is long enough, in whole steps."""
    tools_tokens = count_tokens(orjson.dumps(tools).decode()) if tools else 0
    sizes = [_message_tokens(message) for message in messages]
    users = [position for position, message in enumerate(messages) if message["role"] == "user"]
    before = tools_tokens + sum(sizes[: users[-1]] if users else sizes)
    cached = before // CACHE_STEP * CACHE_STEP if before >= CACHE_FLOOR else 0
    return tools_tokens + sum(sizes), cached


def _message_tokens(message: JSON) -> int:
    calls = message.get("tool_calls")
    called = count_tokens(orjson.dumps(calls).decode()) if calls else 0
    return MESSAGE_TOKENS + count_tokens(_text_of(message)) + IMAGE_TOKENS * _images_of(message) + called
