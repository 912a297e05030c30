"""What a pair of wire formats can both say: answers drawn out of that and nothing else.

`HOLES` is the whole list of what a format cannot say of an answer and read again, each with its reason.
What one of a pair cannot say is not drawn for the pair; everything else must come through unchanged.
"""

from dataclasses import replace
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from proxy_app.formats.anthropic.blocks import UNSIGNED
from proxy_app.formats.gemini.signatures import own_signature, read_thought
from proxy_app.formats.signing import sealed_thought
from proxy_app.wire import Answer, Citation, Finish, Part, Refusal, Text, Thinking, ToolCall, Usage

FORMATS: Final = ("openai_chat", "openai_responses", "anthropic", "gemini")
PAIRS: Final = [(one, other) for one in FORMATS for other in FORMATS]
CREATED: Final = 1_790_000_001
#: Whose signatures a format's thoughts bear.
FAMILY: Final = {"openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
TIERS: Final = ("default", "flex", "scale", "priority", "batch")

HOLES: Final[dict[tuple[str, str], str]] = {
    ("parts in any order", "openai_chat"): "one message: thoughts, text, refusal and calls have fields each",
    ("refusal", "anthropic"): "a refusal is text and the explanation of its end: it is read as both",
    ("refusal", "gemini"): "a refusal is text that ends with SAFETY",
    ("signed thoughts", "openai_chat"): "no field: what callers get beside is read with their requests",
    ("unsigned thoughts", "anthropic"): "the provider signs all of them",
    ("blacked out", "openai_responses"): "only Anthropic's models do that",
    ("blacked out", "gemini"): "only Anthropic's models do that",
    ("signed calls", "openai_chat"): "no field: what callers get beside is read with their requests",
    ("signed calls", "openai_responses"): "thoughts are signed, calls are not",
    ("signed calls", "anthropic"): "thoughts are signed, calls are not",
    ("places of citations", "anthropic"): "its citations tell no place in the answer",
    ("quotes in citations", "openai_chat"): "its citations quote nothing",
    ("quotes in citations", "openai_responses"): "its citations quote nothing",
    ("quotes in citations", "gemini"): "its citations quote nothing",
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
    ("tiers", "gemini"): "an answer names none",
    ("no tier", "openai_responses"): "`service_tier` is never missing",
    ("tier flex", "anthropic"): "standard, priority and batch",
    ("tier scale", "anthropic"): "standard, priority and batch",
    ("tier batch", "openai_chat"): "no such tier",
    ("tier batch", "openai_responses"): "no such tier",
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
COUNTS = st.integers(0, 999)


@st.composite
def thoughts(draw: st.DrawFn, pair: tuple[str, str]) -> list[Part]:
    """Thoughts that the provider signed, or that nobody did; with words, where the caller reads no more."""
    caller, provider = pair
    count = draw(st.integers(0, 2 if can("parts in any order", *pair) else 1))
    signs = can("signed thoughts", provider)
    if not signs or (can("unsigned thoughts", provider) and draw(st.booleans())):
        return [Thinking(draw(WORDS)) for _ in range(count)]
    family = FAMILY[provider]
    kinds = [Thinking(draw(WORDS), "c2ln", provider=family)]
    if can("signed thoughts", caller):
        kinds.append(Thinking("", "c2ln", provider=family))
        kinds += [Thinking("", redacted="c2ln", provider=family)] if can("blacked out", provider) else []
    return [replace(draw(st.sampled_from(kinds))) for _ in range(count)]


@st.composite
def said(draw: st.DrawFn, pair: tuple[str, str]) -> list[Part]:
    """The parts of an answer, in an order both have."""
    calls = [
        ToolCall(call_id, draw(IDS), draw(ARGUMENTS))
        for call_id in draw(st.lists(IDS, max_size=3, unique=True))
    ]
    for call in calls if can("signed calls", *pair) else ():
        call.signature = draw(st.sampled_from([None, "c2ln"]))
    most = 3 if can("parts in any order", *pair) else 1
    parts: list[Part] = [*draw(thoughts(pair)), *draw(st.lists(st.builds(Text, WORDS), max_size=most))]
    if can("refusal", *pair):
        parts += draw(st.lists(st.builds(Refusal, WORDS), max_size=1))
    parts += calls
    if can("parts in any order", *pair):
        parts = draw(st.permutations(parts))
    cite(draw, parts, pair)
    return parts


def cite(draw: st.DrawFn, parts: list[Part], pair: tuple[str, str]) -> None:
    texts = [part for part in parts if isinstance(part, Text)]
    length = sum(len(text.text) for text in texts)
    for count in range(draw(st.integers(0, 2)) if texts else 0):
        place = -1 if not can("citations of any text", *pair) else draw(st.integers(0, len(texts) - 1))
        citation = Citation(draw(st.sampled_from(["https://x.test/a", None])), f"{count} {draw(WORDS)}")
        if can("places of citations", *pair):
            citation.start = draw(st.integers(0, length - 1))
            citation.end = draw(st.integers(citation.start + 1, length))
        if can("quotes in citations", *pair):
            citation.cited_text = draw(WORDS)
        texts[place].citations.append(citation)


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
    if can("tiers", *pair):
        tiers = [tier for tier in TIERS if can(f"tier {tier}", *pair)]
        answer.service_tier = draw(st.sampled_from([*([None] if can("no tier", *pair) else []), *tiers]))
    return answer


# ---------------------------------------------------------------- what is the same


def bare(answer: Answer, pair: tuple[str, str]) -> Answer:
    """What is compared: a count that is not told is 0, as docs/compatibility.md says; a format without
    signatures, times or tiers tells none."""
    usage = answer.usage
    if usage is not None:
        counts: dict[str, Any] = {
            name: getattr(usage, name) or 0 for name in Usage.__slots__ if name != "units"
        }
        usage = Usage(**counts)
    return replace(
        answer,
        parts=[_plain(part, pair) for part in answer.parts],
        usage=usage,
        created=answer.created if can("time", *pair) else 0,
        service_tier=answer.service_tier if can("tiers", *pair) else None,
    )


def _plain(part: Part, pair: tuple[str, str]) -> Part:
    match part:
        case Thinking(text, signature, redacted, provider):
            return (
                Thinking(text, signature, redacted, provider)
                if can("signed thoughts", *pair)
                else Thinking(text)
            )
        case ToolCall():
            return replace(part, signature=own_signature(part.signature))
        case Text() if not can("places of citations", *pair):
            return replace(part, citations=[replace(one, start=None, end=None) for one in part.citations])
    return part


def unsealed(answer: Answer, caller: str) -> Answer:
    """An answer as its caller got it, each thought with the family that its signature tells of."""
    parts = [_unsealed(part, caller) if isinstance(part, Thinking) else part for part in answer.parts]
    return replace(answer, parts=parts)


def _unsealed(thought: Thinking, caller: str) -> Thinking:
    seal = thought.redacted or thought.signature
    if caller == "gemini":
        return read_thought(thought.text, seal)
    told = sealed_thought(thought.text, seal if seal != UNSIGNED else None, FAMILY.get(caller, ""))
    if thought.redacted is not None and told.redacted is None:
        told.redacted, told.signature = told.signature, None
    return told
