"""The `response` object and its output items, written from our answers. Ids are made of the answer's own,
so that the same answer has the same ids, streamed or not."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_responses.building import SERVICE_TIERS
from proxy_app.formats.openai_responses.request import PROVIDER
from proxy_app.formats.openai_responses.tools import Offered, offered_tools
from proxy_app.formats.openai_responses.usage import ending, render_usage
from proxy_app.formats.reading import as_list, as_text
from proxy_app.formats.signing import seal_of
from proxy_app.wire import (
    JSON,
    Answer,
    Citation,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    Usage,
)

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_-]")
_MAX_ID_CHARS = 48  # of the answer's own part: the format takes ids of at most 64
#: Fields an answer repeats from the request, and what stands there when the caller left them out.
_REPEATED: JSON = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}
#: Fields that are repeated too, but are never null.
_REPEATED_IF_TOLD = ("prompt_cache_key", "safety_identifier", "user")


def answer_ids(upstream_id: str, options: RenderOptions) -> tuple[str, str]:
    """(the answer's id, what its items' ids are made of)."""
    stem = _NOT_IN_ID.sub("_", upstream_id.removeprefix("resp_") or options.answer_id)[:_MAX_ID_CHARS]
    return f"resp_{stem}", stem


def repeated(options: RenderOptions) -> JSON:
    """What every `response` object of one answer has in common."""
    request = options.request
    fields: JSON = {
        "object": "response",
        "background": False,
        "error": None,
        "max_tool_calls": None,
        "model": options.model,
        "previous_response_id": None,
        "store": False,
        "top_logprobs": 0,
    }
    for name, default in _REPEATED.items():
        value = request.get(name)
        fields[name] = default if value is None else value
    fields["tools"] = [_repeated_tool(tool) for tool in as_list(fields["tools"])]
    fields |= {name: request[name] for name in _REPEATED_IF_TOLD if request.get(name) is not None}
    if fields["truncation"] not in ("auto", "disabled"):
        fields["truncation"] = "disabled"
    fields["reasoning"] = {"effort": None, "summary": None} | (request.get("reasoning") or {})
    fields["text"] = {"format": {"type": "text"}} | {
        name: value for name, value in (request.get("text") or {}).items() if value is not None
    }
    return fields


def _repeated_tool(tool: Any) -> Any:
    """A function in an answer always tells its parameters and how strictly they are kept to."""
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return {"parameters": None, "strict": None} | tool


def response_object(
    common: JSON,
    answer_id: str,
    created: int,
    status: str,
    output: list[Any],
    usage: Usage | None = None,
    details: JSON | None = None,
    service_tier: str | None = None,
) -> JSON:
    tier = service_tier if service_tier in SERVICE_TIERS else "default"
    response = {
        "id": answer_id,
        "created_at": created,
        "status": status,
        **common,
        "incomplete_details": details,
        "output": output,
        "service_tier": tier,
    }
    return response if usage is None else response | {"usage": render_usage(usage)}


def render_answer(answer: Answer, options: RenderOptions) -> JSON:
    """A `response`. Thoughts go out as reasoning items; a signature of another family travels in
    `encrypted_content` under a tag, and comes back to that family only."""
    answer_id, stem = answer_ids(answer.id, options)
    status, details = ending(answer.finish)
    output = _output(answer.parts, stem, offered_tools(options.request), status)
    return response_object(
        repeated(options),
        answer_id,
        answer.created or options.created,
        status,
        output,
        answer.usage,
        details,
        answer.service_tier,
    )


def _output(parts: list[Part], stem: str, offered: Mapping[str, Offered], status: str) -> list[JSON]:
    """Items in order; text and refusal in a row are parts of one message. What ran out of room did so in
    the last item."""
    items: list[JSON] = []
    for part in parts:
        index = len(items)
        match part:
            case Text() | Refusal():
                rendered = (
                    text_part(part.text, _notes(part)) if isinstance(part, Text) else refusal_part(part)
                )
                if items and items[-1]["type"] == "message":
                    items[-1]["content"].append(rendered)
                else:
                    items.append(message_item(stem, index, [rendered], "completed"))
            case ToolCall():
                items.append(call_item(part, stem, index, offered, "completed"))
            case Thinking():
                items.append(reasoning_item(stem, index, part))
            case _:
                pass
    if items and status == "incomplete" and items[-1]["type"] in ("message", "function_call"):
        items[-1]["status"] = status
    return items


def message_item(stem: str, index: int, content: list[JSON], status: str) -> JSON:
    return {
        "id": f"msg_{stem}_{index}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def text_part(text: str, notes: list[JSON]) -> JSON:
    return {"type": "output_text", "text": text, "annotations": notes, "logprobs": []}


def refusal_part(refusal: Refusal) -> JSON:
    return {"type": "refusal", "refusal": refusal.text}


def _notes(text: Text) -> list[JSON]:
    return [render_citation(citation) for citation in text.citations]


def render_citation(citation: Citation) -> JSON:
    """A `url_citation`; what has no address is named by its title alone."""
    return {
        "type": "url_citation",
        "url": citation.url or "",
        "title": citation.title or "",
        "start_index": citation.start or 0,
        "end_index": citation.end or 0,
    }


def call_item(call: ToolCall, stem: str, index: int, offered: Mapping[str, Offered], status: str) -> JSON:
    """A function call, or the call of a custom tool that the function stood for, under the caller's names."""
    tool = offered.get(call.name) or Offered(call.name)
    item: JSON = {"status": status, "call_id": call.id, "name": tool.name}
    if tool.namespace is not None:
        item["namespace"] = tool.namespace
    if tool.is_custom:
        told = {"input": custom_input(call.arguments)}
        return {"id": f"ctc_{stem}_{index}", "type": "custom_tool_call", **item, **told}
    told = {"arguments": call.arguments or "{}"}
    return {"id": f"fc_{stem}_{index}", "type": "function_call", **item, **told}


def custom_input(arguments: str) -> str:
    """What a custom tool is given: the one string of the function that stood for it; else, from a model
    that wrote something else, just that."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    given = value.get("input") if isinstance(value, dict) else None
    return as_text(given) if isinstance(given, str) else arguments


def reasoning_item(stem: str, index: int, thought: Thinking) -> JSON:
    return {
        "id": f"rs_{stem}_{index}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": thought.text}] if thought.text else [],
        "encrypted_content": seal_of(thought, PROVIDER),
    }
