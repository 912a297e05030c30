"""A conversation written as a Converse request.

Not carried: `seed`, `verbosity`, end user and metadata, service tiers without a counterpart (dropped:
hints and claims); penalties, `logit_bias`, log probabilities, several candidates, a temperature above 1 and
`top_k` of other models than Claude are refused, and so is forbidding tools amid a conversation about their
calls. JSON mode without a schema becomes an instruction. What Claude models take is told by their names, as
in Anthropic Messages. Quirks: `default_max_tokens`; of Claude models `thinking_style` and `known_as`.
"""

from urllib.parse import quote

import orjson

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.bedrock_converse.blocks import build_blocks, cache_point
from proxy_app.formats.bedrock_converse.reasoning import has_lost_thoughts, is_claude
from proxy_app.formats.carrying import allowed_tools, alternate, refuse_sampling, split_system
from proxy_app.formats.claude import Rules, fit_sampling, is_forced, refuse_beginning, rules_of
from proxy_app.formats.claude_schemas import Schemas, fit_schemas, object_schema, with_form_asked
from proxy_app.formats.claude_thinking import Plan, default_limit, plan_thinking, word_of
from proxy_app.formats.efforts import effort_of
from proxy_app.formats.naming import part_repeated_calls
from proxy_app.wire import (
    JSON,
    Conversation,
    Outgoing,
    OutputFormat,
    Sampling,
    Target,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

_TIERS = {"flex": "flex", "priority": "priority", "default": "default"}


def request_path(target: Target, stream: bool) -> str:
    """The address of a model; a name may be an ARN, whose slashes are part of it."""
    return f"/model/{quote(target.upstream_model, safe='')}/{'converse-stream' if stream else 'converse'}"


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
    plan = _plan(conversation, turns, target, rules)
    sampling, untaken = fit_sampling(conversation.sampling, rules, is_thinking=plan.is_on)
    schemas = fit_schemas(conversation, rules)
    dropped = plan.dropped + untaken + schemas.dropped
    body: JSON = {"messages": [_message(turn) for turn in turns]}
    if told := with_form_asked(system, schemas):
        body["system"] = build_blocks([*told])
    if config := _inference(conversation, sampling, target):
        body["inferenceConfig"] = config
    if tools := _tools(conversation, turns, rules, schemas):
        body["toolConfig"] = tools
        if is_forced(conversation) and not rules.forces_tools:
            dropped += ("tool_choice",)
    if output := _output(conversation.output, schemas, plan):
        body["outputConfig"] = output
    if more := _model_fields(sampling, plan, target):
        body["additionalModelRequestFields"] = more
    if tier := _TIERS.get(conversation.service_tier or ""):
        body["serviceTier"] = {"type": tier}
    return Outgoing(
        request_path(target, conversation.stream),
        orjson.dumps(body),
        {"content-type": "application/json"},
        dropped,
        lost_thoughts=plan.has_lost_thoughts,
    )


def _plan(conversation: Conversation, turns: list[Turn], target: Target, rules: Rules) -> Plan:
    """How the model is told to think. Other models than Claude are told how hard; Claude models that think
    unasked are told not to where a tool is forced, which the service refuses else."""
    if not is_claude(target):
        return Plan(effort=word_of(effort_of(conversation.reasoning)))
    if conversation.reasoning is None and rules.thinks_unasked and is_forced(conversation):
        return Plan({"type": "disabled"} if rules.rests == "disabled" else None)
    limit = conversation.max_output_tokens or default_limit(conversation.reasoning, rules)
    lost = has_lost_thoughts(turns)
    return plan_thinking(conversation, turns, rules, thoughts_are_lost=lost, max_tokens=limit)


def _message(turn: Turn) -> JSON:
    return {"role": turn.role, "content": build_blocks(turn.parts)}


def _inference(conversation: Conversation, sampling: Sampling, target: Target) -> JSON:
    if sampling.temperature is not None and not 0 <= sampling.temperature <= 1:
        raise UnsupportedParameter("This model takes a 'temperature' from 0 to 1.", param="temperature")
    values = {
        "maxTokens": conversation.max_output_tokens or target.quirks.get("default_max_tokens"),
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "stopSequences": sampling.stop or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _tools(conversation: Conversation, turns: list[Turn], rules: Rules, schemas: Schemas) -> JSON:
    if not conversation.tools:
        return {}
    choice = conversation.tool_choice
    if choice is not None and choice.mode == "none":
        if _speaks_of_tools(turns):
            raise UnsupportedParameter(
                "Tools cannot be forbidden to this model amid a conversation with calls.", param="tool_choice"
            )
        return {}
    allowed = allowed_tools(conversation)
    forced = choice is not None and choice.mode == "required"
    narrowed = allowed is not None and (len(allowed) > 1 or not forced)
    tools: list[JSON] = []
    for tool in conversation.tools:
        if allowed is None or not narrowed or tool.name in allowed:
            strict = schemas.strict.get(tool.name)
            tools += [{"toolSpec": _spec(tool, strict)}, *cache_point(tool.cache_control)]
    config: JSON = {"tools": tools}
    if choice is not None:
        one = choice.names[0] if forced and len(choice.names) == 1 else None
        config["toolChoice"] = {"tool": {"name": one}} if one else {"any" if forced else "auto": {}}
        if not rules.forces_tools:
            config["toolChoice"] = {"auto": {}}
    return config


def _speaks_of_tools(turns: list[Turn]) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for turn in turns for part in turn.parts)


def _spec(tool: Tool, strict: JSON | None) -> JSON:
    schema = object_schema(tool) if strict is None else strict
    spec: JSON = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description:
        spec["description"] = tool.description
    if strict is not None:
        spec["strict"] = True
    return spec


def _output(output: OutputFormat, schemas: Schemas, plan: Plan) -> JSON:
    config: JSON = {}
    if schemas.kind == "schema":
        config["textFormat"] = _text_format(output, schemas)
    if plan.effort is not None:
        config["effort"] = plan.effort
    return config


def _text_format(output: OutputFormat, schemas: Schemas) -> JSON:
    schema: JSON = {"schema": orjson.dumps(schemas.output).decode()}
    if output.name:
        schema["name"] = output.name
    if output.description:
        schema["description"] = output.description
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _model_fields(sampling: Sampling, plan: Plan, target: Target) -> JSON:
    """What only the model behind the service knows."""
    fields: JSON = {}
    if sampling.top_k is not None:
        if not is_claude(target):
            raise UnsupportedParameter("'top_k' cannot be carried to this model.", param="top_k")
        fields["top_k"] = sampling.top_k
    if plan.thinking is not None:
        fields["thinking"] = plan.thinking
    return fields
