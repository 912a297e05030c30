"""What an operation offers, and what the pipeline may ask of it (`proxy_app.operations.serving`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from proxy_app.formats.contract import RenderOptions, StreamPipe
from proxy_app.wire import JSON, Address, BodySource, CallFacts, Observed, Outgoing, Target


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a form: its size in bytes, its first bytes, and where in the body it begins."""

    name: str
    filename: str
    media_type: str
    size: int
    head: bytes = b""
    start: int = 0


class Form(Protocol):
    """A multipart body that was read once: its short fields, and what is known of its files."""

    content_type: str

    @property
    def fields(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def files(self) -> Sequence[FilePart]: ...

    @property
    def size(self) -> int: ...

    def with_model(self, name: str) -> BodySource:
        """The same bytes with another model named in them."""
        ...


class Asked(msgspec.Struct):
    """A caller's request: JSON (`raw` parsed is `body`), or a form whose fields are `body`."""

    raw: bytes = b""
    body: JSON = msgspec.field(default_factory=dict)
    form: Form | None = None
    facts: CallFacts = msgspec.field(default_factory=lambda: CallFacts(model=""))


@dataclass(slots=True)
class Converted:
    """A whole answer for the caller."""

    body: bytes
    observed: Observed
    content_type: str = "application/json"


class OperationPipe(StreamPipe, Protocol):
    """A stream on its way. `is_text`: events, in which an error can be told; else bytes that can only
    break off."""

    is_text: bool


@dataclass(frozen=True, slots=True)
class Route:
    """The way to providers of one format.

    `open_pipe` says how an answer of this content type goes through as it comes; None: it is taken whole.
    """

    build: Callable[[Asked, Target], Outgoing]
    convert: Callable[[bytes, str, Asked, RenderOptions], Converted]
    open_pipe: Callable[[str, Asked], OperationPipe | None]


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint. `name` is what a key's permission and the ledger call it, `format` the dialect of its
    errors."""

    name: str
    format: str
    read_call: Callable[[Asked, Address], CallFacts]
    routes: Mapping[str, Route]
    takes_form: bool = False
