"""Where a caller wrote what the shape's own words have elsewhere: a mixed body is refused by the caller's
places. System messages at the head leave their list, results in a row become one message, and one message
becomes several items; the places here follow `messages_mixtures` and `responses_mixtures` step by step,
once a body is refused. Pure.
"""

import re
from typing import Any

from gateway_project.errors import BadRequest
from proxy_app.formats.messages_mixtures import block_of, blocks_of, heads, is_split, thoughts_of
from proxy_app.formats.mixtures import ROLES, is_kind, role_of
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.formats.responses_mixtures import part_of
from proxy_app.wire import JSON

_QUOTED = re.compile(r"'((?:messages|input|system|instructions)\b[^']*)'")
_END = re.compile(r"[.\[][^.\[]*$")


def in_own_places(error: BadRequest, body: JSON, shape: str) -> BadRequest:
    """The refusal of a body that was rewritten to `shape`, by its places in `body`, which the caller sent."""
    places = _of_messages(body) if shape == "anthropic" else _of_items(body)
    detail = _QUOTED.sub(lambda found: f"'{places.own(found[1])}'", error.detail)
    return type(error)(detail, param=error.param and places.own(error.param), headers=error.headers)


class _Places:
    """Places of a rewritten body -> the caller's. Of what was built anew, the caller wrote no fields of those
    names: such a place is told as a whole."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._built: set[str] = set()

    def put(self, place: str, own: str, *, is_built: bool = False) -> None:
        self._own[place] = own
        if is_built:
            self._built.add(place)

    def put_result(self, place: str, own: str, given: str, *names: str) -> None:
        """A tool's result, told anew; `given` is where it has its parts, `names` its call's id in both."""
        self.put(place, own, is_built=True)
        self.put(f"{place}.{given}", f"{own}.content")
        self.put(f"{place}.{names[0]}", f"{own}.{names[1]}")

    def own(self, place: str) -> str:
        known, rest = place, ""
        while known not in self._own:
            end = _END.search(known)
            if end is None:
                return place
            known, rest = known[: end.start()], f"{end[0]}{rest}"
        return self._own[known] + ("" if known in self._built else rest)


# ---------------------------------------------------------------- of Messages


def _of_messages(body: JSON) -> _Places:
    places = _Places()
    messages = as_list(body.get("messages"))
    head = heads(messages)
    system = _said(body.get("system"), "system")
    for position in range(head):
        system += _said(as_object(messages[position]).get("content"), f"messages[{position}].content")
    for at, (own, is_built) in enumerate(system if head else ()):
        places.put(f"system[{at}]", own, is_built=is_built)
    turns = results = 0
    for position, message in enumerate(messages[head:], head):
        own, is_result = f"messages[{position}]", role_of(message) == "tool"
        if not (is_result and results):
            turns, results = turns + 1, 0
        place = f"messages[{turns - 1}]"
        if is_result:
            places.put_result(f"{place}.content[{results}]", own, "content", "tool_use_id", "tool_call_id")
            results += 1
            continue
        places.put(place, own)
        for at, (name, is_built) in enumerate(_blocks(as_object(message))):
            places.put(f"{place}.content[{at}]", f"{own}.{name}", is_built=is_built)
    return places


def _blocks(message: JSON) -> list[tuple[str, bool]]:
    """Of the blocks of one turn, where they were written, and whether they are built anew: what was thought,
    said, refused and called."""
    said = _said(message.get("content"), "content")
    if role_of(message) != "assistant" or not is_split(message):
        return said
    signed = as_list(message.get("thinking_blocks"))
    thoughts = [(f"thinking_blocks[{at}]", False) for at in range(len(signed))]
    if not thoughts and thoughts_of(message):
        thoughts = [("reasoning_content", True)]
    refused = [("refusal", True)] * len(blocks_of(message.get("refusal")))
    calls = [(f"tool_calls[{at}]", True) for at in range(len(as_list(message.get("tool_calls"))))]
    return [*thoughts, *said, *refused, *calls]


def _said(content: Any, own: str) -> list[tuple[str, bool]]:
    if isinstance(content, str):
        return [(own, True)] if content else []
    return [(f"{own}[{at}]", block_of(part) is not part) for at, part in enumerate(as_list(content))]


# ---------------------------------------------------------------- of Responses


def _of_items(body: JSON) -> _Places:
    places = _Places()
    if not body.get("instructions"):
        places.put("instructions", "system")
    at = 0
    for position, item in enumerate(as_list(body.get("input"))):
        at = _put_items(places, at, f"input[{position}]", as_object(item))
    return places


def _put_items(places: _Places, at: int, own: str, item: JSON) -> int:
    """The items that one becomes, the first of which stands at `at`; where the next one does."""
    role, content, calls = role_of(item), item.get("content"), as_list(item.get("tool_calls"))
    if role == "tool":
        places.put_result(f"input[{at}]", own, "output", "call_id", "tool_call_id")
        return at + 1
    places.put(f"input[{at}]", own)
    if role not in ROLES or not (calls or isinstance(content, list)):
        return at + 1
    parts = list(enumerate(as_list(content)))
    for number, part in parts:
        if is_kind(part, "tool_result"):
            written = f"{own}.content[{number}]"
            places.put_result(f"input[{at}]", written, "output", "call_id", "tool_use_id")
            at += 1
    kept = [(number, part) for number, part in parts if not is_kind(part, "tool_use", "tool_result")]
    if kept or as_text(content) or as_text(item.get("refusal")):
        places.put(f"input[{at}]", own)
        for now, (number, part) in enumerate(kept):
            is_built = part_of(part, role) is not part and not is_kind(part, "text")
            places.put(f"input[{at}].content[{now}]", f"{own}.content[{number}]", is_built=is_built)
        at += 1
    called = [f"content[{number}]" for number, part in parts if is_kind(part, "tool_use")]
    for name in called + [f"tool_calls[{number}]" for number in range(len(calls))]:
        places.put(f"input[{at}]", f"{own}.{name}", is_built=True)
        at += 1
    return at
