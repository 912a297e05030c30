"""Gemini's two spellings: every field may come as `camelCase` or as `snake_case`, mixed in one body.

Only the format's own fields are spelt again. What stands under `args`, `response`, a JSON Schema or
`partMetadata` is the caller's own vocabulary and is taken as it is.
"""

import re
from typing import Any

from gateway_project.errors import InvalidBody
from proxy_app.formats.reading import Fields
from proxy_app.wire import JSON

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_LATER_WORD = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def camel(name: str) -> str:
    """`mime_type` as `mimeType`; what is camelCase already stays."""
    return _LATER_WORD.sub(lambda found: found[1].upper(), name) if "_" in name else name


def respelt(data: JSON) -> JSON:
    """One object with its own names in camelCase, whatever is in it left alone. Of several spellings of a
    name that come together, the last that says something counts."""
    if not any("_" in name for name in data):
        return data
    told: JSON = {}
    for name, value in data.items():
        if value is not None or camel(name) not in told:
            told[camel(name)] = value
    return told


class CamelFields(Fields):
    """`Fields` over an object in either spelling; errors name fields in camelCase. Raises InvalidBody for
    one field in two spellings: what reads the body next might take the other."""

    __slots__ = ()

    def __init__(self, data: Any, path: str = "") -> None:
        super().__init__(data, path)
        told = self.data
        self.data = respelt(told)
        if len(self.data) < len(told):
            name = next(name for name in told if camel(name) != name and camel(name) in self.data)
            raise InvalidBody(f"'{self.at(camel(name))}' came in two spellings.", param=self.at(camel(name)))

    def maybe_number(self, key: str) -> float | None:
        """A number, or a text that is one: JSON made of protocol buffers writes both."""
        value = self.data.get(key)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return int(value) if value.lstrip("-").isdigit() else float(value)
        return super().maybe_number(key)

    def maybe_json(self, key: str) -> JSON | None:
        """An object of the caller's own vocabulary, taken as it is."""
        value = self.data.get(key)
        return None if value is None else Fields(value, self.at(key)).data

    def one_or_more(self, key: str) -> list[Any]:
        """The values of a list, or the one value that stands in its place; none when absent."""
        value = self.data.get(key)
        return [] if value is None else value if isinstance(value, list) else [value]
