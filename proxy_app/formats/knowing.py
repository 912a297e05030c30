"""What a caller's format has in a body, object by object, and what becomes of the rest. Pure.

A `Shape` names the fields of one kind of object. Those that are read are carried or refused where they are
read; `hints` are left out, since no answer is another without them, and so are echoes of an answer that comes
back; `told` are left out and named in the answer's header. Whatever else says something is refused here, by
its path: it may change the answer, and nobody knows how.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_project.errors import UnsupportedParameter
from proxy_app.wire import JSON

_SHOWN = 80  # characters of a name that are told

#: A place in a body: where its holder is, and the name or the number there.
Place = tuple["Place | None", str | int]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of object. `read` are plain values, the caller's own words (schemas, arguments), and what
    `inside` tells of too: objects of a known kind, or arrays of them. What an open one holds besides is
    refused where it is read."""

    read: frozenset[str]
    hints: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    inside: Mapping[str, "Shape | Kinds"] = field(default_factory=dict)
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Kinds:
    """Objects of several kinds, told apart by what their field `by` says; one that says nothing is `usual`,
    and one that says another word is refused where it is read."""

    by: str
    shapes: Mapping[str, Shape]
    usual: str = ""

    def of(self, item: JSON) -> Shape | None:
        word = item.get(self.by)
        return self.shapes.get(self.usual if word is None else word) if isinstance(word, str | None) else None


def shape(
    read: str, hints: str = "", told: str = "", *, is_open: bool = False, **inside: Shape | Kinds
) -> Shape:
    """A `Shape` of names with spaces between them."""
    known = frozenset([*read.split(), *inside])
    return Shape(known, frozenset(hints.split()), frozenset(told.split()), inside, is_open)


@dataclass(frozen=True, slots=True)
class Known:
    """A format's whole body. `empty` are the values that say nothing there; `spelt` gives an object its
    fields' own names, where they have several."""

    body: Shape
    empty: tuple[Any, ...] = (None, "", [], {})
    spelt: Callable[[JSON], JSON] | None = None

    def check(self, body: JSON) -> tuple[str, ...]:
        """The `told` fields that a body has, each once. Raises UnsupportedParameter for the first that is
        unknown."""
        found: dict[str, None] = {}
        self._check(body, self.body, None, found)
        return tuple(found)

    def check_object(self, value: JSON, kind: Shape | Kinds, place: Place) -> None:
        """The same of one object whose fields do not last: what would be told of is refused too."""
        found: dict[str, None] = {}
        self._check(value, kind, place, found)
        for path in found:
            raise UnsupportedParameter(f"'{path}' cannot be carried to this model.", param=path)

    def _check(self, value: Any, kind: Shape | Kinds, place: Place | None, found: dict[str, None]) -> None:
        if isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, dict):
                    self._check(item, kind, (place, position), found)
            return
        if not isinstance(value, dict):
            return  # wrong types are named where they are read
        known = kind.of(value) if isinstance(kind, Kinds) else kind
        if known is None:
            return
        fields = self.spelt(value) if self.spelt is not None else value
        for name, inner in known.inside.items():
            if name in fields:
                self._check(fields[name], inner, (place, name), found)
        if fields.keys() <= known.read:
            return
        for name, held in fields.items():
            if name in known.read or name in known.hints or held in self.empty:
                continue
            if name in known.told:
                found[named((place, name), with_positions=False)] = None
            elif not known.is_open:
                path = named((place, name[:_SHOWN]))
                raise UnsupportedParameter(f"'{path}' cannot be carried to this model.", param=path)


def named(place: Place | None, *, with_positions: bool = True) -> str:
    """`messages[0].content[1].text`; without positions `messages.content.text`."""
    path = ""
    while place is not None:
        place, step = place
        if isinstance(step, str):
            path = f"{step}{'.' if path and path[0] != '[' else ''}{path}"
        elif with_positions:
            path = f"[{step}]{'.' if path and path[0] != '[' else ''}{path}"
    return path
