"""What the wire formats of the mock have in common: frames, and the contract of a format."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.upstream.script import Asked, Script

JSON = dict[str, Any]
CREATED = 1_795_392_000


@dataclass(frozen=True)
class Frame:
    """One piece of a stream; `content`: the client can see something of the answer in it."""

    raw: bytes
    content: bool = False


@dataclass(frozen=True)
class Quirks:
    """How a provider strays from the usual, by words in the model's name."""

    usage_with_choices: bool = False
    no_done: bool = False
    no_usage: bool = False
    interleave: bool = False


class ProviderWire(Protocol):
    name: str

    def refuse_credential(
        self, headers: Mapping[str, str], query: Mapping[str, str], expected: str
    ) -> Any: ...

    def read(self, body: JSON, path_model: str, stream: bool) -> Asked: ...

    def plain(self, asked: Asked, script: Script, number: int, quirks: Quirks) -> JSON: ...

    def frames(self, asked: Asked, script: Script, number: int, quirks: Quirks) -> list[Frame]: ...

    def error(self, status: int, kind: str) -> tuple[JSON, dict[str, str]]: ...

    def error_frame(self, status: int) -> bytes: ...

    def listing(self) -> JSON: ...


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def data_event(value: Any) -> bytes:
    return b"data: " + dump(value) + b"\n\n"


def text_of(content: Any, kinds: tuple[str, ...] = ("text",)) -> str:
    """The words of a content that is a text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part.get("text", "") for part in parts if part.get("type") in kinds)


MESSAGES = {
    "error": "The mock was told to fail.",
    "credential": "The credential is wrong.",
    "quota": "You exceeded your current quota.",
    "context": "The prompt is longer than the model's context window.",
    "body": "The body cannot be read.",
}
