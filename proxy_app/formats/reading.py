"""Typed readers over parsed JSON: whatever a caller sends, a wrong type is an InvalidBody that names it.

`Fields` is for callers' bodies (strict, raises); the plain functions are for providers' answers
(lenient, since a field a provider got wrong is best treated as not told).
"""

from collections.abc import Container, Iterable, Iterator
from typing import Any, Self

from gateway_project.errors import InvalidBody, UpstreamInvalid
from proxy_app.wire import JSON

_MAX_COUNT = 2**53


class Fields:
    """One JSON object of a caller's body, read field by field. `null` counts as absent."""

    __slots__ = ("data", "path")

    def __init__(self, data: Any, path: str = "") -> None:
        if not isinstance(data, dict):
            raise wrong_type(path, "an object")
        self.data: JSON = data
        self.path = path

    def at(self, key: str) -> str:
        """The full name of a field, as an error's `param` gives it."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str) -> Any:
        return self.data.get(key)

    def text(self, key: str) -> str:
        value = self.maybe_text(key)
        if value is None:
            raise wrong_type(self.at(key), "a string")
        return value

    def maybe_text(self, key: str) -> str | None:
        value = self.data.get(key)
        if value is not None and not isinstance(value, str):
            raise wrong_type(self.at(key), "a string")
        return value

    def maybe_number(self, key: str) -> float | None:
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(self.at(key), "a number")
        return value

    def maybe_count(self, key: str, minimum: int = 0) -> int | None:
        """A whole number; `4.0` counts as 4, since one SDK writes integers so."""
        value = self.maybe_number(key)
        if value is None:
            return None
        if value != value or value in (float("inf"), float("-inf")) or value != int(value):
            raise wrong_type(self.at(key), "a whole number")
        if not minimum <= value <= _MAX_COUNT:
            raise wrong_type(self.at(key), f"a whole number of at least {minimum}")
        return int(value)

    def maybe_flag(self, key: str) -> bool | None:
        value = self.data.get(key)
        if value is not None and not isinstance(value, bool):
            raise wrong_type(self.at(key), "true or false")
        return value

    def object(self, key: str) -> Self:
        return type(self)(self.data.get(key), self.at(key))

    def maybe_object(self, key: str) -> Self | None:
        value = self.data.get(key)
        return None if value is None else type(self)(value, self.at(key))

    def maybe_json(self, key: str) -> JSON | None:
        """An object taken as it is."""
        fields = self.maybe_object(key)
        return None if fields is None else fields.data

    def maybe_list(self, key: str) -> list[Any] | None:
        value = self.data.get(key)
        if value is not None and not isinstance(value, list):
            raise wrong_type(self.at(key), "an array")
        return value

    def objects(self, key: str) -> Iterator[Self]:
        """The objects of an array; none when it is absent."""
        for position, item in enumerate(self.maybe_list(key) or ()):
            yield type(self)(item, f"{self.at(key)}[{position}]")

    def texts(self, key: str) -> list[str]:
        found = self.maybe_list(key) or []
        for position, item in enumerate(found):
            if not isinstance(item, str):
                raise wrong_type(f"{self.at(key)}[{position}]", "a string")
        return found


def cache_mark(part: Fields) -> JSON | None:
    """OpenAI's `prompt_cache_breakpoint` in the words formats share; `cache_control` counts as it is."""
    point = part.maybe_object("prompt_cache_breakpoint")
    if point is None:
        return part.maybe_json("cache_control")
    marked: JSON = {"type": "ephemeral"}
    return marked | {"ttl": "1h"} if point.maybe_text("ttl") == "12h" else marked


def wrong_type(path: str, expected: str) -> InvalidBody:
    if not path:
        return InvalidBody(f"The body must be {expected}.")
    return InvalidBody(f"'{path}' must be {expected}.", param=path)


def uncarried(kind: str) -> UpstreamInvalid:
    """For a kind of content that other formats have no place for."""
    return UpstreamInvalid(f"The model answered with '{kind[:60]}', which this kind of call cannot carry.")


def holds_any(raw: bytes, words: Iterable[bytes]) -> bool:
    """Whether a body holds one of these words. `in` would first take each for a number, and raise and catch
    an error for it: ten times what the search of a short body costs."""
    return max(map(raw.find, words)) >= 0


def as_object(value: Any) -> JSON:
    """A provider's object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def unlisted(word: str, known: Container[str]) -> str | None:
    """A provider's word that is none of those known, to be remembered as it is."""
    return word[:80] if word and word not in known else None


def as_count(value: Any) -> int | None:
    """A provider's count of tokens: never negative; None when not told or not a number."""
    if value is None:
        return None
    if type(value) is int and 0 <= value <= _MAX_COUNT:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, 0), _MAX_COUNT))


def searches(told: Any) -> dict[str, int]:
    """The units of a provider's own searches; empty where there were none."""
    count = as_count(told)
    return {"searches": count} if count else {}


def total(*counts: int | None) -> int | None:
    """The sum of what was told; None when nothing was."""
    told = [count for count in counts if count is not None]
    return sum(told) if told else None
