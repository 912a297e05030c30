"""Messages as Chat Completions write them, and the formats that were made after it."""

from collections.abc import Callable

from gateway_project.errors import UnsupportedContent
from proxy_app.formats.carrying import cannot_carry, told_by
from proxy_app.formats.media import image_address
from proxy_app.wire import JSON, Image, OutputFormat, Part, Text, ToolResult


def user_messages(parts: list[Part], write: Callable[[Part], JSON]) -> list[JSON]:
    """Tool results first, one message each; media inside results follow in a user message, since a
    tool message takes only text."""
    messages: list[JSON] = []
    content: list[JSON] = []
    for part in parts:
        if isinstance(part, ToolResult):
            content += [write(inner) for inner in part.parts if not isinstance(inner, Text)]
            messages.append({"role": "tool", "tool_call_id": part.call_id, "content": told_by(part)})
        else:
            content.append(write(part))
    if len(content) == 1 and content[0]["type"] == "text":
        messages.append({"role": "user", "content": content[0]["text"]})
    elif content:
        messages.append({"role": "user", "content": content})
    return messages


def image_part(image: Image) -> JSON:
    shown: JSON = {"url": image_address(image)}
    if image.detail is not None:
        shown["detail"] = image.detail
    return {"type": "image_url", "image_url": shown}


def not_in(part: Part, where: str) -> UnsupportedContent:
    """The refusal of a kind of part in a kind of message."""
    kind = type(part).__name__.lower()
    return cannot_carry(part, f"a part of the kind '{kind}' in {where} cannot be carried to this model.")


def chat_format(output: OutputFormat) -> JSON:
    """A `response_format`, of an output that is no plain text."""
    if output.kind == "json":
        return {"type": "json_object"}
    schema: JSON = {"name": output.name or "answer", "schema": output.schema or {"type": "object"}}
    if output.strict is not None:
        schema["strict"] = output.strict
    if output.description is not None:
        schema["description"] = output.description
    return {"type": "json_schema", "json_schema": schema}
