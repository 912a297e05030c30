"""The turns of a request that both formats of a pair can say: texts, media, thoughts, calls, results."""

from base64 import b64encode
from typing import Any, Final

from hypothesis import strategies as st

from proxy_app.wire import Audio, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult, Turn
from tests.proxy_app.formats.asking_holes import HOLES
from tests.proxy_app.formats.saying import ARGUMENTS, VALUES, WORDS

Pair = tuple[str, str]
CACHED: Final = {"type": "ephemeral"}
FAMILIES: Final = ("openai", "anthropic", "gemini")


def can(what: str, *formats: str) -> bool:
    """Whether all of these formats can say it."""
    return not any((what, name) in HOLES for name in formats)


def those(pair: Pair, kind: str, words: tuple[str, ...]) -> list[str]:
    """Those of the words of a kind that both can say."""
    return [word for word in words if can(f"{kind} {word}", *pair)]


def maybe(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Any:
    return draw(st.one_of(st.none(), values))


IDS = st.text("abcXYZ019_-", max_size=5).map(lambda rest: f"t{rest}")
DATA = st.binary(min_size=1, max_size=6).map(lambda data: b64encode(data).decode())
SCHEMAS = st.dictionaries(WORDS, VALUES, max_size=2).map(lambda more: {**more, "type": "object"})


def cached(draw: st.DrawFn, pair: Pair) -> Any:
    return draw(st.sampled_from([None, CACHED])) if can("cache marks", *pair) else None


def texts(draw: st.DrawFn, pair: Pair, most: int) -> list[Part]:
    return [Text(draw(WORDS), cached(draw, pair)) for _ in range(draw(st.integers(1, most)))]


def image(draw: st.DrawFn, pair: Pair) -> Image:
    detail = draw(st.sampled_from(["low", "high", None])) if can("detail of images", *pair) else None
    mark = cached(draw, pair)
    if draw(st.booleans()):
        addresses = ["https://x.test/a.png", "https://x.test/b.jpg?c=d"]
        addresses += ["http://x.test/a.png"] if can("media by plain http", *pair) else []
        addresses += ["https://x.test/a"] if can("images by an address that tells no type", *pair) else []
        return Image(draw(st.sampled_from(addresses)), detail=detail, cache_control=mark)
    types = ["image/png", "image/jpeg", "image/gif", "image/webp"]
    types += ["image/heic"] if can("images of rarer types", *pair) else []
    return Image(None, draw(DATA), draw(st.sampled_from(types)), detail, mark)


def file(draw: st.DrawFn, pair: Pair) -> File:
    kind = draw(st.sampled_from(["data", "by address", "by id"]))
    mark = cached(draw, pair)
    if kind == "by address" and can("files by address", *pair):
        name = maybe(draw, WORDS) if can("names of files by address", *pair) else None
        addresses: list[tuple[str, str | None]] = [("https://x.test/a.pdf", "application/pdf")]
        addresses += [("https://x.test/a", None)] if can("files by an address of any type", *pair) else []
        address, media_type = draw(st.sampled_from(addresses))
        return File(address, None, media_type, name, cache_control=mark)
    if kind == "by id" and can("files by id", *pair):
        return File(file_id=f"file-{draw(IDS)}", cache_control=mark)
    types = ["application/pdf"]
    types += ["text/plain", "application/zip"] if can("files other than PDFs", *pair) else []
    names = WORDS if can("names of files", *pair) else st.just("a.pdf")
    named = maybe(draw, names) if can("files without a name", *pair) else draw(names)
    return File(None, draw(DATA), draw(st.sampled_from(types)), named, cache_control=mark)


def audio(draw: st.DrawFn, pair: Pair) -> Audio:
    types = ["audio/wav", "audio/mp3"]
    types += ["audio/ogg"] if can("sounds of rarer types", *pair) else []
    return Audio(draw(DATA), draw(st.sampled_from(types)))


def asked(draw: st.DrawFn, pair: Pair) -> list[Part]:
    """What a user says: texts and media in any order."""
    parts = texts(draw, pair, 2)
    parts += [image(draw, pair)] if draw(st.booleans()) else []
    parts += [file(draw, pair)] if draw(st.booleans()) else []
    parts += [audio(draw, pair)] if can("sounds", *pair) and draw(st.booleans()) else []
    return draw(st.permutations(parts))


def thought(draw: st.DrawFn, pair: Pair, family: str) -> Thinking:
    told_id = maybe(draw, IDS) if can("ids of thoughts", *pair) else None
    if can("thoughts blacked out", *pair) and draw(st.booleans()):
        return Thinking("", redacted="c2ln", provider=family)
    return Thinking(draw(st.one_of(st.just(""), WORDS)), draw(DATA), provider=family, id=told_id)


def answered(draw: st.DrawFn, pair: Pair, number: int) -> list[Part]:
    """What the assistant said, in an order both have."""
    families = those(pair, "thoughts of", FAMILIES)
    several = can("parts in any order", *pair)
    parts: list[Part] = [
        thought(draw, pair, family) for family in families for _ in range(draw(st.integers(0, 2)))
    ]
    if can("refusals", *pair) and draw(st.booleans()):
        parts.append(Refusal(draw(WORDS)))
    if not parts or isinstance(parts[-1], Thinking) or draw(st.booleans()):
        at = len(parts) if not parts or isinstance(parts[-1], Thinking) else len(parts) - 1
        parts[at:at] = texts(draw, pair, 2 if several else 1)
    calls = [
        ToolCall(f"{draw(IDS)}{number}{place}", draw(IDS), draw(ARGUMENTS), None, cached(draw, pair))
        for place in range(draw(st.integers(0, 2)))
    ]
    for call in calls:
        if can("signatures of calls", *pair) and draw(st.booleans()):
            call.signature = draw(DATA)
    parts += calls
    if several:
        parts = draw(st.permutations(parts))
    return [*others_thoughts(draw), *in_order(parts, pair)]


def others_thoughts(draw: st.DrawFn) -> list[Part]:
    """A thought of whatever family, or of none: it reaches those alone that signed it."""
    family = draw(st.sampled_from([None, *FAMILIES]))
    if family is None:
        return [Thinking(draw(WORDS))] if draw(st.booleans()) else []
    return [Thinking(draw(WORDS), draw(DATA), provider=family)]


def in_order(parts: list[Part], pair: Pair) -> list[Part]:
    """Without the second of two texts that stand side by side, and without thoughts at the end, where a
    format has no such thing."""
    kept: list[Part] = []
    for part in parts:
        beside = bool(kept) and isinstance(kept[-1], Text) and isinstance(part, Text)
        if not beside or can("texts side by side", *pair):
            kept.append(part)
    if isinstance(kept[-1], Thinking) and not can("thoughts at the end", *pair):
        kept.append(Text("so"))
    return kept


def result(draw: st.DrawFn, pair: Pair, call: ToolCall) -> ToolResult:
    several = can("several texts in a result", *pair)
    parts = texts(draw, pair, 2 if several else 1) if draw(st.booleans()) else []
    if can("media in a result", *pair):
        parts += [image(draw, pair)] if draw(st.booleans()) else []
        parts += [file(draw, pair)] if draw(st.booleans()) else []
        parts = draw(st.permutations(parts)) if can("parts of a result in any order", *pair) else parts
    failed = can("failed results", *pair) and draw(st.booleans())
    return ToolResult(call.id, parts, call.name, failed, cached(draw, pair))


@st.composite
def said_so_far(draw: st.DrawFn, pair: Pair) -> list[Turn]:
    turns: list[Turn] = []
    if draw(st.booleans()):
        most = 2 if can("several instructions", *pair) else 1
        turns.append(Turn("system", texts(draw, pair, most)))
    turns.append(Turn("user", asked(draw, pair)))
    for number in range(draw(st.integers(0, 2))):
        if can("instructions in mid-conversation", *pair) and draw(st.booleans()):
            turns.append(Turn("system", [Text(draw(WORDS))]))
        parts = answered(draw, pair, number)
        turns.append(Turn("assistant", parts))
        if calls := [part for part in parts if isinstance(part, ToolCall)]:
            results: list[Part] = [result(draw, pair, call) for call in draw(st.permutations(calls))]
            turns.append(Turn("user", results))
        if not calls or draw(st.booleans()):
            turns += [Turn("user", asked(draw, pair)) for _ in range(draw(st.integers(1, 2)))]
    return turns
