"""Bodies in another format's shape than their address says: agents that post what they have to
`/chat/completions` and read chat chunks back. Pure.
"""

from typing import Any

import orjson

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.foreign import check_foreign
from proxy_app.formats.messages_mixtures import as_messages
from proxy_app.formats.reading import as_text
from proxy_app.formats.responses_mixtures import as_responses
from proxy_app.wire import JSON, Address, CallFacts

_BLOCKS = frozenset({"tool_use", "tool_result"})
_CHAT_ONLY = frozenset({"stream_options", "user", "n", "max_completion_tokens"})
#: Fields of Chat Completions that a shape does not know: put into its words, or hints without any there.
_UNKNOWN = {
    "anthropic": _CHAT_ONLY
    | {"safety_identifier", "verbosity", "store", "prediction"}
    | {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"},
    "openai_responses": _CHAT_ONLY | {"prediction"},
}
#: Parameters of Chat Completions alone, with the value that asks for nothing.
_NEUTRAL = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logprobs": False,
    "logit_bias": {},
    "modalities": ["text"],
}


def shape_of(body: JSON) -> str:
    """The format a body posted to Chat Completions is written in."""
    messages = body.get("messages")
    if messages is None:
        return "openai_responses" if "input" in body else "openai_chat"
    if body.get("system") is not None or _has_messages_tools(body.get("tools")) or _has_blocks(messages):
        return "anthropic"
    return "openai_chat"


def _has_messages_tools(tools: Any) -> bool:
    return isinstance(tools, list) and any(
        isinstance(tool, dict) and "input_schema" in tool and "function" not in tool for tool in tools
    )


def _has_blocks(messages: Any) -> bool:
    return isinstance(messages, list) and any(
        isinstance(block, dict)
        and (as_text(block.get("type")) in _BLOCKS or isinstance(block.get("source"), dict))
        for message in messages
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for block in message["content"]
    )


def rewritten(body: JSON, shape: str) -> tuple[JSON, bytes]:
    """The body as its own format has it: without fields of the address it was posted to, in that format's
    own words throughout, and with what that format demands. Raises BadRequest for what would be lost on that
    way, by its place: several answers, which neither of the other shapes can ask for, and fields unknown."""
    if body.get("n") not in (None, 1):
        raise UnsupportedParameter("'n': several answers cannot be asked for in this shape.", param="n")
    check_foreign(body, shape)
    kept = {name: value for name, value in body.items() if name not in _UNKNOWN[shape]}
    for name, neutral in _NEUTRAL.items():
        if kept.get(name) == neutral:
            del kept[name]
    user = (shape == "anthropic" and body.get("safety_identifier")) or body.get("user")
    if isinstance(user, str):
        kept |= {"metadata": {"user_id": user}} if shape == "anthropic" else {"user": user}
    limit = body.get("max_completion_tokens")
    if shape == "anthropic" and kept.get("max_tokens") is None:
        kept["max_tokens"] = limit
    elif shape == "openai_responses" and kept.get("max_output_tokens") is None:
        limit = kept.pop("max_tokens", None) if limit is None else limit
        if limit is not None:
            kept["max_output_tokens"] = limit
    kept = as_messages(kept) if shape == "anthropic" else as_responses(kept)
    return kept, orjson.dumps(kept)


def read_facts(shape: str, body: JSON, address: Address) -> CallFacts:
    """What the gateway needs of a rewritten body. Messages demand a limit, which no chat caller need name: a
    null stands for none until a provider of that format is known. Raises InvalidBody."""
    is_unlimited = shape == "anthropic" and body.get("max_tokens") is None
    facts = exchange.read_call(shape, body | {"max_tokens": 1} if is_unlimited else body, address)
    if is_unlimited:
        facts.max_output_tokens = None
    return facts
