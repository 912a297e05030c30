"""The same request as another SDK of the same format writes it: other words that mean the same."""

from collections.abc import Callable
from typing import Any, Final

JSON = dict[str, Any]
#: Beneath these names nothing is the format's own.
_THE_CALLERS = frozenset({"args", "response", "parametersJsonSchema", "responseJsonSchema"})


def respelt(name: str, body: JSON) -> JSON:
    """The body in the other spelling of its format."""
    return _SPELLINGS[name](body)


def _chat(body: JSON) -> JSON:
    messages = [_chat_message(message) for message in body["messages"]]
    told = {**body, "messages": messages}
    if "max_completion_tokens" in told:
        told["max_tokens"] = told.pop("max_completion_tokens")
    if len(told.get("stop", ())) == 1:
        told["stop"] = told["stop"][0]
    return told


def _chat_message(message: JSON) -> JSON:
    told = {**message, "role": "developer" if message["role"] == "system" else message["role"]}
    if isinstance(told["content"], str):
        told["content"] = [{"type": "text", "text": told["content"]}]
    if told["role"] == "assistant" and "refusal" in told:
        refused = {"type": "refusal", "refusal": told.pop("refusal")}
        told["content"] = [*(told["content"] or ()), refused]
    return told


def _responses(body: JSON) -> JSON:
    items = [_responses_item(item) for item in body["input"]]
    if "instructions" in body:
        items = [{"role": "system", "content": body["instructions"]}, *items]
    return {**body, "input": items, "instructions": None}


def _responses_item(item: JSON) -> JSON:
    if item["type"] != "message":
        return item
    told = {name: value for name, value in item.items() if name != "type"}
    content = told["content"]
    if len(content) == 1 and "text" in content[0]:
        told["content"] = content[0]["text"]
    return told


def _anthropic(body: JSON) -> JSON:
    told = {**body, "messages": [_anthropic_message(message) for message in body["messages"]]}
    if len(body.get("system", ())) == 1 and "cache_control" not in body["system"][0]:
        told["system"] = body["system"][0]["text"]
    if "tools" in body:
        told["tools"] = [{"type": "custom", **tool} for tool in body["tools"]]
    return told


def _anthropic_message(message: JSON) -> JSON:
    content = message["content"]
    if len(content) == 1 and set(content[0]) == {"type", "text"}:
        return {**message, "content": content[0]["text"]}
    return message


def _gemini(value: Any) -> Any:
    """Every field in snake_case, as Google's SDK writes them."""
    if isinstance(value, list):
        return [_gemini(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {_snake(name): inner if name in _THE_CALLERS else _gemini(inner) for name, inner in value.items()}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


_SPELLINGS: Final[dict[str, Callable[[JSON], JSON]]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
