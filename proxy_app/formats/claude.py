"""What each generation of Claude takes and refuses, told by a model's name wherever it is served. Pure.

Names come as `claude-opus-4-8`, `anthropic/claude-opus-4.8`, `claude-3-7-sonnet@20250219`,
`us.anthropic.claude-sonnet-4-5-20250929-v1:0`; one that tells no version (`claude-opus-latest`, a profile's
ARN) counts as the newest of its line; where it tells no line either, a demand for a tool goes on as it is.
The quirk `known_as` names another model to go by, `thinking_style` how it is told to think. Source of the
rules: Anthropic's migration guides, its pages on thinking and effort.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from proxy_app.formats.carrying import cannot_carry
from proxy_app.formats.families import ANTHROPIC, family_of
from proxy_app.wire import Conversation, Sampling, Target, Turn

_TIERS = "opus|sonnet|haiku|fable|mythos"
_TIER = re.compile(_TIERS)
_VERSION = re.compile(rf"claude-(?:(?:{_TIERS}|instant)-)?v?(\d{{1,2}})(?:[-.](\d{{1,2}})(?![a-z\d]))?(?!\d)")
_NUMBER = re.compile(r"claude\D*\d")
_NEWEST = (99, 0)
#: The least `top_p` that goes with thinking.
_LEAST_TOP_P = 0.95


@dataclass(frozen=True, slots=True)
class Rules:
    """`thinks`: how it is told to. `rests`: the kind of thinking that means none, None where it always
    thinks. `sampling`: all of it, one of temperature and `top_p`, or none. `forces_tools`: whether it can be
    made to call one. `efforts_all`: whether it knows the effort xhigh. `most_output`: tokens of its longest
    answer, thoughts included."""

    is_claude: bool = True
    thinks: Literal["never", "budget", "adaptive"] = "adaptive"
    rests: Literal["disabled", "between_tools"] | None = "disabled"
    thinks_unasked: bool = False
    sampling: Literal["all", "one", "none"] = "none"
    prefill: bool = False
    forces_tools: bool = True
    schemas: bool = True
    efforts_all: bool = True
    most_output: int = 128_000


#: Models of other makers that are spoken to as Claude is: nothing is known of them.
_OTHER: Final = Rules(is_claude=False, sampling="all", prefill=True, most_output=32_000)


def rules_of(target: Target) -> Rules:
    """What holds for the model behind a target."""
    if family_of(target) != ANTHROPIC:
        rules = _OTHER
    else:
        rules = rules_of_name(str(target.quirks.get("known_as") or target.upstream_model))
    match target.quirks.get("thinking_style"):
        case "budget":
            return replace(rules, thinks="budget", rests="disabled")
        case "adaptive" | "level" if rules.thinks != "adaptive":
            return replace(rules, thinks="adaptive")
    return rules


def rules_of_name(name: str) -> Rules:
    """What holds for a Claude model by its name alone."""
    name = name.lower()
    found = _VERSION.search(name)
    version = (int(found[1]), int(found[2] or 0)) if found else _NEWEST
    tier = _TIER.search(name)
    line = tier[0] if tier else ""
    if version < (4, 6):
        return Rules(
            thinks="never" if version < (3, 7) else "budget",
            sampling="all" if version < (4, 1) else "one",
            prefill=True,
            schemas=version >= (4, 5),
            efforts_all=False,
            most_output=_most_output(line, version),
        )
    if version < (4, 7):
        return Rules(sampling="one", efforts_all=False)
    is_fable = line in ("fable", "mythos")
    return Rules(
        rests=_rest(line, version),
        thinks_unasked=is_fable or version >= (5, 0),
        forces_tools=line == "haiku"
        or version < (5, 1 if is_fable else 5)
        or not (line or _NUMBER.search(name)),
    )


def _most_output(line: str, version: tuple[int, int]) -> int:
    """Of models before 4.6. Source: the pages of each model in Anthropic's documentation."""
    if version < (3, 5):
        return 4_096
    if version < (3, 7):
        return 8_192
    return 32_000 if line == "opus" and version < (4, 5) else 64_000


def _rest(line: str, version: tuple[int, int]) -> Literal["disabled", "between_tools"] | None:
    if line in ("fable", "mythos"):
        return None
    if version < (5, 5) or line == "haiku":
        return "disabled"
    return "between_tools" if line == "sonnet" else None


def fit_sampling(sampling: Sampling, rules: Rules, *, is_thinking: bool) -> tuple[Sampling, tuple[str, ...]]:
    """(what the model takes of it, the names of what was more than a default and is left out)"""
    refused: list[str] = []
    if rules.sampling == "none":
        refused = ["temperature", "top_p", "top_k"]
    elif rules.is_claude and is_thinking:
        refused = ["temperature", "top_k"]
        if sampling.top_p is not None and not _LEAST_TOP_P <= sampling.top_p <= 1:
            refused.insert(1, "top_p")
    elif rules.sampling == "one" and sampling.temperature is not None:
        refused = ["top_p"]
    dropped = tuple(name for name in refused if _is_more_than_default(name, getattr(sampling, name)))
    taken = replace(sampling)
    for name in refused:
        setattr(taken, name, None)
    return taken, dropped


def _is_more_than_default(name: str, value: float | None) -> bool:
    return value is not None and (name == "top_k" or value != 1)


def refuse_beginning(turns: list[Turn], rules: Rules) -> None:
    """Raises UnsupportedContent where a model that continues no answer is given the beginning of one."""
    if not rules.prefill and turns and turns[-1].role == "assistant":
        why = "this model does not continue an answer that was begun for it: end with a user's message."
        raise cannot_carry(turns[-1], why)


def is_forced(conversation: Conversation) -> bool:
    """Whether the caller demands that a tool be called."""
    return conversation.tool_choice is not None and conversation.tool_choice.mode == "required"
