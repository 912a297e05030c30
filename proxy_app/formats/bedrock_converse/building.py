"""A conversation written as a Converse request.

Not carried: `seed`, `verbosity`, end user and metadata, service tiers without a counterpart (dropped:
hints and claims); penalties, `logit_bias`, log probabilities, several candidates, a temperature above 1 and
`top_k` of other models than Claude are refused, and so is forbidding tools amid a conversation about their
calls. JSON mode without a schema becomes an instruction.
Quirks: `default_max_tokens`, `thinking_style` (of Claude models, as in Anthropic Messages).
"""

from urllib.parse import quote

import orjson

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.bedrock_converse.blocks import build_blocks, cache_point
from proxy_app.formats.bedrock_converse.reasoning import (
    claude_thinking,
    effort_of,
    has_lost_thoughts,
    is_claude,
)
from proxy_app.formats.carrying import allowed_tools, alternate, refuse_sampling, split_system
from proxy_app.wire import (
    JSON,
    Conversation,
    Outgoing,
    OutputFormat,
    Target,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

JSON_INSTRUCTION = "Answer with one valid JSON object and nothing around it."
_TIERS = {"flex": "flex", "priority": "priority", "default": "default"}


def request_path(target: Target, stream: bool) -> str:
    """The address of a model; a name may be an ARN, whose slashes are part of it."""
    return f"/model/{quote(target.upstream_model, safe='')}/{'converse-stream' if stream else 'converse'}"


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    refuse_sampling(
        conversation, "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "n"
    )
    system, turns = split_system(conversation.turns)
    turns = alternate(turns)
    body: JSON = {"messages": [_message(turn) for turn in turns]}
    if conversation.output.kind == "json":
        system = [*system, Text(JSON_INSTRUCTION)]
    if system:
        body["system"] = build_blocks([*system])
    if config := _inference(conversation, target):
        body["inferenceConfig"] = config
    if tools := _tools(conversation, turns):
        body["toolConfig"] = tools
    if output := _output(conversation):
        body["outputConfig"] = output
    if more := _model_fields(conversation, turns, target):
        body["additionalModelRequestFields"] = more
    if tier := _TIERS.get(conversation.service_tier or ""):
        body["serviceTier"] = {"type": tier}
    lost = effort_of(conversation.reasoning) != "none" and is_claude(target) and has_lost_thoughts(turns)
    path = request_path(target, conversation.stream)
    return Outgoing(path, orjson.dumps(body), {"content-type": "application/json"}, lost_thoughts=lost)


def _message(turn: Turn) -> JSON:
    return {"role": turn.role, "content": build_blocks(turn.parts)}


def _inference(conversation: Conversation, target: Target) -> JSON:
    sampling = conversation.sampling
    if sampling.temperature is not None and not 0 <= sampling.temperature <= 1:
        raise UnsupportedParameter("This model takes a 'temperature' from 0 to 1.", param="temperature")
    values = {
        "maxTokens": conversation.max_output_tokens or target.quirks.get("default_max_tokens"),
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "stopSequences": sampling.stop or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _tools(conversation: Conversation, turns: list[Turn]) -> JSON:
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
            tools += [{"toolSpec": _spec(tool)}, *cache_point(tool.cache_control)]
    config: JSON = {"tools": tools}
    if choice is not None:
        one = choice.names[0] if forced and len(choice.names) == 1 else None
        config["toolChoice"] = {"tool": {"name": one}} if one else {"any" if forced else "auto": {}}
    return config


def _speaks_of_tools(turns: list[Turn]) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for turn in turns for part in turn.parts)


def _spec(tool: Tool) -> JSON:
    schema = {"properties": {}} if tool.schema is None else tool.schema
    spec: JSON = {"name": tool.name, "inputSchema": {"json": {"type": "object", **schema}}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict:
        spec["strict"] = True
    return spec


def _output(conversation: Conversation) -> JSON:
    config: JSON = {}
    if conversation.output.kind == "schema":
        config["textFormat"] = _text_format(conversation.output)
    effort = effort_of(conversation.reasoning)
    if effort not in (None, "none"):
        config["effort"] = "low" if effort == "minimal" else effort
    return config


def _text_format(output: OutputFormat) -> JSON:
    schema: JSON = {"schema": orjson.dumps(output.schema or {"type": "object"}).decode()}
    if output.name:
        schema["name"] = output.name
    if output.description:
        schema["description"] = output.description
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _model_fields(conversation: Conversation, turns: list[Turn], target: Target) -> JSON:
    """What only the model behind the service knows."""
    fields: JSON = {}
    if conversation.sampling.top_k is not None:
        if not is_claude(target):
            raise UnsupportedParameter("'top_k' cannot be carried to this model.", param="top_k")
        fields["top_k"] = conversation.sampling.top_k
    if conversation.reasoning is not None and is_claude(target):
        fields["thinking"] = claude_thinking(conversation, turns, target)
    return fields
