"""Bodies of the right outer shape with something wrong in them: wrong types, gaps, huge numbers, deep nests,
bytes that are no JSON or no UTF-8."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]

#: Stand for what `json.dumps` cannot write. orjson reads nests of up to 1024, and writes 254.
_NESTS = {
    f"@{kind}{depth}@": opened * depth + inmost + closed * depth
    for kind, opened, inmost, closed in (("lists", "[", "", "]"), ("objects", '{"type":', "1", "}"))
    for depth in (100, 230, 260, 1000, 100_000)
}
_NUMBERS = (0, -1, 1.5, 2**31, 2**63, 2**64, 10**30, -(10**30), 1e308, -1e-308, float("inf"), float("nan"))
_ODD = (None, True, False, [], {}, [[]], [None], {"": None}, "", " ", "\x00", "\ud800", "data:", "a" * 5000)
_DAMAGED = ("", "whole", "truncated", "no UTF-8", "in UTF-16", "after a mark", "empty", "a list", "bare")

junk = st.one_of(
    st.sampled_from(_ODD),
    st.sampled_from(_NUMBERS),
    st.sampled_from(sorted(_NESTS)),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=5,
    ),
)


def paths_in(value: Any, above: Path = ()) -> list[Path]:
    """Where something may be changed: every field and every item, at any depth."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for name, inner in inside for path in [(*above, name), *paths_in(inner, (*above, name))]]


def with_odd(body: dict[str, Any], place: Path, odd: Any) -> dict[str, Any]:
    """A copy with one value replaced."""
    body = deepcopy(body)
    holder: Any = body
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = odd
    return body


@st.composite
def spoilt(draw: st.DrawFn, body: dict[str, Any]) -> Any:
    """A body with up to three of its values replaced or taken away."""
    body = deepcopy(body)
    for path in draw(st.lists(st.sampled_from(paths_in(body)), min_size=1, max_size=3)):
        holder: Any = body
        for name in path[:-1]:
            holder = holder[name] if _has(holder, name) else None
        if not _has(holder, path[-1]):
            continue  # an earlier change took its place away
        if draw(st.booleans()) or isinstance(holder, list):
            holder[path[-1]] = deepcopy(draw(junk))  # what is drawn is shared
        else:
            del holder[path[-1]]
    return body


def _has(holder: Any, name: Any) -> bool:
    if isinstance(holder, dict):
        return name in holder
    return isinstance(holder, list) and isinstance(name, int) and name < len(holder)


def encoded(body: Any) -> bytes:
    text = json.dumps(body)
    for mark, nest in _NESTS.items():
        text = text.replace(f'"{mark}"', nest)
    return text.encode()


@st.composite
def fuzzed(draw: st.DrawFn, body: dict[str, Any]) -> bytes:
    """Mostly JSON; now and then bytes that cannot be read."""
    raw = encoded(draw(spoilt(body)))
    match draw(st.sampled_from(_DAMAGED)):
        case "truncated":
            return raw[: draw(st.integers(0, len(raw)))]
        case "no UTF-8":
            at = draw(st.integers(0, len(raw)))
            return raw[:at] + b"\xff\xc3" + raw[at:]
        case "in UTF-16":
            return raw.decode().encode("utf-16")
        case "after a mark":
            return b"\xef\xbb\xbf" + raw
        case "empty":
            return b""
        case "a list":
            return b"[" + raw + b"]"
        case "bare":
            return encoded(draw(junk))
        case _:
            return raw
