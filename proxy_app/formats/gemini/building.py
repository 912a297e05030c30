"""A conversation written as a Gemini generateContent request.

Not carried: `verbosity`, `strict` of tools, image `detail`, end user and metadata (dropped: hints and
claims), penalties from Gemini 2.5 on (dropped, and told); `logit_bias`, log probabilities and several
candidates are refused.
Quirks: `api_version` (default v1beta), `web_media` (whether the model takes public https addresses of media),
and `thinking_style` "level" or "budget"; the last two are else told by the model's name (addresses since
Gemini 2.5, budgets up to 2.5, levels since 3).
"""

from dataclasses import replace

import orjson

from proxy_app.formats.carrying import allowed_tools, alternate, refuse_sampling, split_system
from proxy_app.formats.efforts import BUDGETS, effort_of_budget
from proxy_app.formats.gemini.parts import build_part
from proxy_app.formats.gemini.request import HEADERS, generation, request_path, wants_signed_calls
from proxy_app.formats.gemini.signatures import SKIP_SIGNATURE
from proxy_app.wire import (
    JSON,
    Conversation,
    Outgoing,
    OutputFormat,
    Reasoning,
    Sampling,
    Target,
    Tool,
    ToolChoice,
    Turn,
)

_LEVELS = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
_PENALTIES = ("frequency_penalty", "presence_penalty")
#: OpenAI's words for tiers -> this format's; `auto` and Anthropic's are the provider's own default.
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}


def build_request(conversation: Conversation, target: Target) -> Outgoing:
    """The provider request. Raises UnsupportedContent and UnsupportedParameter."""
    refuse_sampling(conversation, "logit_bias", "logprobs", "top_logprobs", "n")
    sampling, dropped = _taken(conversation.sampling, target)
    system, turns = split_system(conversation.turns)
    body: JSON = {"contents": _contents(alternate(turns), target)}
    if system:
        body["systemInstruction"] = {"parts": [{"text": text.text} for text in system]}
    if conversation.tools:
        body |= _tools(conversation)
    config = _sampling(sampling, conversation.max_output_tokens) | _output(conversation.output)
    if conversation.reasoning is not None:
        config["thinkingConfig"] = _thinking(conversation.reasoning, target)
    if config:
        body["generationConfig"] = config
    if tier := _TIERS.get(conversation.service_tier or ""):
        body["serviceTier"] = tier
    return Outgoing(request_path(target, conversation.stream), orjson.dumps(body), dict(HEADERS), dropped)


def _taken(sampling: Sampling, target: Target) -> tuple[Sampling, tuple[str, ...]]:
    """(what the model takes of it, the names of what is left out). No model takes penalties since Gemini 2.5:
    "Penalty is not enabled for this model"."""
    if (generation(target) or (3, 0)) < (2, 5):
        return sampling, ()
    dropped = tuple(name for name in _PENALTIES if getattr(sampling, name))
    return replace(sampling, frequency_penalty=None, presence_penalty=None), dropped


def _contents(turns: list[Turn], target: Target) -> list[JSON]:
    """From Gemini 3 on a turn's first call must be signed; one that another model made is marked so."""
    needs_signature = wants_signed_calls(target)
    contents = []
    for turn in turns:
        parts = [built for part in turn.parts if (built := build_part(part, target)) is not None]
        if not parts:
            continue
        calls = [part for part in parts if "functionCall" in part]
        if needs_signature and calls and not any("thoughtSignature" in call for call in calls):
            calls[0]["thoughtSignature"] = SKIP_SIGNATURE
        contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    return contents


def _sampling(sampling: Sampling, max_output_tokens: int | None) -> JSON:
    values = {
        "maxOutputTokens": max_output_tokens,
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "seed": sampling.seed,
        "frequencyPenalty": sampling.frequency_penalty,
        "presencePenalty": sampling.presence_penalty,
        "stopSequences": sampling.stop or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _output(output: OutputFormat) -> JSON:
    match output.kind:
        case "text":
            return {}
        case "json":
            return {"responseMimeType": "application/json"}
        case "schema":
            schema = output.schema or {"type": "object"}
            return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _thinking(reasoning: Reasoning, target: Target) -> JSON:
    effort = reasoning.effort
    config: JSON = {}
    made = generation(target) or (3, 0)
    style = target.quirks.get("thinking_style") or ("budget" if made < (3, 0) else "level")
    if style == "budget":
        config["thinkingBudget"] = reasoning.budget_tokens if effort is None else BUDGETS[effort]
    else:
        config["thinkingLevel"] = _LEVELS[effort or effort_of_budget(reasoning.budget_tokens or 0)]
    if effort is None and reasoning.budget_tokens is None:
        config = {}
    if reasoning.include_thoughts is not None:
        config["includeThoughts"] = reasoning.include_thoughts
    return config


def _tools(conversation: Conversation) -> JSON:
    choice = conversation.tool_choice
    allowed = allowed_tools(conversation) if choice is not None and choice.mode == "auto" else None
    tools = [_declaration(tool) for tool in conversation.tools if allowed is None or tool.name in allowed]
    body: JSON = {"tools": [{"functionDeclarations": tools}]}
    if choice is not None:
        body["toolConfig"] = {"functionCallingConfig": _calling(choice)}
    return body


def _calling(choice: ToolChoice) -> JSON:
    mode = {"auto": "AUTO", "required": "ANY", "none": "NONE"}[choice.mode]
    if choice.mode == "required" and choice.names:
        return {"mode": mode, "allowedFunctionNames": list(choice.names)}
    return {"mode": mode}


def _declaration(tool: Tool) -> JSON:
    rendered: JSON = {"name": tool.name}
    if tool.description is not None:
        rendered["description"] = tool.description
    if tool.schema is not None:
        rendered["parametersJsonSchema"] = tool.schema
    return rendered
