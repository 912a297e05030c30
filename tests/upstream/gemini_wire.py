"""The mock's Gemini generateContent. It reads both spellings of a field, as the real API does."""

from collections.abc import Mapping
from typing import Any

from tests.upstream.script import SIGNATURE, Asked, Script, pieces
from tests.upstream.wire import JSON, MESSAGES, Frame, Quirks, data_event, dump

name = "gemini"

_FINISH = {"length": "MAX_TOKENS", "refusal": "SAFETY"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def refuse_credential(headers: Mapping[str, str], query: Mapping[str, str], expected: str) -> Any:
    """A wrong key is a 400 here."""
    return None if expected in (headers.get("x-goog-api-key"), query.get("key")) else (400, "credential")


def read(body: JSON, path_model: str, stream: bool) -> Asked:
    contents = body["contents"]
    users = [content for content in contents if content.get("role", "user") != "model"]
    last = contents[-1]["parts"] if contents[-1].get("role", "user") != "model" else []
    results = [_of(part, "functionResponse", "function_response") for part in last]
    config = _of(body, "generationConfig", "generation_config") or {}
    calling = (
        _of(_of(body, "toolConfig", "tool_config") or {}, "functionCallingConfig", "function_calling_config")
        or {}
    )
    system = _of(body, "systemInstruction", "system_instruction") or {}
    mode = str(calling.get("mode", "")).upper()
    tools = tuple(_declared(body))
    return Asked(
        model=path_model,
        last_text=next((text for each in reversed(users) if (text := _text(each["parts"]))), ""),
        system=_text(system.get("parts", [])),
        tool_results=() if _text(last) else tuple(_result(each["response"]) for each in results if each),
        images=sum(bool(_of(part, "inlineData", "inline_data")) for each in users for part in each["parts"]),
        tools=tools,
        forced=tuple(_of(calling, "allowedFunctionNames", "allowed_function_names") or tools)
        if mode == "ANY"
        else (),
        tools_off=mode == "NONE",
        stop=tuple(_of(config, "stopSequences", "stop_sequences") or ()),
        max_tokens=_of(config, "maxOutputTokens", "max_output_tokens"),
        stream=stream,
    )


def _of(holder: JSON, camel: str, snake: str) -> Any:
    return holder.get(camel, holder.get(snake))


def _text(parts: list[JSON]) -> str:
    return " ".join(part["text"] for part in parts if part.get("text") and not part.get("thought"))


def _result(response: JSON) -> str:
    for key in ("output", "result", "error"):
        if key in response:
            return str(response[key])
    return dump(response).decode()


def _declared(body: JSON) -> list[str]:
    return [
        declaration["name"]
        for tool in body.get("tools") or ()
        for declaration in _of(tool, "functionDeclarations", "function_declarations") or ()
    ]


def plain(asked: Asked, script: Script, number: int, quirks: Quirks) -> JSON:
    parts: list[JSON] = []
    if script.thinking:
        parts.append({"text": script.thinking, "thought": True})
    if script.text:
        parts.append({"text": script.text} | ({"thoughtSignature": SIGNATURE} if script.thinking else {}))
    parts += _call_parts(script)
    return _response(asked, script, number, quirks, parts, last=True)


def frames(asked: Asked, script: Script, number: int, quirks: Quirks) -> list[Frame]:
    contents: list[JSON] = [{"text": piece, "thought": True} for piece in pieces(script.thinking)]
    contents += [{"text": piece} for piece in pieces(script.text)]
    contents += _call_parts(script)
    made = [
        Frame(data_event(_response(asked, script, number, quirks, [part], last=False)), content=True)
        for part in contents
    ]
    ending = [{"text": "", "thoughtSignature": SIGNATURE}] if script.thinking and not script.calls else []
    made.append(Frame(data_event(_response(asked, script, number, quirks, ending, last=True))))
    return made


def _call_parts(script: Script) -> list[JSON]:
    """Calls come whole and without ids; the first of a turn carries the signature."""
    parts: list[JSON] = [
        {"functionCall": {"name": call.name, "args": call.arguments}} for call in script.calls
    ]
    if parts:
        parts[0]["thoughtSignature"] = SIGNATURE
    return parts


def _response(
    asked: Asked, script: Script, number: int, quirks: Quirks, parts: list[JSON], last: bool
) -> JSON:
    body: JSON = {}
    if script.finish == "blocked":
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    else:
        candidate: JSON = {"content": {"role": "model", "parts": parts}, "index": 0}
        if script.finish == "refusal":
            candidate = {"index": 0, "finishMessage": script.refusal}
        if last:
            candidate["finishReason"] = _FINISH.get(script.finish, "STOP")
        body["candidates"] = [candidate]
    if not quirks.no_usage:
        body["usageMetadata"] = _usage(script, last)
    return body | {"modelVersion": asked.model, "responseId": f"mock{number}"}


def _usage(script: Script, last: bool) -> JSON:
    """Thoughts are counted outside the candidates; before the end the counts are lower."""
    usage = script.usage
    visible = usage.output_tokens - usage.reasoning_tokens if last else 1
    made = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cache_read_tokens,
        "candidatesTokenCount": visible,
        "totalTokenCount": usage.input_tokens + visible + usage.reasoning_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
    }
    return made | ({"thoughtsTokenCount": usage.reasoning_tokens} if usage.reasoning_tokens else {})


def error(status: int, kind: str) -> tuple[JSON, dict[str, str]]:
    details: list[JSON] = []
    if kind == "credential":
        info = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo"} | info)
    if status == 429:
        quota = (
            "GenerateRequestsPerDayPerProject" if kind == "quota" else "GenerateRequestsPerMinutePerProject"
        )
        failure = {"violations": [{"quotaId": quota}]}
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure"} | failure)
        if kind != "quota":
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"})
    word = _STATUS.get(status, "INTERNAL" if status >= 500 else "FAILED_PRECONDITION")
    return {"error": {"code": status, "message": MESSAGES[kind], "status": word, "details": details}}, {}


def error_frame(status: int) -> bytes:
    return data_event(error(status, "error")[0])


def listing() -> JSON:
    return {
        "models": [
            {
                "name": f"models/{each}",
                "displayName": each.title(),
                "version": "001",
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": [method, "countTokens"],
            }
            for each, method in (
                ("gemini-mock", "generateContent"),
                ("gemini-embedding-mock", "embedContent"),
            )
        ]
    }
