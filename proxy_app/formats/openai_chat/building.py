"""A conversation written as a Chat Completions request, for OpenAI and compatible servers.

Quirks: `max_tokens_field` (compatible servers know only `max_tokens`), `seed_field`, `no_stream_options`,
`system_role` (default `system`), `no_named_tools`, `thinking_switch`, `thoughts_field`. Without the last no
thoughts are sent: the format has no input field for them. The service tier `auto` is what nothing said means,
and is not told to servers that may know no tiers.
"""

from typing import assert_never

import orjson

from gateway_project.errors import UnsupportedContent, UnsupportedParameter
from proxy_app.formats.carrying import with_json_asked
from proxy_app.formats.chat_parts import chat_format, image_part, not_in, user_messages
from proxy_app.formats.efforts import effort_of_budget
from proxy_app.formats.families import OPENAI
from proxy_app.formats.media import AUDIO_FORMATS
from proxy_app.formats.openai_chat.request import HEADERS, PATH
from proxy_app.formats.openai_chat.response import SERVICE_TIERS
from proxy_app.formats.strictness import loosened
from proxy_app.wire import (
    JSON,
    Audio,
    Conversation,
    File,
    Image,
    Outgoing,
    Part,
    Refusal,
    Sampling,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    Turn,
)


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    is_json = conversation.output.kind == "json"
    turns = with_json_asked(conversation.turns) if is_json else conversation.turns
    body: JSON = {"model": target.upstream_model, "messages": _messages(turns, target)}
    dropped: tuple[str, ...] = ()
    if conversation.tools:
        tools, choice = _choice(conversation, target)
        tools, dropped = loosened(tools)
        body["tools"] = [_tool(tool) for tool in tools]
        if choice is not None:
            body["tool_choice"] = _tool_choice(choice)
        if conversation.parallel_tools is not None:
            body["parallel_tool_calls"] = conversation.parallel_tools
    if conversation.output.kind != "text":
        body["response_format"] = chat_format(conversation.output)
    if conversation.max_output_tokens is not None:
        field = str(target.quirks.get("max_tokens_field") or "max_completion_tokens")
        body[field] = conversation.max_output_tokens
    body |= _sampling(conversation.sampling, str(target.quirks.get("seed_field") or "seed"))
    effort = _effort(conversation)
    if effort == "none" and target.quirks.get("thinking_switch"):
        body["thinking"] = {"type": "disabled"}
    elif effort:
        body["reasoning_effort"] = effort
    if conversation.verbosity is not None:
        body["verbosity"] = conversation.verbosity
    if conversation.service_tier in SERVICE_TIERS:
        body["service_tier"] = conversation.service_tier
    if conversation.stream:
        body["stream"] = True
        if not target.quirks.get("no_stream_options"):
            body["stream_options"] = {"include_usage": True}
    return Outgoing(PATH, orjson.dumps(body), dict(HEADERS), dropped)


def _choice(conversation: Conversation, target: Target) -> tuple[list[Tool], ToolChoice | None]:
    """(the tools, the choice between them). Only OpenAI's own servers take a list of those that are allowed:
    for others, the rest is left out."""
    tools, choice = conversation.tools, conversation.tool_choice
    if choice is None or not choice.names:
        return tools, choice
    is_one = choice.mode == "required" and len(choice.names) == 1
    if (is_one or target.quirks.get("family") == OPENAI) and not target.quirks.get("no_named_tools"):
        return tools, choice
    return [tool for tool in tools if tool.name in choice.names], ToolChoice(choice.mode)


def _sampling(sampling: Sampling, seed_field: str) -> JSON:
    if sampling.top_k is not None:
        raise UnsupportedParameter("'top_k' cannot be carried to this model.", param="top_k")
    values = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        seed_field: sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "stop": sampling.stop or None,
        "n": sampling.n if sampling.n != 1 else None,
        "logprobs": sampling.logprobs,
        "top_logprobs": sampling.top_logprobs,
        "logit_bias": sampling.logit_bias,
    }
    return {name: value for name, value in values.items() if value is not None}


def _effort(conversation: Conversation) -> str | None:
    reasoning = conversation.reasoning
    if reasoning is None or reasoning.effort is not None or reasoning.budget_tokens is None:
        return reasoning.effort if reasoning is not None else None
    return effort_of_budget(reasoning.budget_tokens)


def _messages(turns: list[Turn], target: Target) -> list[JSON]:
    messages: list[JSON] = []
    for turn in turns:
        match turn.role:
            case "system":
                role = str(target.quirks.get("system_role") or "system")
                messages.append({"role": role, "content": _plain_text(turn.parts, "system")})
            case "assistant":
                messages.append(_assistant(turn.parts, str(target.quirks.get("thoughts_field") or "")))
            case "user":
                messages += user_messages(turn.parts, _part)
            case _:
                assert_never(turn.role)
    return messages


def _plain_text(parts: list[Part], where: str) -> str:
    texts = []
    for part in parts:
        if not isinstance(part, Text):
            raise UnsupportedContent(f"Only text can be carried in {where} content of this model.")
        texts.append(part.text)
    return "\n".join(texts)


def _assistant(parts: list[Part], thoughts_field: str) -> JSON:
    """One message. What another family signed is no thought of this model."""
    message: JSON = {"role": "assistant", "content": None}
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[JSON] = []
    for part in parts:
        match part:
            case Text(text):
                texts.append(text)
            case Refusal(text):
                message["refusal"] = text
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments or "{}"}
                calls.append({"id": part.id, "type": "function", "function": function})
            case Thinking(text, provider=None):
                thoughts.append(text)
            case Thinking():
                pass
            case _:
                raise not_in(part, "an assistant message")
    if texts:
        message["content"] = "".join(texts)
    if calls:
        message["tool_calls"] = calls
    if thoughts_field and (thoughts or calls):
        message[thoughts_field] = "".join(thoughts)  # empty rather than missing, which is refused
    return message


def _part(part: Part) -> JSON:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image():
            return image_part(part)
        case File() if part.data is None and (part.file_id or "").startswith("file-"):
            return {"type": "file", "file": {"file_id": part.file_id}}  # the form of OpenAI's own ids
        case File() if part.data is not None:
            data = f"data:{part.media_type or 'application/pdf'};base64,{part.data}"
            return {"type": "file", "file": {"file_data": data, "filename": part.filename or "document.pdf"}}
        case Audio() if part.media_type in AUDIO_FORMATS:
            audio = {"data": part.data, "format": AUDIO_FORMATS[part.media_type]}
            return {"type": "input_audio", "input_audio": audio}
    raise not_in(part, "a user message")


def _tool(tool: Tool) -> JSON:
    function: JSON = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> JSON | str:
    if not choice.names:
        return choice.mode
    tools = [{"type": "function", "function": {"name": name}} for name in choice.names]
    if choice.mode == "required" and len(tools) == 1:
        return tools[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
