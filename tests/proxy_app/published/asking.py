"""Conversations with everything in them that any caller may ask for."""

from typing import Any

import orjson
from hypothesis import strategies as st

from proxy_app.providers.presets import PRESETS, STARTER_MODELS
from proxy_app.wire import (
    Audio,
    Citation,
    Conversation,
    File,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

WORDS = st.text(min_size=1, max_size=9)
IDS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,8}", fullmatch=True)
HINT: dict[str, Any] = {"type": "ephemeral"}
TEXTS = st.builds(Text, WORDS, st.sampled_from([None, None, HINT, HINT | {"ttl": "1h"}]))
CITED = st.builds(Text, WORDS, citations=st.just([Citation("https://x.test/a", "A", "a", 0, 1)]))
IMAGES = st.sampled_from(
    [
        Image(url="https://x.test/a.png", detail="high"),
        Image(data="AAAA", media_type="image/png"),
        Image(data="AAAA", media_type="image/webp", detail="auto", cache_control=HINT),
    ]
)
FILES = st.sampled_from(
    [
        File(data="AAAA", media_type="application/pdf", filename="a.pdf"),
        File(data="AAAA", media_type="application/pdf", cache_control=HINT),
        File(url="https://x.test/a.pdf", media_type="application/pdf"),
        File(data="YWJj", media_type="text/plain", filename="a.txt"),
    ]
)
SOUNDS = st.sampled_from([Audio("AAAA", "audio/wav"), Audio("AAAA", "audio/mp3")])
ASKED = st.one_of(TEXTS, TEXTS, IMAGES, FILES, SOUNDS)
SIGNED = st.sampled_from([(None, None), ("c2ln", "anthropic"), ("c2ln", "gemini"), ("c2ln", "openai")])
THOUGHTS = st.one_of(
    st.builds(lambda text, by: Thinking(text, by[0], provider=by[1]), WORDS, SIGNED),
    st.just(Thinking("", redacted="c2ln", provider="anthropic")),
    st.just(Thinking("hm", "c2ln", provider="openai", id="rs_1")),
)
ARGUMENTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.none()), max_size=2)
PARAMETERS: list[dict[str, Any] | None] = [
    None,
    {"type": "object"},
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where", "enum": ["Seoul", "Busan"]},
            "days": {"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 9},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
        },
        "required": ["city"],
        "additionalProperties": False,
        "$defs": {"tag": {"anyOf": [{"type": "string", "const": "a"}, {"type": "null"}]}},
    },
]
TOOLS = st.builds(
    Tool,
    IDS,
    st.one_of(st.none(), WORDS),
    st.sampled_from(PARAMETERS),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, HINT]),
)
OUTPUTS = [
    OutputFormat("json"),
    OutputFormat("schema", PARAMETERS[2], "forecast", True, "What it is"),
    OutputFormat("schema", {"type": "object"}),
]
SAMPLINGS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.5, 1, 1.0]),
    "top_p": st.sampled_from([0.0, 0.9, 1]),
    "top_k": st.integers(1, 40),
    "seed": st.integers(0, 9),
    "frequency_penalty": st.sampled_from([-1.5, 0, 1]),
    "presence_penalty": st.sampled_from([-1.5, 0, 1]),
    "stop": st.lists(WORDS, min_size=1, max_size=4),
    "n": st.integers(1, 2),
    "logit_bias": st.just({"50256": -100}),
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
REASONINGS = st.one_of(
    st.builds(Reasoning, st.sampled_from(EFFORTS), st.none(), st.sampled_from([None, True, False])),
    st.builds(Reasoning, st.none(), st.sampled_from([-1, 0, 1024, 9000]), st.sampled_from([None, True])),
)
WISHES: dict[str, st.SearchStrategy[Any]] = {
    "output": st.sampled_from(OUTPUTS),
    "max_output_tokens": st.sampled_from([1, 16, 4000, 64_000]),
    "reasoning": REASONINGS,
    "verbosity": st.sampled_from(["low", "medium", "high"]),
    "service_tier": st.sampled_from(["auto", "default", "flex", "priority", "standard", "standard_only"]),
    "end_user": WORDS,
    "metadata": st.dictionaries(IDS, WORDS, max_size=2),
    "cache_control": st.just(HINT),
    "stream": st.just(True),
}


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    turns = [Turn("system", draw(st.lists(TEXTS, min_size=1, max_size=2)))] if draw(st.booleans()) else []
    for number in range(draw(st.integers(0, 2))):
        turns += [Turn("user", draw(st.lists(ASKED, min_size=1, max_size=3))), *draw(answered(number))]
    turns.append(Turn("user", draw(st.lists(TEXTS, min_size=1, max_size=2))))
    tools = draw(st.lists(TOOLS, max_size=2, unique_by=lambda tool: tool.name))
    wishes = draw(some(WISHES, at_most=2))
    conversation = Conversation("public-model", turns, tools, **wishes)
    conversation.sampling = Sampling(**draw(some(SAMPLINGS, at_most=1)))
    if tools:
        modes = [None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")]
        modes.append(ToolChoice("required", (tools[0].name,)))
        conversation.tool_choice = draw(st.sampled_from(modes))
        conversation.parallel_tools = draw(st.sampled_from([None, None, True, False]))
    return conversation


@st.composite
def answered(draw: st.DrawFn, number: int) -> list[Turn]:
    """What the model said, and what tools said to its calls."""
    said: list[Part] = draw(st.lists(THOUGHTS, max_size=1))
    said += draw(st.lists(st.one_of(TEXTS, TEXTS, CITED, st.builds(Refusal, WORDS)), max_size=2))
    calls = [
        ToolCall(f"call_{number}_{at}", draw(IDS), orjson.dumps(draw(ARGUMENTS)).decode(), by)
        for at, by in enumerate(draw(st.lists(st.sampled_from([None, "c2ln"]), max_size=2)))
    ]
    if not said and not calls:
        said = [Text("Well.")]
    turn = Turn("assistant", [*said, *calls])
    if not calls:
        return [turn]
    results: list[Part] = [
        ToolResult(call.id, draw(st.lists(TEXTS, min_size=1, max_size=2)), call.name, draw(st.booleans()))
        for call in calls
    ]
    return [turn, Turn("user", results)]


@st.composite
def some(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]], at_most: int) -> dict[str, Any]:
    """A few of many, since one that a format has no word for refuses the whole."""
    names = draw(st.lists(st.sampled_from(sorted(fields)), max_size=at_most, unique=True))
    return {name: draw(fields[name]) for name in names}


def targets(format: str) -> list[Target]:
    """Every way in which a provider that we know wants to be spoken to in this format."""
    found: dict[str, Target] = {}
    for preset in PRESETS.values():
        if format in (preset.format, *preset.other_formats):
            starters = STARTER_MODELS.get(preset.kind, ())
            for model, quirks in [("model-1", {}), *((one.upstream_model, one.quirks) for one in starters)]:
                target = Target(format, model, {**preset.quirks, **quirks})
                found.setdefault(repr(sorted(target.quirks.items(), key=str)) + model[:8], target)
    return list(found.values())
