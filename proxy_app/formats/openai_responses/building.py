"""A conversation written as a Responses request, for OpenAI and compatible servers.

Nothing is stored at the provider (`store: false`); thoughts are asked for signed and sent back with the
calls they led to, so that every call stands alone. Leading instructions become `instructions`.
Not carried: `seed`, end user, metadata and cache hints (dropped: hints and claims); stop sequences,
penalties, `top_k`, `logit_bias`, log probabilities and several candidates are refused. An output limit
below 16 is raised to it: the provider refuses less. Quirks: `system_role` (default `developer`) for
instructions in the middle of a conversation, `form_field`, `own_tools`.
"""

import orjson

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.carrying import refuse_sampling, split_system, with_json_asked
from proxy_app.formats.chat_parts import chat_format
from proxy_app.formats.efforts import effort_of_budget
from proxy_app.formats.openai_responses.history import build_items, has_signed_thoughts
from proxy_app.formats.openai_responses.request import HEADERS, PATH
from proxy_app.formats.openai_responses.tools import build_tool, build_tool_choice
from proxy_app.formats.strictness import loosened
from proxy_app.wire import JSON, Conversation, Outgoing, OutputFormat, Target

MIN_OUTPUT_TOKENS = 16
SERVICE_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
ENCRYPTED = "reasoning.encrypted_content"


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    _refuse(conversation)
    system, turns = split_system(conversation.turns)
    body: JSON = {"model": target.upstream_model, "store": False}
    if system:
        body["instructions"] = "\n\n".join(text.text for text in system)
    if conversation.output.kind == "json":
        turns = with_json_asked(turns)  # instructions do not count
    body["input"] = build_items(turns, str(target.quirks.get("system_role") or "developer"))
    tools, dropped = loosened(conversation.tools)
    offered = [*map(build_tool, tools), *_own_tools(conversation, target)]
    if offered:
        body["tools"] = offered
    if tools:
        if conversation.tool_choice is not None:
            body["tool_choice"] = build_tool_choice(conversation.tool_choice)
        if conversation.parallel_tools is not None:
            body["parallel_tool_calls"] = conversation.parallel_tools
    body |= _reasoning(conversation)
    form_field = str(target.quirks.get("form_field") or "")
    if form_field and conversation.output.kind == "json":
        dropped += ("response_format",)  # asked for in words alone
    body |= _text(conversation, form_field)
    body |= _plain_values(conversation)
    if conversation.stream:
        body["stream"] = True
    return Outgoing(PATH, orjson.dumps(body), dict(HEADERS), dropped)


def _refuse(conversation: Conversation) -> None:
    refuse_sampling(
        conversation,
        "top_k",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "n",
    )
    if conversation.sampling.stop:
        raise UnsupportedParameter("'stop' cannot be carried to this model.", param="stop")


def _plain_values(conversation: Conversation) -> JSON:
    limit = conversation.max_output_tokens
    values = {
        "max_output_tokens": max(limit, MIN_OUTPUT_TOKENS) if limit is not None else None,
        "temperature": conversation.sampling.temperature,
        "top_p": conversation.sampling.top_p,
        "service_tier": conversation.service_tier if conversation.service_tier in SERVICE_TIERS else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _reasoning(conversation: Conversation) -> JSON:
    """Effort, and the wish for signed thoughts. Models that do not reason refuse the latter, so it is
    only told where reasoning was asked for or has taken place."""
    reasoning = conversation.reasoning
    asked: JSON = {}
    if reasoning is not None:
        effort = reasoning.effort
        if effort is None and reasoning.budget_tokens is not None:
            effort = effort_of_budget(reasoning.budget_tokens)
        if effort is not None:
            asked["effort"] = effort
        if reasoning.include_thoughts and effort != "none":
            asked["summary"] = "auto"
    built: JSON = {"reasoning": asked} if asked else {}
    is_on = bool(asked) and asked.get("effort") != "none"
    if is_on or has_signed_thoughts(conversation.turns):
        built["include"] = [ENCRYPTED]
    return built


def _own_tools(conversation: Conversation, target: Target) -> list[JSON]:
    """The provider's own that are offered with every call, but for one that is to call another, or none."""
    choice = conversation.tool_choice
    if choice is not None and choice.mode != "auto":
        return []
    return [{"type": name} for name in target.quirks.get("own_tools") or ()]


def _text(conversation: Conversation, form_field: str) -> JSON:
    """The answer's form and verbosity; the former in another field where the server has it so."""
    text: JSON = {}
    beside: JSON = {}
    if not form_field and conversation.output.kind != "text":
        text["format"] = _output_format(conversation.output)
    elif conversation.output.kind == "schema":
        beside[form_field] = chat_format(conversation.output)
    if conversation.verbosity is not None:
        text["verbosity"] = conversation.verbosity
    return beside | ({"text": text} if text else {})


def _output_format(output: OutputFormat) -> JSON:
    if output.kind == "json":
        return {"type": "json_object"}
    form: JSON = {
        "type": "json_schema",
        "name": output.name or "answer",
        "schema": output.schema or {"type": "object"},
        "strict": bool(output.strict),
    }
    if output.description is not None:
        form["description"] = output.description
    return form
