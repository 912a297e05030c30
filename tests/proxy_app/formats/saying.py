"""What a pair of wire formats can both say: answers drawn out of that and nothing else.

`HOLES` is the whole list of what a format cannot say of an answer and read again, each with its reason.
What one of a pair cannot say is not drawn for the pair; everything else must come through unchanged.
"""

from dataclasses import replace
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from proxy_app.wire import Answer, Citation, Finish, Part, Refusal, Text, Thinking, ToolCall, Usage

FORMATS: Final = ("openai_chat", "openai_responses", "anthropic", "gemini")
PAIRS: Final = [(one, other) for one in FORMATS for other in FORMATS]
CREATED: Final = 1_790_000_001

HOLES: Final[dict[tuple[str, str], str]] = {
    ("parts in any order", "openai_chat"): "one message: thoughts, text, refusal and calls have fields each",
    ("refusal", "anthropic"): "a refusal is text and the explanation of its end: it is read as both",
    ("refusal", "gemini"): "a refusal is text that ends with SAFETY",
    ("citations", "anthropic"): "its citations quote their source and tell no place in the answer",
    ("citations of any text", "gemini"): "citations stand with the candidate and count all of its text",
    ("stop sequence", "openai_chat"): "`stop` is every natural end",
    ("stop sequence", "openai_responses"): "`completed` is every natural end",
    ("stop sequence", "gemini"): "`STOP` is every natural end",
    ("pause", "openai_chat"): "no reason for an answer to be gone on with",
    ("pause", "openai_responses"): "no reason for an answer to be gone on with",
    ("pause", "gemini"): "no reason that callers' SDKs would go on with",
    ("no usage", "anthropic"): "usage is never missing and its counts are never null",
    ("cache writes", "gemini"): "writing its cache is not counted in a call",
    ("cache writes of an hour", "openai_chat"): "one lifetime",
    ("cache writes of an hour", "openai_responses"): "one lifetime",
    ("cache writes of an hour", "gemini"): "writing its cache is not counted in a call",
    ("audio tokens", "openai_responses"): "its usage names no sound",
    ("audio tokens", "anthropic"): "its usage names no sound",
    ("time", "anthropic"): "a message bears no time",
    ("time", "gemini"): "an answer bears no time",
}


def can(what: str, *formats: str) -> bool:
    """Whether all of these formats can say it."""
    return not any((what, name) in HOLES for name in formats)


WORDS = st.text(min_size=1, max_size=9)
IDS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,8}", fullmatch=True)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(-9, 9), st.floats(-9, 9), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner)),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(WORDS, VALUES, max_size=3).map(lambda told: orjson.dumps(told).decode())
SIGNERS = st.sampled_from([(None, None), ("c2ln", "gemini"), ("c2ln", "anthropic"), ("c2ln", "openai")])
THOUGHTS = st.builds(lambda text, by: Thinking(text, by[0], provider=by[1]), WORDS, SIGNERS)
COUNTS = st.integers(0, 999)


@st.composite
def said(draw: st.DrawFn, pair: tuple[str, str]) -> list[Part]:
    """The parts of an answer, in an order both have."""
    calls = [
        ToolCall(call_id, draw(IDS), draw(ARGUMENTS))
        for call_id in draw(st.lists(IDS, max_size=3, unique=True))
    ]
    if can("parts in any order", *pair):
        parts: list[Part] = [*draw(st.lists(THOUGHTS, max_size=2)), *calls]
        parts += draw(st.lists(st.builds(Text, WORDS), max_size=3))
        if can("refusal", *pair):
            parts += draw(st.lists(st.builds(Refusal, WORDS), max_size=1))
        parts = draw(st.permutations(parts))
    else:
        parts = [*draw(st.lists(THOUGHTS, max_size=1)), *draw(st.lists(st.builds(Text, WORDS), max_size=1))]
        if can("refusal", *pair):
            parts += draw(st.lists(st.builds(Refusal, WORDS), max_size=1))
        parts += calls
    cite(draw, parts, pair)
    return parts


def cite(draw: st.DrawFn, parts: list[Part], pair: tuple[str, str]) -> None:
    texts = [part for part in parts if isinstance(part, Text)]
    if not texts or not can("citations", *pair):
        return
    length = sum(len(text.text) for text in texts)
    start = draw(st.integers(0, length - 1))
    citation = Citation("https://x.test/a", draw(WORDS), None, start, draw(st.integers(start + 1, length)))
    place = -1 if not can("citations of any text", *pair) else draw(st.integers(0, len(texts) - 1))
    texts[place].citations = draw(st.sampled_from([[], [citation]]))


@st.composite
def usages(draw: st.DrawFn, pair: tuple[str, str]) -> Usage | None:
    if can("no usage", *pair) and draw(st.integers(0, 9)) == 9:
        return None
    fresh, read, write, out, thought, sound = (draw(COUNTS) for _ in range(6))
    usage = Usage(fresh + read, read, output_tokens=out + thought, reasoning_tokens=thought)
    if can("cache writes", *pair):
        usage.input_tokens, usage.cache_write_tokens = fresh + read + write, write
    if can("cache writes of an hour", *pair):
        usage.cache_write_1h_tokens = draw(st.integers(0, write))
    if can("audio tokens", *pair):
        usage.input_audio_tokens, usage.output_audio_tokens = min(sound, fresh), min(sound, out)
    return usage


@st.composite
def answers(draw: st.DrawFn, pair: tuple[str, str]) -> Answer:
    """An answer that both formats of the pair can say."""
    parts = draw(said(pair))
    ends = [Finish.LENGTH, Finish.CONTENT_FILTER]
    ends.append(Finish.TOOL_CALLS if any(isinstance(part, ToolCall) for part in parts) else Finish.STOP)
    ends += [Finish.STOP_SEQUENCE] if can("stop sequence", *pair) else []
    ends += [Finish.PAUSE] if can("pause", *pair) else []
    finish = draw(st.sampled_from(ends))
    answer = Answer("resp_a1", "public-model", parts, finish, draw(usages(pair)), CREATED)
    if finish is Finish.STOP_SEQUENCE:
        answer.stop_sequence = draw(WORDS)
    return answer


# ---------------------------------------------------------------- what is the same


def bare(answer: Answer, pair: tuple[str, str]) -> Answer:
    """What is compared: a count that is not told is 0, as docs/compatibility.md says; signatures are read
    by the family that made them, in what callers send back; a format without times tells none; tiers go by
    each provider's own names."""
    usage = answer.usage
    if usage is not None:
        counts: dict[str, Any] = {
            name: getattr(usage, name) or 0 for name in Usage.__slots__ if name != "units"
        }
        usage = Usage(**counts)
    parts = [unsigned(part) for part in answer.parts]
    created = answer.created if can("time", *pair) else 0
    return replace(answer, parts=parts, usage=usage, created=created, service_tier=None)


def unsigned(part: Part) -> Part:
    match part:
        case Thinking(text):
            return Thinking(text)
        case ToolCall():
            return replace(part, signature=None)
    return part
