"""Gemini parameters, read into a conversation for a provider of another format.

Carried: `contents`, `systemInstruction`, function tools and their choice, sampling, limits, stop texts, JSON
output, thinking, `serviceTier` where the provider has tiers, `labels` as metadata (a claim).

Dropped, because they are hints or this provider's housekeeping: `safetySettings` (every provider filters by
its own rules, and none but this one lets them be set), `store`, `model`, and of `generationConfig`
`mediaResolution`, `audioTimestamp`, `enableEnhancedCivicAnswers`, `routingConfig`, `modelSelectionConfig` and
`modelConfig` (the gateway's own routing decides).

Refused, because an answer without them is not what was asked: `cachedContent` (a part of the question that
only this provider has), several candidates, log probabilities, answers in anything but text, `speechConfig`,
`imageConfig`, `continuationToken`, answers as one bare word of a list (`text/x.enum`), tools that the
provider itself runs, code and its results, videos, and everything else not read here.
"""

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats.gemini.contents import parse_contents, parse_instruction
from proxy_app.formats.gemini.request import read_call
from proxy_app.formats.gemini.schemas import json_schema
from proxy_app.formats.gemini.spelling import CamelFields
from proxy_app.formats.gemini.tools import parse_choice, parse_tools
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.wire import JSON, CallFacts, Conversation, OutputFormat, Reasoning, Sampling

#: This format's words for tiers and levels -> OpenAI's.
_TIERS = {"standard": "default", "flex": "flex", "priority": "priority", "unspecified": None}
_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh", "max"})


def parse_request(body: JSON, facts: CallFacts | None = None) -> Conversation:
    """The whole request. Raises InvalidBody, UnsupportedContent and UnsupportedParameter, each naming
    the field."""
    facts = facts or read_call(body)
    fields = CamelFields(body)
    config = fields.maybe_object("generationConfig") or CamelFields({}, "generationConfig")
    _refuse_other_answers(config, facts.candidates)
    tools = parse_tools(fields)
    tier = (fields.maybe_text("serviceTier") or "unspecified").lower()
    if tier not in _TIERS:
        raise wrong_type("serviceTier", "standard, flex or priority")
    return Conversation(
        model=facts.model,
        turns=[*parse_instruction(fields), *parse_contents(fields)],
        tools=tools,
        tool_choice=parse_choice(fields, tools),
        output=_output(config),
        sampling=_sampling(config),
        max_output_tokens=facts.max_output_tokens,
        reasoning=_reasoning(config),
        service_tier=_TIERS[tier],
        end_user=facts.end_user,
        metadata=fields.maybe_json("labels"),
        stream=facts.stream,
    )


def _refuse_other_answers(config: Fields, candidates: int) -> None:
    wanted = {kind.upper() for kind in config.texts("responseModalities")}
    if wanted - {"TEXT", "MODALITY_UNSPECIFIED"}:
        path = config.at("responseModalities")
        raise UnsupportedParameter(
            f"'{path}': only answers in text can be carried to this model.", param=path
        )
    if candidates > 1:
        path = config.at("candidateCount")
        raise UnsupportedParameter(f"'{path}': only one answer can be carried from this model.", param=path)


def _sampling(config: Fields) -> Sampling:
    return Sampling(
        temperature=config.maybe_number("temperature"),
        top_p=config.maybe_number("topP"),
        top_k=config.maybe_count("topK"),
        seed=_seed(config),
        frequency_penalty=config.maybe_number("frequencyPenalty"),
        presence_penalty=config.maybe_number("presencePenalty"),
        stop=config.texts("stopSequences"),
    )


def _seed(config: Fields) -> int | None:
    value = config.maybe_number("seed")
    if value is not None and (abs(value) > 2**53 or value != int(value)):
        raise wrong_type(config.at("seed"), "a whole number")
    return None if value is None else int(value)


def _reasoning(config: CamelFields) -> Reasoning | None:
    """A level in words or a budget in tokens (0 off, -1 left to the model); the level counts of both."""
    thinking = config.maybe_object("thinkingConfig")
    if thinking is None:
        return None
    level = (thinking.maybe_text("thinkingLevel") or "").lower()
    budget = thinking.maybe_number("thinkingBudget")
    if budget is not None and (abs(budget) > 2**53 or budget < -1 or budget != int(budget)):
        raise wrong_type(thinking.at("thinkingBudget"), "a whole number of at least -1")
    shown = thinking.maybe_flag("includeThoughts")
    if level in _LEVELS:
        return Reasoning(level, include_thoughts=shown)
    if level not in ("", "thinking_level_unspecified"):
        raise wrong_type(thinking.at("thinkingLevel"), "MINIMAL, LOW, MEDIUM or HIGH")
    if budget is None and shown is None:
        return None
    return Reasoning(None, None if budget is None else int(budget), shown)


def _output(config: CamelFields) -> OutputFormat:
    kind = (config.maybe_text("responseMimeType") or "").lower()
    schema = config.maybe_json("responseJsonSchema")
    styled = config.maybe_json("responseSchema")
    if schema is None and styled is not None:
        schema = json_schema(styled, config.at("responseSchema"))
    match kind:
        case "" | "text/plain" if schema is None:
            return OutputFormat()
        case "application/json" if schema is None:
            return OutputFormat("json")
        case "" | "application/json":
            return OutputFormat("schema", schema=schema)
        case "text/x.enum":
            path = config.at("responseMimeType")
            raise UnsupportedParameter(f"'{path}': '{kind}' cannot be carried to this model.", param=path)
        case "text/plain":
            raise InvalidBody(
                f"'{config.path}' asks for a schema and for plain text.", param=config.at("responseMimeType")
            )
    raise wrong_type(config.at("responseMimeType"), "text/plain or application/json")
