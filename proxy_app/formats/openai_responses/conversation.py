"""Responses parameters, read into a conversation for a provider of another format.

Carried: instructions and input (messages, images, files, audio, tool calls and results, reasoning with
its signatures), functions and tool choice, output format, verbosity, sampling, effort, service tier.
Custom tools become functions with one string, `input`, and are answered as custom tools again; tools in a
namespace or in the input join the one list that other formats have. A web search that may not leave the
provider is dropped.

Dropped, because they are hints or the provider's housekeeping: `store` (what is translated is never
stored, and says so), `include`, `prompt_cache_*`, `truncation`, `context_management`, `stream_options`,
`max_tool_calls`, `client_metadata`, and `metadata`, `user`, `safety_identifier` where the provider has no
such thing. Refused, because an answer without them is not what was asked: state kept by the provider
(`previous_response_id`, `conversation`, `prompt`), `background`, hosted tools and their items, log
probabilities, and everything else not read here.
"""

from typing import Any

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats.openai_responses.items import parse_items
from proxy_app.formats.openai_responses.request import check_input, read_call
from proxy_app.formats.openai_responses.tools import parse_tool_choice, parse_tools
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.wire import JSON, CallFacts, Conversation, OutputFormat, Reasoning, Sampling, Text, Turn

_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_SUMMARIES = frozenset({"auto", "concise", "detailed"})
_LOGPROBS = "message.output_text.logprobs"


def parse_request(body: JSON, facts: CallFacts | None = None) -> Conversation:
    """The whole request. Raises InvalidBody, UnsupportedContent and UnsupportedParameter, each naming
    the field."""
    facts = facts or read_call(body)
    fields = Fields(body)
    _refuse_log_probabilities(fields)
    check_input(fields)
    tools = parse_tools(fields)
    output, verbosity = _text(fields)
    return Conversation(
        model=facts.model,
        turns=_turns(fields),
        tools=tools,
        tool_choice=parse_tool_choice(fields, tools),
        parallel_tools=fields.maybe_flag("parallel_tool_calls"),
        output=output,
        sampling=Sampling(
            temperature=fields.maybe_number("temperature"),
            top_p=fields.maybe_number("top_p"),
            top_k=fields.maybe_count("top_k"),
        ),
        max_output_tokens=facts.max_output_tokens,
        reasoning=_reasoning(fields),
        verbosity=verbosity,
        service_tier=fields.maybe_text("service_tier"),
        end_user=facts.end_user,
        metadata=fields.maybe_json("metadata"),
        stream=facts.stream,
    )


def _refuse_log_probabilities(fields: Fields) -> None:
    if _LOGPROBS in fields.texts("include"):
        raise UnsupportedParameter(
            f"'include': '{_LOGPROBS}' cannot be carried to this model.", param="include"
        )


def _turns(fields: Fields) -> list[Turn]:
    value = fields.get("input")
    if not value:
        raise InvalidBody("'input' must not be empty.", param="input")
    turns: list[Turn] = []
    if instructions := fields.maybe_text("instructions"):
        turns.append(Turn("system", [Text(instructions)]))
    if isinstance(value, str):
        return [*turns, Turn("user", [Text(value)])]
    return turns + parse_items(fields.objects("input"))


def _text(fields: Fields) -> tuple[OutputFormat, str | None]:
    """(output format, verbosity) of `text`."""
    text = fields.maybe_object("text")
    if text is None:
        return OutputFormat(), None
    verbosity, form = text.maybe_text("verbosity"), text.maybe_object("format")
    if form is None:
        return OutputFormat(), verbosity
    match form.text("type"):
        case "text":
            return OutputFormat(), verbosity
        case "json_object":
            return OutputFormat("json"), verbosity
        case "json_schema":
            output = OutputFormat(
                "schema",
                schema=form.maybe_json("schema") or {"type": "object"},
                name=form.maybe_text("name"),
                strict=form.maybe_flag("strict"),
                description=form.maybe_text("description"),
            )
            return output, verbosity
    raise wrong_type(form.at("type"), "text, json_object or json_schema")


def _reasoning(fields: Fields) -> Reasoning | None:
    """Effort, and whether thoughts are to be shown. A mode other than the usual one is refused."""
    reasoning = fields.maybe_object("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.maybe_text("effort")
    if effort is not None and effort not in _EFFORTS:
        raise wrong_type("reasoning.effort", "none, minimal, low, medium, high, xhigh or max")
    summary = reasoning.maybe_text("summary") or reasoning.maybe_text("generate_summary")
    if summary is not None and summary not in _SUMMARIES:
        raise wrong_type("reasoning.summary", "auto, concise or detailed")
    mode: Any = reasoning.maybe_text("mode")
    if mode not in (None, "standard"):
        raise UnsupportedParameter(
            f"'reasoning.mode': '{mode[:60]}' cannot be carried to this model.", param="reasoning.mode"
        )
    if effort is None and summary is None:
        return None
    return Reasoning(effort=effort, include_thoughts=True if summary else None)
