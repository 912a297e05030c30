"""A stream that is one JSON array, cut anywhere: its objects as they become whole."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import UpstreamInvalid
from proxy_app import elements
from proxy_app.sse import MAX_EVENT_BYTES, Framer
from tests.proxy_app.formats.saying import VALUES

OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), max_size=4)
ODD: list[dict[str, Any]] = [{"a": '}] "\\'}, {"b": [{"c": "é\u2028[{"}], "": {}}, {}]


def read(raw: bytes, *cuts: int) -> tuple[list[Any], bytes]:
    framer = Framer()
    places = [0, *sorted(cuts), len(raw)]
    blocks = [block for start, end in pairwise(places) for block in framer.feed(raw[start:end])]
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)
    return [json.loads(block[6:]) for block in blocks], framer.take_rest()


@given(objects=OBJECTS, indent=st.sampled_from([None, 0, 2]), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_its_objects_are_the_same_wherever_it_is_cut(
    objects: list[Any], indent: Any, cuts: list[int]
) -> None:
    raw = json.dumps(objects, indent=indent).encode()
    assert read(raw, *(min(cut, len(raw)) for cut in cuts)) == (objects, b"")


@pytest.mark.parametrize("head", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_one_is_known_by_its_first_byte(head: bytes) -> None:
    raw = head + json.dumps(ODD, indent=1, ensure_ascii=False).replace("\n", "\r\n").encode()
    for cut in range(len(raw) + 1):
        assert read(raw, cut) == (ODD, b""), cut
    assert read(raw, *range(len(raw))) == (ODD, b"")


def test_an_object_comes_as_soon_as_it_is_whole() -> None:
    framer = Framer()
    assert framer.feed(b'[{"a": 1}') == [b'data: {"a": 1}']
    assert framer.feed(b'\n,\n{"b": ') == [] and framer.feed(b"2}]") == [b'data: {"b": 2}']


@pytest.mark.parametrize("end", [1, 2, 3, 4])
def test_backslashes_are_read_right_wherever_they_are_cut(end: int) -> None:
    raw = b'[{"a": "x' + b"\\\\" * end + b'"}, {"b": "' + b"\\\\" * end + b'\\""}]'
    for cut in range(len(raw) + 1):
        assert read(raw, cut) == (json.loads(raw), b""), cut
    assert read(raw, *range(len(raw))) == (json.loads(raw), b"")


class Counting:
    """A pattern that counts the bytes it has looked at."""

    def __init__(self, pattern: Any) -> None:
        self.pattern, self.seen = pattern, 0

    def search(self, buffer: bytearray, start: int) -> Any:
        found = self.pattern.search(buffer, start)
        self.seen += (found.end() if found else len(buffer)) - start
        return found


@pytest.mark.parametrize("piece", [b"x" * 50, b'\\"' * 25, b"x\\\\\\"])
def test_a_long_string_is_read_once_however_many_pieces_it_comes_in(piece: bytes, monkeypatch: Any) -> None:
    inside = Counting(elements._INSIDE)
    monkeypatch.setattr(elements, "_INSIDE", inside)
    raw = b'[{"a": "' + piece * 200 + b'"}]'
    framer = Framer()
    for start in range(0, len(raw), 10):
        framer.feed(raw[start : start + 10])
    assert inside.seen < 1.2 * len(raw)


def test_half_an_object_is_the_rest() -> None:
    assert read(b'[{"a": 1},\r\n{"b": "x') == ([{"a": 1}], b'{"b": "x')


def test_one_that_never_ends_is_refused() -> None:
    framer = Framer()
    framer.feed(b'[{"a": "')
    with pytest.raises(UpstreamInvalid):
        framer.feed(b"x" * MAX_EVENT_BYTES)
