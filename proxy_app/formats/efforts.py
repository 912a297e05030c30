"""Reasoning effort in words and as a budget of tokens: formats know one or the other."""

from typing import Final

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
