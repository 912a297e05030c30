"""The mock's Anthropic messages."""

from collections.abc import Mapping
from typing import Any

from tests.upstream.script import REFUSAL, SIGNATURE, Asked, Script, pieces
from tests.upstream.wire import JSON, MESSAGES, Frame, Quirks, dump, text_of

name = "anthropic"

_STOP = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "refusal": "refusal",
    "blocked": "refusal",
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def refuse_credential(headers: Mapping[str, str], query: Mapping[str, str], expected: str) -> Any:
    if headers.get("x-api-key") != expected and headers.get("authorization") != f"Bearer {expected}":
        return 401, "credential"
    return None if headers.get("anthropic-version") else (400, "body")


def read(body: JSON, path_model: str, stream: bool) -> Asked:
    blocks = [_blocks(message) for message in body["messages"]]
    users = [
        each for each, message in zip(blocks, body["messages"], strict=True) if message["role"] == "user"
    ]
    last = blocks[-1] if body["messages"][-1]["role"] == "user" else []
    said = text_of(last)
    results = () if said else tuple(text_of(b.get("content")) for b in last if b["type"] == "tool_result")
    choice = body.get("tool_choice") or {}
    tools = tuple(tool["name"] for tool in body.get("tools") or ())
    return Asked(
        model=body["model"],
        last_text=next((text for each in reversed(users) if (text := text_of(each))), ""),
        system=text_of(body.get("system")),
        tool_results=results,
        images=sum(block["type"] == "image" for each in users for block in each),
        tools=tools,
        forced={"tool": (choice.get("name"),), "any": tools}.get(choice.get("type"), ()),
        tools_off=choice.get("type") == "none",
        one_call=choice.get("disable_parallel_tool_use") is True,
        stop=tuple(body.get("stop_sequences") or ()),
        max_tokens=body["max_tokens"],
        stream=bool(body.get("stream")),
    )


def _blocks(message: JSON) -> list[JSON]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def plain(asked: Asked, script: Script, number: int, quirks: Quirks) -> JSON:
    content: list[JSON] = []
    if script.thinking:
        content.append({"type": "thinking", "thinking": script.thinking, "signature": SIGNATURE})
    if script.text:
        content.append({"type": "text", "text": script.text})
    for at, call in enumerate(script.calls):
        content.append(
            {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": call.name, "input": call.arguments}
        )
    message = _message(asked, number) | {"content": content} | _stop(script)
    message["usage"] = _input_usage(script) | _output_usage(script)
    if quirks.no_usage:
        del message["usage"]
    return message


def frames(asked: Asked, script: Script, number: int, quirks: Quirks) -> list[Frame]:
    start = _message(asked, number) | {"usage": _input_usage(script) | {"output_tokens": 1}}
    made = [Frame(_event("message_start", message=start)), Frame(_event("ping"))]
    for index, (block, deltas) in enumerate(_streamed_blocks(script, number)):
        made.append(Frame(_event("content_block_start", index=index, content_block=block)))
        made += [
            Frame(_event("content_block_delta", index=index, delta=delta), content=True) for delta in deltas
        ]
        made.append(Frame(_event("content_block_stop", index=index)))
        made.append(Frame(_event("ping")))
    usage = _input_usage(script) | _output_usage(script)
    made.append(Frame(_event("message_delta", delta=_stop(script), usage=usage)))
    if not quirks.no_done:
        made.append(Frame(_event("message_stop")))
    return made


def _streamed_blocks(script: Script, number: int) -> list[tuple[JSON, list[JSON]]]:
    made: list[tuple[JSON, list[JSON]]] = []
    if script.thinking:
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(script.thinking)]
        signed = {"type": "signature_delta", "signature": SIGNATURE}
        made.append(({"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signed]))
    if script.text:
        words = [{"type": "text_delta", "text": piece} for piece in pieces(script.text)]
        made.append(({"type": "text", "text": ""}, words))
    for at, call in enumerate(script.calls):
        fragments = [call.text[start : start + 9] for start in range(0, len(call.text), 9)]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ["", *fragments]]
        made.append(
            ({"type": "tool_use", "id": f"toolu_{number}_{at}", "name": call.name, "input": {}}, deltas)
        )
    return made


def _message(asked: Asked, number: int) -> JSON:
    return {
        "id": f"msg_mock{number}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _stop(script: Script) -> JSON:
    details = None
    if script.refusal:
        details = {"type": "refusal", "category": None, "explanation": REFUSAL}
    return {
        "stop_reason": _STOP[script.finish],
        "stop_sequence": script.stop_sequence,
        "stop_details": details,
    }


def _input_usage(script: Script) -> JSON:
    """Anthropic counts cache reads and writes outside input_tokens."""
    usage = script.usage
    return {
        "input_tokens": usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "service_tier": "standard",
    }


def _output_usage(script: Script) -> JSON:
    usage = script.usage
    return {
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + dump({"type": kind} | fields) + b"\n\n"


def error(status: int, kind: str) -> tuple[JSON, dict[str, str]]:
    type_ = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    headers = {"request-id": "req_mock_anthropic"}
    if status == 429 and kind != "quota":
        headers["retry-after"] = "1"
    told: JSON = {"type": type_, "message": MESSAGES[kind]}
    if kind == "quota":
        told["details"] = {"error_code": "enforced_spend_limit_reached"}
    return {"type": "error", "error": told, "request_id": "req_mock_anthropic"}, headers


def error_frame(status: int) -> bytes:
    return _event("error", error=error(status, "error")[0]["error"])


def listing() -> JSON:
    data = [
        {"type": "model", "id": each, "display_name": each.title(), "created_at": "2026-11-01T00:00:00Z"}
        for each in ("claude-mock", "claude-mock-mini")
    ]
    return {"data": data, "has_more": False, "first_id": "claude-mock", "last_id": "claude-mock-mini"}
