"""A request that was kept, as the Playground would ask it again: in the words of Chat Completions. Pure.

What was masked as it was kept (media, secrets) is not there any more; what that format has no word for is
left out. Both are said.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats import exchange
from proxy_app.formats.shapes import read_facts, rewritten, shape_of
from proxy_app.reading import is_too_deep
from proxy_app.wire import JSON, Address, Target

#: What masking leaves of media (`proxy_app.masking`), by itself or in a data: address.
_MASKED = re.compile(r"(?:data:[^,]*,)?\[\d+ (?:KB|bytes)(?: of data)?\]")
#: What is asked for anew with each call.
_ASKED_ANEW = ("model", "stream", "stream_options", "user", "metadata", "store", "safety_identifier")


@dataclass(slots=True)
class Replay:
    """`body` has `messages` and parameters, and no model; `left_out` names what is not in it."""

    body: JSON
    left_out: list[str] = field(default_factory=list)


def replay_of(format_name: str, model: str, kept: str) -> Replay:
    """Raises BadRequest where a request was cut, is none, or says what cannot be said here."""
    try:
        raw = orjson.loads(kept)
    except orjson.JSONDecodeError:
        raise InvalidBody("It was longer than what is kept: its end is missing.") from None
    if not isinstance(raw, dict) or is_too_deep(kept.encode(), raw):
        raise InvalidBody("It is no conversation.")
    media = _Media()
    body = media.without(raw)
    spoken = shape_of(body) if format_name == "openai_chat" else format_name
    if spoken != format_name:  # agents post every shape to one address
        body, _ = rewritten(body, spoken)
    address = Address(model=model) if spoken == "gemini" else Address()
    reads = exchange.read_call if spoken == format_name else read_facts
    facts = reads(spoken, {**body, "model": model}, address)
    left_out = ["media"] if media.found else []
    if spoken != "openai_chat":
        target = Target("openai_chat", model, {"drop": ["top_k"]})
        whole = {**body, "model": model, "stream": False}
        outgoing = exchange.build_outgoing(spoken, target, orjson.dumps(whole), whole, facts)
        assert isinstance(outgoing.body, bytes)
        body = orjson.loads(outgoing.body)
        left_out += outgoing.dropped
    return Replay({name: value for name, value in body.items() if name not in _ASKED_ANEW}, left_out)


class _Media:
    """Takes parts out whose data are not kept."""

    found = False

    def without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.without(each) for name, each in value.items()}
        if isinstance(value, list):
            kept = [each for item in value if not self._is_masked(each := self.without(item))]
            self.found = self.found or len(kept) < len(value)
            return kept
        return value

    def _is_masked(self, value: Any) -> bool:
        if isinstance(value, str):
            return _MASKED.fullmatch(value) is not None
        if isinstance(value, dict):
            return any(self._is_masked(each) for name, each in value.items() if name != "text")
        return False
