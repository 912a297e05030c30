"""Reasoning effort in words and as a budget of tokens: formats know one or the other."""

from collections.abc import Sequence
from typing import Final

from proxy_app.wire import Reasoning

#: effort -> tokens a model may think. `none` is off, `minimal` the least a provider takes.
BUDGETS: Final[dict[str, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}


#: From the least on.
_ORDER: Final = tuple(BUDGETS)


def nearest(effort: str, known: Sequence[str]) -> str:
    """The word that a model knows for an effort, of two as near the harder one."""
    place = _ORDER.index(effort)
    return min(known, key=lambda word: (abs(_ORDER.index(word) - place), -_ORDER.index(word)))


def effort_of_budget(budget_tokens: int) -> str:
    """The effort nearest to a budget; -1 (the model decides) counts as medium."""
    if budget_tokens < 0:
        return "medium"
    if budget_tokens == 0:
        return "none"
    if budget_tokens <= 4096:
        return "low"
    if budget_tokens <= 12288:
        return "medium"
    return "high" if budget_tokens < 32768 else "xhigh"


def effort_of(reasoning: Reasoning | None) -> str | None:
    """The effort asked for, in words; `none` when nothing was, None when that is the model's to decide."""
    if reasoning is None:
        return "none"
    if reasoning.effort is not None or reasoning.budget_tokens is None:
        return reasoning.effort
    return effort_of_budget(reasoning.budget_tokens)
