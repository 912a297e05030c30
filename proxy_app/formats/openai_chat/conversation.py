"""Chat Completions parameters, read into a conversation for a provider of another format.

Dropped, because they are hints or this provider's housekeeping: `prediction`, `prompt_cache_*`,
`store`, `metadata`, `user`, `safety_identifier`, `verbosity` and `service_tier` where the provider has
no such thing. Refused, because an answer without them is not what was asked: everything else not read here.
"""

from typing import Any

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats.openai_chat.messages import parse_messages
from proxy_app.formats.openai_chat.request import check_messages, read_call
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.wire import JSON, CallFacts, Conversation, OutputFormat, Reasoning, Sampling, Tool, ToolChoice

_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


def parse_request(body: JSON, facts: CallFacts | None = None) -> Conversation:
    """The whole request. Raises InvalidBody, UnsupportedContent and UnsupportedParameter, each naming
    the field."""
    facts = facts or read_call(body)
    fields = Fields(body)
    _refuse_other_answers(fields)
    check_messages(fields)
    effort = fields.maybe_text("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        raise wrong_type("reasoning_effort", "none, minimal, low, medium, high, xhigh or max")
    tools = [_tool(tool) for tool in fields.objects("tools")]
    return Conversation(
        model=facts.model,
        turns=parse_messages(fields.objects("messages")),
        tools=tools,
        tool_choice=_tool_choice(fields, tools),
        parallel_tools=fields.maybe_flag("parallel_tool_calls"),
        output=_output(fields),
        sampling=_sampling(fields, facts.candidates),
        max_output_tokens=facts.max_output_tokens,
        reasoning=Reasoning(effort=effort) if effort is not None else None,
        verbosity=fields.maybe_text("verbosity"),
        service_tier=fields.maybe_text("service_tier"),
        end_user=facts.end_user,
        metadata=fields.maybe_json("metadata"),
        stream=facts.stream,
    )


def _refuse_other_answers(fields: Fields) -> None:
    if fields.get("modalities") not in (None, [], ["text"]):
        raise UnsupportedParameter(
            "Only the modality 'text' can be carried to this model.", param="modalities"
        )
    if fields.get("web_search_options") is not None:  # an empty object asks for a search too
        raise UnsupportedParameter(
            "'web_search_options' cannot be carried to this model.", param="web_search_options"
        )


def _sampling(fields: Fields, candidates: int) -> Sampling:
    stop = fields.get("stop")
    return Sampling(
        temperature=fields.maybe_number("temperature"),
        top_p=fields.maybe_number("top_p"),
        top_k=fields.maybe_count("top_k"),
        seed=_seed(fields),
        frequency_penalty=fields.maybe_number("frequency_penalty"),
        presence_penalty=fields.maybe_number("presence_penalty"),
        stop=[stop] if isinstance(stop, str) else fields.texts("stop"),
        n=candidates,
        logprobs=fields.maybe_flag("logprobs"),
        top_logprobs=fields.maybe_count("top_logprobs"),
        logit_bias=fields.maybe_json("logit_bias"),
    )


def _seed(fields: Fields) -> int | None:
    value = fields.get("seed")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise wrong_type("seed", "a whole number")
    return value


def _tool(tool: Fields) -> Tool:
    kind = tool.text("type")
    if kind != "function":
        raise UnsupportedParameter(
            f"'{tool.path}': tools of the type '{kind[:60]}' cannot be carried to this model.",
            param=tool.path,
        )
    function = tool.object("function")
    return Tool(
        name=function.text("name"),
        description=function.maybe_text("description"),
        schema=function.maybe_json("parameters"),
        strict=function.maybe_flag("strict"),
        cache_control=tool.maybe_json("cache_control") or function.maybe_json("cache_control"),
    )


def _tool_choice(fields: Fields, tools: list[Tool]) -> ToolChoice | None:
    value: Any = fields.get("tool_choice")
    if value is None:
        return None
    if value in ("auto", "required", "none"):
        choice = ToolChoice(value)
    elif isinstance(value, dict):
        choice = _named_choice(fields.object("tool_choice"))
    else:
        raise wrong_type("tool_choice", "auto, required, none or an object")
    known = {tool.name for tool in tools}
    for name in choice.names:
        if name not in known:
            raise InvalidBody(
                f"'tool_choice' names '{name[:80]}', which is not in 'tools'.", param="tool_choice"
            )
    if choice.mode == "required" and not tools:
        raise InvalidBody("'tool_choice' needs 'tools'.", param="tool_choice")
    return choice


def _named_choice(choice: Fields) -> ToolChoice:
    kind = choice.text("type")
    if kind == "function":
        return ToolChoice("required", (choice.object("function").text("name"),))
    if kind != "allowed_tools":
        raise UnsupportedParameter(
            f"A tool choice of the type '{kind[:60]}' cannot be carried to this model.", param="tool_choice"
        )
    allowed = choice.maybe_object("allowed_tools") or choice
    mode = allowed.maybe_text("mode") or "auto"
    if mode not in ("auto", "required"):
        raise wrong_type(allowed.at("mode"), "auto or required")
    names = tuple(_tool_name(tool) for tool in allowed.objects("tools"))
    if not names:
        raise InvalidBody(f"'{allowed.at('tools')}' must not be empty.", param=allowed.at("tools"))
    return ToolChoice("required" if mode == "required" else "auto", names)


def _tool_name(tool: Fields) -> str:
    function = tool.maybe_object("function")
    return (function or tool).text("name")


def _output(fields: Fields) -> OutputFormat:
    form = fields.maybe_object("response_format")
    if form is None:
        return OutputFormat()
    match form.text("type"):
        case "text":
            return OutputFormat()
        case "json_object":
            schema = form.maybe_json("schema")  # where other servers have it
            return OutputFormat("schema", schema) if schema is not None else OutputFormat("json")
        case "json_schema":
            described = form.object("json_schema")
            return OutputFormat(
                "schema",
                schema=described.maybe_json("schema") or {"type": "object"},
                name=described.maybe_text("name"),
                strict=described.maybe_flag("strict"),
                description=described.maybe_text("description"),
            )
    raise wrong_type("response_format.type", "text, json_object or json_schema")
