"""One long list in an object, split wherever its bytes were cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import InvalidBody
from proxy_app.long_lists import REST_LIMIT, ListSplitter

TRICKY = ['"', "\\", '\\"', "]", "},{", '"requests":[']
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(['"', "\\", '\\"', "]", "},{", '"requests":[']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.text(max_size=12).filter(lambda name: name != "requests"), JSON, max_size=3)


def split(body: bytes, size: int, limit: int = 10_000) -> tuple[list[bytes], bytes]:
    splitter = ListSplitter("requests", limit)
    items = [
        item for start in range(0, len(body), size) for item in splitter.feed(body[start : start + size])
    ]
    return items, bytes(splitter.rest)


@given(
    before=FIELDS,
    items=st.lists(JSON, max_size=5),
    after=FIELDS,
    size=st.integers(1, 40),
    indent=st.sampled_from([None, 2]),
    is_ascii=st.booleans(),
)
def test_every_item_and_the_rest_come_out_wherever_the_body_is_cut(
    before: dict[str, Any],
    items: list[Any],
    after: dict[str, Any],
    size: int,
    indent: int | None,
    is_ascii: bool,
) -> None:
    whole = {**before, "requests": items, **after}
    body = json.dumps(whole, indent=indent, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    found, rest = split(body, size)
    assert [json.loads(item) for item in found] == items
    assert json.loads(rest) == {**whole, "requests": []}


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_list_of_that_name_further_in_or_in_a_text_is_not_it(size: int) -> None:
    body = rb'{"a": {"requests": [1]}, "\"requests": [2], "b": "\"requests\":[3]", "requests" : [4,[5]] }'
    found, rest = split(body, size)
    assert [json.loads(item) for item in found] == [4, [5]]
    assert json.loads(rest)["a"] == {"requests": [1]}


@pytest.mark.parametrize(
    "body", [b'{"requests":[1,]}', b'{"requests":[,1]}', b'{"requests":[1}', b'{"requests":[1']
)
def test_what_is_no_json_does_not_become_some(body: bytes) -> None:
    found, rest = split(body, 4)
    with pytest.raises(json.JSONDecodeError):
        for text in (*found, rest):
            json.loads(text)


@pytest.mark.parametrize("size", [7, 4096])
def test_neither_an_item_nor_the_rest_may_be_longer_than_its_limit(size: int) -> None:
    long = b"x" * 200
    assert split(b'{"requests":["' + long + b'"]}', size, 300)[0] == [b'"' + long + b'"']
    with pytest.raises(InvalidBody, match="Request 2 is longer"):
        split(b'{"requests":[1,"' + long + b'"]}', size, 100)
    with pytest.raises(InvalidBody, match="beside the list"):
        split(b'{"a":"' + b"x" * REST_LIMIT + b'","requests":[]}', size)
