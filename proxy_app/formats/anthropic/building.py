"""A conversation written as an Anthropic Messages request.

Not carried: `seed`, `verbosity`, end user and metadata, service tiers without a counterpart (dropped:
hints and claims); penalties, `logit_bias`, log probabilities, several candidates and a temperature above 1
are refused. JSON mode without a schema becomes an instruction. Quirks: `default_max_tokens`, and
`thinking_style`, "adaptive" (default) or "budget" for models older than adaptive thinking.
"""

import orjson

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.anthropic.blocks import build_block
from proxy_app.formats.anthropic.request import DEFAULT_MAX_TOKENS, PATH, headers_for
from proxy_app.formats.carrying import (
    JSON_INSTRUCTION,
    allowed_tools,
    alternate,
    refuse_sampling,
    split_system,
)
from proxy_app.formats.efforts import BUDGETS, effort_of_budget
from proxy_app.wire import (
    JSON,
    Conversation,
    Outgoing,
    Reasoning,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

DEFAULT_MAX_TOKENS_THINKING = 32000
MIN_BUDGET_TOKENS = 1024
#: service tier -> this format's; other tiers have no counterpart and are left out.
_TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only"}


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    refuse_sampling(
        conversation, "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "n"
    )
    system, turns = split_system(conversation.turns)
    turns = alternate(turns)
    body: JSON = {
        "model": target.upstream_model,
        "max_tokens": conversation.max_output_tokens or _default_max_tokens(conversation, target),
        "messages": [_message(turn) for turn in turns],
    }
    if conversation.output.kind == "json":
        system = [*system, Text(JSON_INSTRUCTION)]
    if system:
        body["system"] = [build_block(text) for text in system]
    if conversation.tools:
        body |= _tools(conversation)
    body |= _sampling(conversation)
    if conversation.reasoning is not None:
        body |= _thinking(conversation.reasoning, conversation, turns, target, body["max_tokens"])
    if conversation.output.kind == "schema":
        form = {"type": "json_schema", "schema": conversation.output.schema or {"type": "object"}}
        body["output_config"] = {**body.get("output_config", {}), "format": form}
    if tier := _TIERS.get(conversation.service_tier or ""):
        body["service_tier"] = tier
    if conversation.cache_control is not None:
        body["cache_control"] = conversation.cache_control
    if conversation.stream:
        body["stream"] = True
    lost = _effort(conversation.reasoning) != "none" and _has_lost_thoughts(turns)
    return Outgoing(PATH, orjson.dumps(body), headers_for(body), lost_thoughts=lost)


def _default_max_tokens(conversation: Conversation, target: Target) -> int:
    default = target.quirks.get("default_max_tokens")
    if default is not None:
        return int(default)
    return DEFAULT_MAX_TOKENS_THINKING if _effort(conversation.reasoning) != "none" else DEFAULT_MAX_TOKENS


def _sampling(conversation: Conversation) -> JSON:
    sampling = conversation.sampling
    if sampling.temperature is not None and not 0 <= sampling.temperature <= 1:
        raise UnsupportedParameter("This model takes a 'temperature' from 0 to 1.", param="temperature")
    values = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "stop_sequences": sampling.stop or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _message(turn: Turn) -> JSON:
    blocks = [block for part in turn.parts if (block := build_block(part)) is not None]
    return {"role": turn.role, "content": blocks}


def _tools(conversation: Conversation) -> JSON:
    allowed = allowed_tools(conversation)
    choice = conversation.tool_choice
    one_of = allowed if allowed is not None and len(allowed) > 1 else None
    if choice is not None and choice.mode == "auto":
        one_of = allowed
    body: JSON = {
        "tools": [_tool(tool) for tool in conversation.tools if one_of is None or tool.name in one_of]
    }
    rendered: JSON = {"type": "auto"}
    if choice is not None and choice.mode == "none":
        rendered = {"type": "none"}
    elif choice is not None and choice.mode == "required":
        rendered = {"type": "tool", "name": choice.names[0]} if len(choice.names) == 1 else {"type": "any"}
    if conversation.parallel_tools is not None and rendered["type"] != "none":
        rendered["disable_parallel_tool_use"] = not conversation.parallel_tools
    if choice is not None or conversation.parallel_tools is not None:
        body["tool_choice"] = rendered
    return body


def _tool(tool: Tool) -> JSON:
    schema = (
        {"type": "object", "properties": {}} if tool.schema is None else {"type": "object", **tool.schema}
    )
    rendered: JSON = {"name": tool.name, "input_schema": schema}
    if tool.description is not None:
        rendered["description"] = tool.description
    if tool.strict:
        rendered["strict"] = True
    if tool.cache_control is not None:
        rendered["cache_control"] = tool.cache_control
    return rendered


def _effort(reasoning: Reasoning | None) -> str | None:
    """The effort asked for, in words; `none` when nothing was, None when that is the model's to decide."""
    if reasoning is None:
        return "none"
    if reasoning.effort is not None or reasoning.budget_tokens is None:
        return reasoning.effort
    return effort_of_budget(reasoning.budget_tokens)


def _thinking(
    reasoning: Reasoning, conversation: Conversation, turns: list[Turn], target: Target, max_tokens: int
) -> JSON:
    """`thinking` and effort. Thinking is off for this call where the provider would refuse it: with a
    forced tool, or when the signed thoughts of a tool call that goes on are lost."""
    effort = _effort(reasoning)
    choice = conversation.tool_choice
    forced = choice is not None and choice.mode == "required"
    is_off = effort == "none" or forced or _has_lost_thoughts(turns)
    shown: JSON = {}
    if reasoning.include_thoughts is not None and not is_off:
        shown = {"display": "summarized" if reasoning.include_thoughts else "omitted"}
    if target.quirks.get("thinking_style") == "budget":
        room = max_tokens * 3 // 4
        if is_off or room < MIN_BUDGET_TOKENS:
            return {"thinking": {"type": "disabled"}}
        asked = reasoning.budget_tokens or -1
        budget = asked if asked > 0 else BUDGETS[effort or "medium"]
        budget = max(MIN_BUDGET_TOKENS, min(budget, room))
        return {"thinking": {"type": "enabled", "budget_tokens": budget, **shown}}
    body: JSON = {"thinking": {"type": "disabled" if is_off else "adaptive", **shown}}
    if effort not in (None, "none"):
        body["output_config"] = {"effort": "low" if effort == "minimal" else effort}
    return body


def _has_lost_thoughts(turns: list[Turn]) -> bool:
    """A tool loop goes on whose assistant turn has no signed thought of this provider to begin with."""
    if len(turns) < 2 or not any(isinstance(part, ToolResult) for part in turns[-1].parts):
        return False
    parts = turns[-2].parts
    signed = any(isinstance(part, Thinking) and build_block(part) is not None for part in parts)
    return any(isinstance(part, ToolCall) for part in parts) and not signed
