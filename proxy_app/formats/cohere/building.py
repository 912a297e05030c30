"""A conversation written as a request to Cohere's `/v2/chat`.

Thoughts and plans of its own go back where they came from; nobody else's do. Not carried: `verbosity`, cache
marks, service tiers, end user and metadata (dropped: hints and claims); files, sounds, `logit_bias`, log
probabilities and several candidates are refused. Media in tool results follow as the user's. One forced tool
is the only one that is offered. Source: the types of the SDK `cohere` 7.3, and for thoughts in messages
(`content` of the kind `thinking`, `tool_plan`) what Pydantic AI sends.
"""

from typing import assert_never

import orjson

from proxy_app.formats.carrying import allowed_tools, refuse_sampling, split_system, with_json_asked
from proxy_app.formats.chat_parts import image_part, not_in, user_messages
from proxy_app.formats.cohere.response import PLAN, PROVIDER, THOUGHT
from proxy_app.formats.efforts import BUDGETS
from proxy_app.wire import (
    JSON,
    Conversation,
    Image,
    Outgoing,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Turn,
)

PATH = "/v2/chat"
_LEAST_P, _MOST_P = 0.01, 0.99


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    refuse_sampling(conversation, "logit_bias", "logprobs", "top_logprobs", "n")
    system, turns = split_system(conversation.turns)
    if system:
        turns = [Turn("system", [*system]), *turns]
    if conversation.output.kind == "json":
        turns = with_json_asked(turns)
    body: JSON = {"model": target.upstream_model, "messages": _messages(turns)}
    body |= _tools(conversation)
    if conversation.output.kind != "text":
        body["response_format"] = _response_format(conversation.output)
    body |= _sampling(conversation)
    if (thinking := _thinking(conversation.reasoning)) is not None:
        body["thinking"] = thinking
    body["stream"] = conversation.stream
    headers = {"content-type": "application/json"}
    return Outgoing(PATH, orjson.dumps(body), headers, from_host=True)


def _messages(turns: list[Turn]) -> list[JSON]:
    messages: list[JSON] = []
    for turn in turns:
        match turn.role:
            case "system":
                texts = [part.text for part in turn.parts if isinstance(part, Text)]
                messages.append({"role": "system", "content": "\n".join(texts)})
            case "assistant":
                messages.append(_assistant(turn.parts))
            case "user":
                messages += user_messages(turn.parts, _part)
            case _:
                assert_never(turn.role)
    return messages


def _assistant(parts: list[Part]) -> JSON:
    texts: list[str] = []
    calls: list[JSON] = []
    thoughts: dict[str, list[str]] = {THOUGHT: [], PLAN: []}
    for part in parts:
        match part:
            case Text(text) | Refusal(text):
                texts.append(text)
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments or "{}"}
                calls.append({"id": part.id, "type": "function", "function": function})
            case Thinking(text, signature, _, provider):
                if provider == PROVIDER and signature in thoughts and text:
                    thoughts[signature].append(text)
            case _:
                raise not_in(part, "an assistant message")
    message: JSON = {"role": "assistant"}
    said = "".join(texts)
    if thoughts[THOUGHT]:
        thought: JSON = {"type": "thinking", "thinking": "\n\n".join(thoughts[THOUGHT])}
        message["content"] = [thought, *([{"type": "text", "text": said}] if said else [])]
    elif texts or not calls:
        message["content"] = said
    if thoughts[PLAN]:
        message["tool_plan"] = "\n\n".join(thoughts[PLAN])
    if calls:
        message["tool_calls"] = calls
    return message


def _part(part: Part) -> JSON:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image():
            return image_part(part)
    raise not_in(part, "a user message")


def _tools(conversation: Conversation) -> JSON:
    if not conversation.tools:
        return {}
    allowed, choice = allowed_tools(conversation), conversation.tool_choice
    tools = [tool for tool in conversation.tools if allowed is None or tool.name in allowed]
    body: JSON = {"tools": [_tool(tool) for tool in tools]}
    if any(tool.strict for tool in tools):
        body["strict_tools"] = True
    if choice is not None and choice.mode != "auto":
        body["tool_choice"] = "REQUIRED" if choice.mode == "required" else "NONE"
    return body


def _tool(tool: Tool) -> JSON:
    function: JSON = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _response_format(output: OutputFormat) -> JSON:
    if output.kind == "json":
        return {"type": "json_object"}
    return {"type": "json_object", "json_schema": output.schema or {"type": "object"}}


def _sampling(conversation: Conversation) -> JSON:
    """Of the mass of tokens, 0.01 to 0.99 is taken: 1 leaves all of them, as 0.99 all but does."""
    sampling = conversation.sampling
    values = {
        "max_tokens": conversation.max_output_tokens,
        "temperature": sampling.temperature,
        "p": None if sampling.top_p is None else min(max(sampling.top_p, _LEAST_P), _MOST_P),
        "k": sampling.top_k,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "stop_sequences": sampling.stop or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _thinking(reasoning: Reasoning | None) -> JSON | None:
    """Models that think do so unless told not to; how much is a budget in tokens."""
    if reasoning is None:
        return None
    budget = reasoning.budget_tokens
    if budget is None and reasoning.effort is not None:
        budget = BUDGETS.get(reasoning.effort)
    if budget is None or budget < 0:
        return None
    return {"type": "enabled", "token_budget": budget} if budget else {"type": "disabled"}
