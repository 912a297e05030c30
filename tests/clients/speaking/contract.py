"""What a test says, and what it hears, whatever the SDK."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

Counts = tuple[int, int, int, int]  # input, cache reads, output, reasoning


@dataclass(frozen=True)
class Media:
    """`data` is base64."""

    kind: Literal["image", "pdf", "audio"]
    data: str

    @property
    def media_type(self) -> str:
        return {"image": "image/png", "pdf": "application/pdf", "audio": "audio/wav"}[self.kind]

    @property
    def url(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


@dataclass(frozen=True)
class User:
    parts: tuple[str | Media, ...]


@dataclass
class Said:
    """What an SDK rebuilt of an answer. `finish` and `back` are the SDK's own: why it ended, what it sends
    back as the assistant's turn; `ids` are those of the calls."""

    text: str = ""
    thoughts: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: Counts | None = None
    parsed: BaseModel | None = field(default=None, compare=False)
    ids: list[str] = field(default_factory=list, compare=False)
    back: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Assistant:
    said: Said


@dataclass(frozen=True)
class Results:
    """One result for each call of what was said before."""

    said: Said
    contents: tuple[tuple[str | Media, ...], ...]


Turn = User | Assistant | Results


@dataclass(frozen=True)
class Wish:
    """What is asked for besides: `choice` is required, none, the name of a tool, or the names of some."""

    system: str = ""
    tools: tuple[str, ...] = ()
    choice: str | tuple[str, ...] = ""
    one_call: bool = False
    schema: type[BaseModel] | None = None
    stop: tuple[str, ...] = ()
    limit: int | None = None
    think: bool = False


@dataclass(frozen=True)
class Speaker:
    """`say(client, model, turns, wish, stream)` asks and rebuilds; `words(client, model, text)` gives pieces
    of a stream as they come. `finishes` has the SDK's word for each ending of the mock's scripts, `unsayable`
    what the format has no words for, `raised` the status of a failure."""

    name: str
    path: str
    connect: Callable[[str, str], Any]  # address and key -> client
    close: Callable[[Any], Awaitable[None]]
    say: Callable[..., Awaitable[Said]]
    words: Callable[[Any, str, str], AsyncIterator[str]]
    finishes: Mapping[str, str]
    error: type[Exception]
    status: Callable[[Any], int]
    statuses: Mapping[int, int]  # where the format has another status for the same
    unsayable: frozenset[str] = frozenset()


def user(*parts: str | Media) -> User:
    return User(parts)
