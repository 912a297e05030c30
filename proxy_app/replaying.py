"""A request that was kept, as the Playground would ask it again: in the words of Chat Completions. Pure.

What was masked as it was kept (media, secrets) is not there any more; what that format has no word for is
left out. Both are said.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway_project.errors import BadRequest, InvalidBody
from proxy_app.formats import exchange
from proxy_app.formats.own_places import in_own_places
from proxy_app.formats.shapes import read_facts, rewritten, shape_of
from proxy_app.reading import is_too_deep
from proxy_app.wire import JSON, Address, Target

#: What masking leaves of media (`proxy_app.masking`), by itself or in a data: address.
_MASKED = re.compile(r"(?:data:[^,]*,)?\[\d+ (?:KB|bytes)(?: of data)?\]")
_QUOTED = re.compile(r"'([^'\s]*\[\d+\][^']*)'")  # a place in a list
_INDEX = re.compile(r"\[(\d+)\]")
#: What is asked for anew with each call.
_ASKED_ANEW = ("model", "stream", "stream_options", "user", "metadata", "store", "safety_identifier")


@dataclass(slots=True)
class Replay:
    """`body` has `messages` and parameters, and no model; `left_out` names what is not in it."""

    body: JSON
    left_out: list[str] = field(default_factory=list)


def replay_of(format_name: str, model: str, kept: str) -> Replay:
    """Raises BadRequest where a request was cut, is none, or says what cannot be said here: by its place in
    what is kept."""
    try:
        raw = orjson.loads(kept)
    except orjson.JSONDecodeError:
        raise InvalidBody("It was longer than what is kept: its end is missing.") from None
    if not isinstance(raw, dict) or is_too_deep(kept.encode(), raw):
        raise InvalidBody("It is no conversation.")
    media = _Media()
    body = media.without(raw)
    spoken = shape_of(body) if format_name == "openai_chat" else format_name
    try:
        told, dropped = _in_chat_words(body, spoken, model, is_rewritten=spoken != format_name)
    except BadRequest as refused:
        own = in_own_places(refused, body, spoken) if spoken != format_name else refused
        raise media.in_kept_places(own) from None
    left_out = [*(["media"] if media.moved else []), *dropped]
    return Replay({name: value for name, value in told.items() if name not in _ASKED_ANEW}, left_out)


def _in_chat_words(
    body: JSON, spoken: str, model: str, *, is_rewritten: bool
) -> tuple[JSON, tuple[str, ...]]:
    """The body as Chat Completions have it, and what is not in it. `is_rewritten`: agents post every shape
    to one address."""
    if is_rewritten:
        body, _ = rewritten(body, spoken)
    address = Address(model=model) if spoken == "gemini" else Address()
    reads = read_facts if is_rewritten else exchange.read_call
    facts = reads(spoken, {**body, "model": model}, address)
    if spoken == "openai_chat":
        return body, ()
    target = Target("openai_chat", model, {"drop": ["top_k"]})
    whole = {**body, "model": model, "stream": False}
    outgoing = exchange.build_outgoing(spoken, target, orjson.dumps(whole), whole, facts)
    assert isinstance(outgoing.body, bytes)
    return orjson.loads(outgoing.body), outgoing.dropped


class _Media:
    """Takes parts out whose data are not kept."""

    def __init__(self) -> None:
        self.moved: dict[str, list[int]] = {}  # a list's place -> where each that is left stood

    def without(self, value: Any, place: str = "") -> Any:
        if isinstance(value, dict):
            return {
                name: self.without(each, f"{place}.{name}" if place else name) for name, each in value.items()
            }
        if not isinstance(value, list):
            return value
        kept: list[Any] = []
        stood: list[int] = []
        for position, item in enumerate(value):
            here = f"{place}[{len(kept)}]"
            each = self.without(item, here)
            if self._is_masked(each):  # the next one comes to stand here
                self.moved = {name: told for name, told in self.moved.items() if not name.startswith(here)}
                continue
            kept.append(each)
            stood.append(position)
        if len(kept) < len(value):
            self.moved[place] = stood
        return kept

    def in_kept_places(self, error: BadRequest) -> BadRequest:
        """A refusal by the places before anything was taken out."""
        detail = _QUOTED.sub(lambda found: f"'{self._stood(found[1])}'", error.detail)
        return type(error)(detail, param=error.param and self._stood(error.param), headers=error.headers)

    def _stood(self, place: str) -> str:
        own, at = "", 0
        for index in _INDEX.finditer(place):
            own += place[at : index.start()]
            stood, position = self.moved.get(place[: index.start()], []), int(index[1])
            own += f"[{stood[position] if position < len(stood) else position}]"
            at = index.end()
        return own + place[at:]

    def _is_masked(self, value: Any) -> bool:
        if isinstance(value, str):
            return _MASKED.fullmatch(value) is not None
        if isinstance(value, dict):
            return any(self._is_masked(each) for name, each in value.items() if name != "text")
        return False
