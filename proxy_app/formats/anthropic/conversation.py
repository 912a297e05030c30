"""Anthropic Messages parameters, read into a conversation for a provider of another format.

Dropped, because they are hints or this provider's housekeeping: `metadata` (a claim), `speed`,
`service_tier` where the provider has no such thing, `diagnostics`, `user_profile_id`, `workspace_id`,
`fallbacks` and `fallback_credit_token` (the gateway's own fallbacks decide), `context_management` that
only clears old thoughts and tool results, `output_config.task_budget`, `thinking.block_binding`, and of
tools `allowed_callers`, `defer_loading`, `eager_input_streaming` and `input_examples`. The text in which
Claude Code tells its own provider whom to bill is no part of the question and is left out.

Refused, because an answer without them is not what was asked: citations asked for (`citations.enabled`),
tools that the provider itself runs or defines (every `type` but `custom`), `mcp_servers`, `container`,
`thread`, `compaction`, other kinds of `context_management`, `inference_geo`, `max_tokens` of 0 (which
warms this provider's cache), and everything else not read here.
"""

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats.anthropic.messages import effort_of_turn, parse_messages, parse_texts
from proxy_app.formats.anthropic.request import check_messages, read_call
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.wire import (
    JSON,
    CallFacts,
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    Turn,
)

BILLING_HEADER = "x-anthropic-billing-header:"
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
#: This format's service tiers in OpenAI's words.
_TIERS = {"auto": "auto", "standard_only": "default"}
_CLEARS = ("clear_thinking_", "clear_tool_uses_")


def parse_request(body: JSON, facts: CallFacts | None = None) -> Conversation:
    """The whole request. Raises InvalidBody, UnsupportedContent and UnsupportedParameter, each naming
    the field."""
    facts = facts or read_call(body)
    fields = Fields(body)
    _refuse_own_business(fields)
    check_messages(fields)
    tools = [_tool(tool) for tool in fields.objects("tools")]
    choice, parallel = _tool_choice(fields, tools)
    settings = fields.maybe_object("output_config") or Fields({}, "output_config")
    return Conversation(
        model=facts.model,
        turns=[*_system(fields), *parse_messages(fields.objects("messages"))],
        tools=tools,
        tool_choice=choice,
        parallel_tools=parallel,
        output=_output(fields, settings),
        sampling=Sampling(
            temperature=fields.maybe_number("temperature"),
            top_p=fields.maybe_number("top_p"),
            top_k=fields.maybe_count("top_k"),
            stop=fields.texts("stop_sequences"),
        ),
        max_output_tokens=facts.max_output_tokens,
        reasoning=_reasoning(fields, settings),
        service_tier=_TIERS.get(fields.maybe_text("service_tier") or ""),
        end_user=facts.end_user,
        metadata=fields.maybe_json("metadata"),
        cache_control=fields.maybe_json("cache_control"),
        stream=facts.stream,
    )


def _refuse_own_business(fields: Fields) -> None:
    if fields.get("max_tokens") == 0:
        raise UnsupportedParameter("'max_tokens' must be at least 1 for this model.", param="max_tokens")
    management = fields.maybe_object("context_management")
    for edit in management.objects("edits") if management is not None else ():
        kind = edit.text("type")
        if not kind.startswith(_CLEARS):
            raise UnsupportedParameter(
                f"'{edit.path}': an edit of the type '{kind[:60]}' cannot be carried to this model.",
                param=edit.path,
            )


def _system(fields: Fields) -> list[Turn]:
    texts: list[Text] = parse_texts(fields, "system")
    texts = [text for text in texts if not text.text.startswith(BILLING_HEADER)]
    return [Turn("system", [*texts])] if texts else []


def _reasoning(fields: Fields, settings: Fields) -> Reasoning | None:
    """`adaptive` and `between_tools` leave it to the model, with or without an effort."""
    effort = effort_of_turn(fields.objects("messages")) or settings.maybe_text("effort")
    if effort is not None and effort not in _EFFORTS:
        raise wrong_type(settings.at("effort"), "low, medium, high, xhigh or max")
    thinking = fields.maybe_object("thinking")
    if thinking is None:
        return Reasoning(effort) if effort is not None else None
    display = thinking.maybe_text("display")
    shown = None if display is None else display != "omitted"
    match thinking.text("type"):
        case "disabled":
            return Reasoning("none")
        case "adaptive" | "between_tools":
            return Reasoning(effort, include_thoughts=shown)
        case "enabled":
            budget = thinking.maybe_count("budget_tokens", minimum=1)
            if budget is None:
                raise InvalidBody(
                    f"'{thinking.at('budget_tokens')}' is missing.", param=thinking.at("budget_tokens")
                )
            return Reasoning(effort, budget, shown)
    raise wrong_type(thinking.at("type"), "adaptive, enabled, disabled or between_tools")


def _output(fields: Fields, settings: Fields) -> OutputFormat:
    """`output_config.format`, or its name of before: `output_format`."""
    form = settings.maybe_object("format") or fields.maybe_object("output_format")
    if form is None:
        return OutputFormat()
    if form.text("type") != "json_schema":
        raise wrong_type(form.at("type"), "json_schema")
    return OutputFormat("schema", schema=form.object("schema").data)


def _tool(tool: Fields) -> Tool:
    kind = tool.maybe_text("type") or "custom"
    if kind != "custom":
        raise UnsupportedParameter(
            f"'{tool.path}': tools of the type '{kind[:60]}' cannot be carried to this model.",
            param=tool.path,
        )
    return Tool(
        name=tool.text("name"),
        description=tool.maybe_text("description"),
        schema=tool.object("input_schema").data,
        strict=tool.maybe_flag("strict"),
        cache_control=tool.maybe_json("cache_control"),
    )


def _tool_choice(fields: Fields, tools: list[Tool]) -> tuple[ToolChoice | None, bool | None]:
    """(the choice, whether several calls at once are allowed)"""
    value = fields.maybe_object("tool_choice")
    if value is None:
        return None, None
    kind = value.text("type")
    one_call = value.maybe_flag("disable_parallel_tool_use")
    parallel = None if one_call is None else not one_call
    match kind:
        case "auto":
            return ToolChoice("auto"), parallel
        case "none":
            return ToolChoice("none"), None
        case "any" if tools:
            return ToolChoice("required"), parallel
        case "tool":
            name = value.text("name")
            if name in {tool.name for tool in tools}:
                return ToolChoice("required", (name,)), parallel
            raise InvalidBody(
                f"'tool_choice' names '{name[:80]}', which is not in 'tools'.", param="tool_choice"
            )
        case "any":
            raise InvalidBody("'tool_choice' needs 'tools'.", param="tool_choice")
    raise wrong_type("tool_choice.type", "auto, any, tool or none")
