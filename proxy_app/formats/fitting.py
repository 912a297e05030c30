"""What a model is known not to take, by its quirks: left out of a translated call, or asked for otherwise.
Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy_app.formats.carrying import NEUTRAL, schema_instruction, with_instruction
from proxy_app.formats.efforts import BUDGETS, effort_of, nearest
from proxy_app.wire import Conversation, OutputFormat, Reasoning

#: What is no sampling, and a model may not take either.
_OF_THE_WHOLE = frozenset({"service_tier", "verbosity"})


def fit(conversation: Conversation, quirks: Mapping[str, Any]) -> tuple[str, ...]:
    """Fit a conversation to a model; gives the names of what it asked for and is not sent."""
    dropped = drop_untaken(conversation, quirks.get("drop") or ())
    if quirks.get("thinking_switch") and _forces_a_tool(conversation):
        dropped += drop_reasoning(conversation)
        conversation.reasoning = Reasoning("none")
    if conversation.reasoning is None or effort_of(conversation.reasoning) != "none":
        dropped += drop_untaken(conversation, quirks.get("drop_when_reasoning") or ())
    if quirks.get("no_reasoning"):
        dropped += drop_reasoning(conversation)
    elif known := [word for word in quirks.get("efforts") or () if word in BUDGETS]:
        dropped += _say_effort(conversation, known)
    if quirks.get("no_schemas"):
        dropped += _ask_in_words(conversation)
    return dropped


def drop_untaken(conversation: Conversation, names: Iterable[str]) -> tuple[str, ...]:
    """Leave out parameters that a model is known not to take (sampling, `service_tier`, `verbosity`); gives
    the names of those that were set to more than their default."""
    dropped = []
    for name in names:
        unset: Any = [] if name == "stop" else None
        holder: Any = conversation if name in _OF_THE_WHOLE else conversation.sampling
        value = getattr(holder, name, unset)
        if value == unset:
            continue
        if value not in NEUTRAL.get(name, (None,)):
            dropped.append(name)
        setattr(holder, name, unset)
    return tuple(dropped)


def drop_reasoning(conversation: Conversation) -> tuple[str, ...]:
    """Leave out how hard to think, for a model that does not; told where it was asked to."""
    reasoning, conversation.reasoning = conversation.reasoning, None
    if reasoning is None or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        return ()
    return ("reasoning_effort",)


def _say_effort(conversation: Conversation, known: Sequence[str]) -> tuple[str, ...]:
    """How hard to think, in a word that the model knows; told where it thinks all the same."""
    asked = conversation.reasoning
    effort = effort_of(asked)
    if asked is None or effort not in BUDGETS or effort in known:
        return ()
    conversation.reasoning = replace(asked, effort=nearest(effort, known), budget_tokens=None)
    return ("reasoning_effort",) if effort == "none" else ()


def _forces_a_tool(conversation: Conversation) -> bool:
    return conversation.tool_choice is not None and conversation.tool_choice.mode == "required"


def _ask_in_words(conversation: Conversation) -> tuple[str, ...]:
    """JSON mode, with the answer's schema among the instructions."""
    if conversation.output.kind != "schema":
        return ()
    instruction = schema_instruction(conversation.output.schema or {})
    conversation.turns = with_instruction(conversation.turns, instruction)
    conversation.output = OutputFormat("json")
    return ("response_format",)
