"""What a pair of wire formats can both ask: requests drawn out of that and nothing else.

What one of a pair cannot say, as `asking_holes` tells, is not drawn for the pair; everything else must come
through unchanged.
"""

from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from proxy_app.wire import (
    Conversation,
    File,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tests.proxy_app.formats.asking_turns import IDS, SCHEMAS, Pair, cached, can, maybe, said_so_far, those
from tests.proxy_app.formats.saying import WORDS

#: A model that thinks by budgets, and one that does by words: Gemini's differ by their name.
BY_BUDGET, BY_WORDS = "gemini-2.5-pro", "gemini-3-pro"
TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
#: What OpenAI takes for strict.
CLOSED: Final = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def tool(draw: st.DrawFn, pair: Pair, name: str) -> Tool:
    schema = maybe(draw, SCHEMAS) if can("tools without a schema", *pair) else draw(SCHEMAS)
    strict = can("strict tools", *pair) and draw(st.booleans())
    if strict and not can("strict tools with properties that may be missing", *pair):
        schema = CLOSED
    return Tool(name, maybe(draw, WORDS), schema, strict, cached(draw, pair))


def choice(draw: st.DrawFn, pair: Pair, tools: list[Tool]) -> ToolChoice | None:
    names = tuple(tool.name for tool in tools)
    choices = [None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")]
    choices.append(ToolChoice("required", names[:1]))
    if can("some of the tools", *pair):
        choices.append(ToolChoice("required", names[1:]) if len(names) > 2 else None)
    if can("a free choice of some tools", *pair):
        choices.append(ToolChoice("auto", names[:1]))
    return draw(st.sampled_from(choices))


def output(draw: st.DrawFn, pair: Pair) -> OutputFormat:
    others = [OutputFormat(), OutputFormat("json")] if can("JSON mode", *pair) else [OutputFormat()]
    if draw(st.booleans()):
        return draw(st.sampled_from(others))
    form = OutputFormat("schema", draw(SCHEMAS))
    if can("the name of a schema", *pair):
        form.name, form.description = draw(IDS), maybe(draw, WORDS)
        form.strict = draw(st.booleans())
    return form


def sampling(draw: st.DrawFn, pair: Pair) -> Sampling:
    hot = 2 if can("temperatures above 1", *pair) else 1
    drawn = Sampling(maybe(draw, st.floats(0, hot)), maybe(draw, st.floats(0, 1)))
    others: dict[str, st.SearchStrategy[Any]] = {
        "top_k": st.integers(1, 99),
        "seed": st.integers(-9, 999),
        "frequency_penalty": st.floats(-2, 2),
        "presence_penalty": st.floats(-2, 2),
        "stop": st.lists(WORDS, max_size=4),
        "n": st.integers(2, 9),
        "logprobs": st.just(True),
        "top_logprobs": st.integers(0, 9),
        "logit_bias": st.just({"50256": -100}),
    }
    sayable = [name for name in others if can(name, *pair)]
    for name in draw(st.lists(st.sampled_from(sayable), unique=True)) if sayable else ():
        setattr(drawn, name, draw(others[name]))
    return drawn


def goes_on_unsigned(turns: list[Turn], pair: Pair) -> bool:
    """What the user said last begins with results of calls that no thought was signed for, or whose
    thoughts one of the pair cannot carry."""
    turns = joined([Turn(turn.role, [*turn.parts]) for turn in turns])
    if len(turns) < 2 or not any(isinstance(part, ToolResult) for part in turns[-1].parts):
        return False
    signed = [part for part in turns[-2].parts if isinstance(part, Thinking) and part.provider == "anthropic"]
    return not signed or not can("thoughts of anthropic", *pair)


def reasoning(draw: st.DrawFn, pair: Pair, asked: Conversation) -> Reasoning | None:
    """In words, or as a budget where both know that and the model takes it."""
    off = asked.tool_choice is not None and asked.tool_choice.mode == "required"
    if (off and not can("thoughts before a forced tool", *pair)) or draw(st.booleans()):
        return None
    if goes_on_unsigned(asked.turns, pair) and not can("thoughts after unsigned calls", *pair):
        return None
    shown = [None, *([True] if can("thoughts shown", *pair) else [])]
    shown += [False] if can("thoughts hidden", *pair) else []
    if asked.model == BY_BUDGET and can("a budget of thoughts", *pair):
        least = 1024 if not can("a budget below 1024", *pair) else -1
        budget = draw(st.integers(least, (asked.max_output_tokens or 99999) * 3 // 4))
        return Reasoning(None, budget, draw(st.sampled_from(shown)))
    effort = draw(st.sampled_from([None, *those(pair, "effort", EFFORTS)]))
    told = None if effort == "none" else draw(st.sampled_from(shown))
    untold = effort is None and told is None and not can("thoughts as the model likes", *pair)
    return None if untold else Reasoning(effort, None, told)


@st.composite
def requests(draw: st.DrawFn, pair: Pair) -> Conversation:
    """A request that both formats of the pair can say."""
    names = draw(st.lists(IDS, max_size=3, unique=True))
    tools = [tool(draw, pair, name) for name in names]
    by_budget = can("a budget of thoughts", *pair) and draw(st.booleans())
    least = 1 if can("a limit below 16", *pair) else 16
    limits = st.integers(2048 if by_budget else least, 99999)
    drawn = Conversation(BY_BUDGET if by_budget else BY_WORDS, draw(said_so_far(pair)), tools)
    drawn.max_output_tokens = maybe(draw, limits) if can("no limit", *pair) else draw(limits)
    if tools:
        drawn.tool_choice = choice(draw, pair, tools)
        if can("one call at a time", *pair) and (can("that alone", *pair) or free(drawn.tool_choice)):
            drawn.parallel_tools = draw(st.sampled_from([None, True, False]))
    drawn.output, drawn.sampling = output(draw, pair), sampling(draw, pair)
    if drawn.output.kind == "json" and not can("JSON mode without the word", *pair):
        drawn.turns.append(Turn("user", [Text("as JSON")]))
    drawn.reasoning = reasoning(draw, pair, drawn)
    drawn.verbosity = draw(st.sampled_from([None, "low", "high"])) if can("verbosity", *pair) else None
    drawn.service_tier = draw(st.sampled_from([None, *those(pair, "tier", TIERS)]))
    drawn.cache_control = cached(draw, pair)
    drawn.stream = draw(st.booleans())
    return drawn


def free(choice: ToolChoice | None) -> bool:
    return choice is not None and choice.mode != "none"


# ---------------------------------------------------------------- what is the same


def plain(told: Conversation, pair: tuple[str, ...]) -> Conversation:
    """What is compared: what says the same in other words is said in one, and what one of the pair cannot
    say beside what it can is left out."""
    turns = [
        Turn(turn.role, [_part(part, pair) for part in turn.parts if _is_told(part, pair)])
        for turn in told.turns
    ]
    if not can("turns of one role in a row", *pair):
        turns = joined(turns)
    return replace(
        told,
        turns=turns,
        tools=[replace(tool, strict=bool(tool.strict)) for tool in told.tools],
        output=replace(told.output, name=told.output.name or "answer", strict=bool(told.output.strict)),
        sampling=replace(told.sampling, n=told.sampling.n or 1),
    )


def joined(turns: list[Turn]) -> list[Turn]:
    kept: list[Turn] = []
    for turn in turns:
        if kept and kept[-1].role == turn.role:
            kept[-1].parts.extend(turn.parts)
        else:
            kept.append(turn)
    return kept


def _is_told(part: Part, pair: tuple[str, ...]) -> bool:
    return not isinstance(part, Thinking) or can(f"thoughts of {part.provider or 'nobody'}", *pair)


def _part(part: Part, pair: tuple[str, ...]) -> Part:
    match part:
        case Image():
            media_type = None if part.url else part.media_type
            return replace(part, media_type=media_type, detail=part.detail or "auto")
        case File() if not can("names of files", *pair):
            return replace(part, filename=None)
        case ToolCall(signature="skip_thought_signature_validator"):
            return replace(part, signature=None)
        case ToolResult():
            inner = [_part(each, pair) for each in part.parts if not isinstance(each, Text) or each.text]
            return replace(part, parts=inner)
    return part
