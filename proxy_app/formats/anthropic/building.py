"""A conversation written as an Anthropic Messages request.

Not carried: `seed`, `verbosity`, end user and metadata, service tiers without a counterpart (dropped:
hints and claims); penalties, `logit_bias`, log probabilities, several candidates and a temperature above 1
are refused. JSON mode without a schema becomes an instruction. Sampling, thinking, forced tools, the
beginning of an answer and schemas are fitted to what the model takes (`claude`, `claude_schemas`).
Quirks: `default_max_tokens`, `thinking_style` and `known_as`.
"""

import orjson

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.anthropic.blocks import build_block
from proxy_app.formats.anthropic.request import PATH, headers_for
from proxy_app.formats.carrying import (
    allowed_tools,
    alternate,
    refuse_sampling,
    split_system,
)
from proxy_app.formats.claude import Rules, fit_sampling, is_forced, refuse_beginning, rules_of
from proxy_app.formats.claude_schemas import Schemas, fit_schemas, object_schema, with_form_asked
from proxy_app.formats.claude_thinking import default_limit, plan_thinking
from proxy_app.formats.naming import part_repeated_calls
from proxy_app.wire import (
    JSON,
    Conversation,
    Outgoing,
    Sampling,
    Target,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

#: service tier -> this format's; other tiers have no counterpart and are left out.
_TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only"}


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    refuse_sampling(
        conversation, "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "n"
    )
    rules = rules_of(target)
    system, turns = split_system(conversation.turns)
    turns = alternate(turns)
    part_repeated_calls(turns)
    refuse_beginning(turns, rules)
    default = target.quirks.get("default_max_tokens") or default_limit(conversation.reasoning, rules)
    limit = conversation.max_output_tokens or int(default)
    plan = plan_thinking(
        conversation, turns, rules, thoughts_are_lost=_has_lost_thoughts(turns), max_tokens=limit
    )
    sampling, untaken = fit_sampling(conversation.sampling, rules, is_thinking=plan.is_on)
    schemas = fit_schemas(conversation, rules)
    dropped = plan.dropped + untaken + schemas.dropped
    body: JSON = {
        "model": target.upstream_model,
        "max_tokens": limit,
        "messages": [_message(turn) for turn in turns],
    }
    if told := with_form_asked(system, schemas):
        body["system"] = [build_block(text) for text in told]
    if conversation.tools:
        body |= _tools(conversation, rules, schemas)
        if is_forced(conversation) and not rules.forces_tools:
            dropped += ("tool_choice",)
    body |= _sampling(sampling)
    if plan.thinking is not None:
        body["thinking"] = plan.thinking
    if config := _output_config(plan.effort, schemas):
        body["output_config"] = config
    if tier := _TIERS.get(conversation.service_tier or ""):
        body["service_tier"] = tier
    if conversation.cache_control is not None:
        body["cache_control"] = conversation.cache_control
    if conversation.stream:
        body["stream"] = True
    return Outgoing(
        PATH, orjson.dumps(body), headers_for(body), dropped, lost_thoughts=plan.has_lost_thoughts
    )


def _output_config(effort: str | None, schemas: Schemas) -> JSON:
    config: JSON = {} if effort is None else {"effort": effort}
    if schemas.kind == "schema":
        config["format"] = {"type": "json_schema", "schema": schemas.output}
    return config


def _sampling(sampling: Sampling) -> JSON:
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


def _tools(conversation: Conversation, rules: Rules, schemas: Schemas) -> JSON:
    """A tool that the model cannot be made to call is left to it: what stands before a thought may not
    change from call to call, so nothing is said of it either."""
    allowed = allowed_tools(conversation)
    choice = conversation.tool_choice
    one_of = allowed if allowed is not None and len(allowed) > 1 else None
    if choice is not None and choice.mode == "auto":
        one_of = allowed
    body: JSON = {
        "tools": [
            _tool(tool, schemas.strict.get(tool.name))
            for tool in conversation.tools
            if one_of is None or tool.name in one_of
        ]
    }
    rendered: JSON = {"type": "auto"}
    if choice is not None and choice.mode == "none":
        rendered = {"type": "none"}
    elif choice is not None and choice.mode == "required" and rules.forces_tools:
        rendered = {"type": "tool", "name": choice.names[0]} if len(choice.names) == 1 else {"type": "any"}
    if conversation.parallel_tools is not None and rendered["type"] != "none":
        rendered["disable_parallel_tool_use"] = not conversation.parallel_tools
    if choice is not None or conversation.parallel_tools is not None:
        body["tool_choice"] = rendered
    return body


def _tool(tool: Tool, strict: JSON | None) -> JSON:
    rendered: JSON = {
        "name": tool.name,
        "input_schema": object_schema(tool) if strict is None else strict,
    }
    if tool.description is not None:
        rendered["description"] = tool.description
    if strict is not None:
        rendered["strict"] = True
    if tool.cache_control is not None:
        rendered["cache_control"] = tool.cache_control
    return rendered


def _has_lost_thoughts(turns: list[Turn]) -> bool:
    """A tool loop goes on whose assistant turn has no signed thought of this provider to begin with."""
    if len(turns) < 2 or not any(isinstance(part, ToolResult) for part in turns[-1].parts):
        return False
    parts = turns[-2].parts
    signed = any(isinstance(part, Thinking) and build_block(part) is not None for part in parts)
    return any(isinstance(part, ToolCall) for part in parts) and not signed
