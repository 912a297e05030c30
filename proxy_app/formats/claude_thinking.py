"""How a Claude model is told to think, how hard, and how long it may answer where nobody said so. Pure.

Off for a call where the provider would refuse it: with a forced tool, with the beginning of an answer, or
when the signed thoughts of a tool call that goes on are lost. A model that always thinks needs none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proxy_app.formats.claude import Rules, is_forced
from proxy_app.formats.efforts import BUDGETS, effort_of
from proxy_app.wire import JSON, Conversation, Reasoning, Turn

MIN_BUDGET_TOKENS = 1024
#: Tokens of an answer without a limit, thoughts included: of another maker's model that does not think, of
#: any else, and of one that is to think as hard as it can, for which Anthropic's guides begin there.
_OTHERS_OUTPUT, _USUAL_OUTPUT, _LONG_OUTPUT = 8_192, 32_000, 64_000
_HARDEST = frozenset({"xhigh", "max"})
#: The most a model takes that is told not to think, and one older than the effort xhigh.
_AT_REST: Final = {"xhigh": "high", "max": "high"}
_WITHOUT_XHIGH: Final = {"xhigh": "high"}
_ALL: Final[Mapping[str, str]] = {}


def default_limit(reasoning: Reasoning | None, rules: Rules) -> int:
    """The `max_tokens` of a call whose caller named none: room for what is thought, also unasked, and for an
    answer after it; never more than the model takes."""
    effort = effort_of(reasoning)
    if effort in _HARDEST:
        usual = _LONG_OUTPUT
    else:
        usual = _OTHERS_OUTPUT if effort == "none" and not rules.is_claude else _USUAL_OUTPUT
    budget = (reasoning.budget_tokens or 0) if reasoning is not None else 0
    return min(max(usual, budget + _USUAL_OUTPUT if budget > 0 else 0), rules.most_output)


@dataclass(frozen=True, slots=True)
class Plan:
    """`thinking` as the wire has it, or None to leave it out. `has_lost_thoughts`: it is off because they
    are. `dropped` names what was asked for and cannot be had."""

    thinking: JSON | None = None
    effort: str | None = None
    has_lost_thoughts: bool = False
    dropped: tuple[str, ...] = ()

    @property
    def is_on(self) -> bool:
        return self.thinking is not None and self.thinking["type"] in ("enabled", "adaptive")


def plan_thinking(
    conversation: Conversation, turns: list[Turn], rules: Rules, *, thoughts_are_lost: bool, max_tokens: int
) -> Plan:
    """What to send for what the caller asked."""
    reasoning = conversation.reasoning
    if reasoning is None:
        return Plan()
    effort = effort_of(reasoning)
    if rules.thinks == "never":
        return Plan(dropped=() if effort == "none" else ("reasoning_effort",))
    if effort == "none":
        return _at_rest(effort, rules)
    if rules.rests == "disabled":
        is_begun = rules.is_claude and bool(turns) and turns[-1].role == "assistant"
        if thoughts_are_lost or is_forced(conversation) or is_begun:
            return _at_rest(effort, rules, has_lost_thoughts=thoughts_are_lost)
    shown: JSON = {}
    if reasoning.include_thoughts is not None:
        shown = {"display": "summarized" if reasoning.include_thoughts else "omitted"}
    if rules.thinks == "budget":
        return _budgeted(reasoning, effort, max_tokens, shown)
    return Plan({"type": "adaptive", **shown}, word_of(effort, _ALL if rules.efforts_all else _WITHOUT_XHIGH))


def _at_rest(effort: str | None, rules: Rules, *, has_lost_thoughts: bool = False) -> Plan:
    if rules.rests is None:
        return Plan(effort="low", dropped=("reasoning_effort",))
    told = None if rules.thinks == "budget" else word_of(effort, _AT_REST)
    return Plan({"type": rules.rests}, told, has_lost_thoughts)


def _budgeted(reasoning: Reasoning, effort: str | None, max_tokens: int, shown: JSON) -> Plan:
    room = max_tokens * 3 // 4
    if room < MIN_BUDGET_TOKENS:
        return Plan({"type": "disabled"})
    asked = reasoning.budget_tokens or -1
    budget = asked if asked > 0 else BUDGETS[effort or "medium"]
    budget = max(MIN_BUDGET_TOKENS, min(budget, room))
    return Plan({"type": "enabled", "budget_tokens": budget, **shown})


def word_of(effort: str | None, others: Mapping[str, str] = _ALL) -> str | None:
    """The effort in the provider's word, or another instead; None where there is nothing to say."""
    if effort in (None, "none"):
        return None
    return "low" if effort == "minimal" else others.get(effort, effort)
