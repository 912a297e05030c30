"""The mock's OpenAI chat completions."""

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from tests.upstream.script import Asked, Script, ScriptedCall, pieces
from tests.upstream.wire import CREATED, JSON, MESSAGES, Frame, Quirks, data_event, text_of

name = "openai"

_FINISH = {"refusal": "stop", "blocked": "content_filter", "stop_sequence": "stop"}
_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    408: ("timeout", None),
    409: ("conflict_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def refuse_credential(headers: Mapping[str, str], query: Mapping[str, str], expected: str) -> Any:
    return None if headers.get("authorization") == f"Bearer {expected}" else (401, "credential")


def read(body: JSON, path_model: str, stream: bool) -> Asked:
    messages = body["messages"]
    users = [message for message in messages if message["role"] == "user"]
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, text_of(message["content"]))
    tools, forced, tools_off = choice_of(body, lambda tool: str(tool.get("function", {}).get("name")))
    stop = body.get("stop") or ()
    return Asked(
        model=body["model"],
        last_text=text_of(users[-1]["content"]) if users else "",
        system=" ".join(text_of(m["content"]) for m in messages if m["role"] in ("system", "developer")),
        tool_results=tuple(results),
        images=sum(_images(message) for message in users),
        tools=tools,
        forced=forced,
        tools_off=tools_off,
        one_call=body.get("parallel_tool_calls") is False,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def choice_of(body: JSON, name: Callable[[JSON], str]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Tools that may be called, tools of which one must, and whether none may."""
    tools = tuple(name(tool) for tool in body.get("tools") or ())
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        allowed = choice.get("allowed_tools", choice)
        tools = tuple(name(tool) for tool in allowed["tools"])
        choice = allowed["mode"]
    if isinstance(choice, dict):
        return tools, (name(choice),), False
    return tools, tools if choice == "required" else (), choice == "none"


def _images(message: JSON) -> int:
    content = message["content"]
    return sum(part.get("type") == "image_url" for part in content) if isinstance(content, list) else 0


def plain(asked: Asked, script: Script, number: int, quirks: Quirks) -> JSON:
    message: JSON = {
        "role": "assistant",
        "content": script.text,
        "refusal": script.refusal or None,
        "annotations": [],
    }
    if script.calls:
        message["content"] = script.text or None
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{at}",
                "type": "function",
                "function": {"name": c.name, "arguments": c.text},
            }
            for at, c in enumerate(script.calls)
        ]
    if script.refusal:
        message["content"] = None
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(script)}
    body = _head(asked, number, "chat.completion") | {"choices": [choice]}
    return body if quirks.no_usage else body | {"usage": _usage(script)}


def frames(asked: Asked, script: Script, number: int, quirks: Quirks) -> list[Frame]:
    head = _head(asked, number, "chat.completion.chunk") | {"obfuscation": "Xq9"}
    if asked.include_usage and not quirks.no_usage:
        head["usage"] = None

    def chunk(delta: JSON, finish: str | None = None, **extra: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data_event(head | {"choices": [choice]} | extra)

    made = [Frame(chunk({"role": "assistant", "content": "", "refusal": None}))]
    made += [Frame(chunk({"content": piece}), content=True) for piece in pieces(script.text)]
    made += [Frame(chunk({"refusal": piece}), content=True) for piece in pieces(script.refusal)]
    made += [
        Frame(chunk({"tool_calls": [delta]}), content=True) for delta in _call_deltas(script, number, quirks)
    ]
    usage = {"usage": _usage(script)} if quirks.usage_with_choices else {}
    made.append(Frame(chunk({}, _finish(script), **usage)))
    if asked.include_usage and not quirks.no_usage and not quirks.usage_with_choices:
        made.append(Frame(data_event(head | {"choices": [], "usage": _usage(script)})))
    if not quirks.no_done:
        made.append(Frame(b"data: [DONE]\n\n"))
    return made


def _call_deltas(script: Script, number: int, quirks: Quirks) -> list[JSON]:
    rows = [_one_call(at, call, number) for at, call in enumerate(script.calls)]
    if quirks.interleave:
        return [delta for turn in zip_longest(*rows) for delta in turn if delta is not None]
    return [delta for row in rows for delta in row]


def _one_call(at: int, call: ScriptedCall, number: int) -> list[JSON]:
    start = {
        "index": at,
        "id": f"call_{number}_{at}",
        "type": "function",
        "function": {"name": call.name, "arguments": ""},
    }
    fragments = [call.text[start_at : start_at + 9] for start_at in range(0, len(call.text), 9)]
    return [start, *({"index": at, "function": {"arguments": fragment}} for fragment in fragments)]


def _head(asked: Asked, number: int, kind: str) -> JSON:
    return {
        "id": f"chatcmpl-mock{number}",
        "object": kind,
        "created": CREATED,
        "model": f"{asked.model}-2026-11-01",
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
    }


def _finish(script: Script) -> str:
    return _FINISH.get(script.finish, script.finish)


def _usage(script: Script) -> JSON:
    usage = script.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def error(status: int, kind: str) -> tuple[JSON, dict[str, str]]:
    fallback = ("server_error", None) if status >= 500 else ("invalid_request_error", None)
    type_, code = _TYPES.get(status, fallback)
    if kind == "quota":
        type_ = code = "insufficient_quota"
    if kind == "context":
        code = "context_length_exceeded"
    headers = {"x-request-id": "req_mock_openai"}
    if status == 429 and kind != "quota":
        headers["retry-after"] = "1"
    return {"error": {"message": MESSAGES[kind], "type": type_, "param": None, "code": code}}, headers


def error_frame(status: int) -> bytes:
    return data_event(error(status, "error")[0])


def listing() -> JSON:
    names = ("gpt-mock", "gpt-mock-mini", "text-embedding-mock")
    data = [{"id": each, "object": "model", "created": CREATED, "owned_by": "mock"} for each in names]
    return {"object": "list", "data": data}
