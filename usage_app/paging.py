"""Pages of rows by key, never by offset and never counted: 'older' and 'newer' from a row on.

A cursor is the last row's sort value and id, so a page costs the same however deep it is. The id is
time-ordered and breaks ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[Row]):
    """One page. `older` and `newer` are cursors, '' where there is nothing more that way."""

    rows: Sequence[Row]
    older: str = ""
    newer: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an order: by the value, then by the id."""

    value: float
    id: UUID

    def __str__(self) -> str:
        return f"{self.value!r}~{self.id.hex}"


def parse_cursor(text: str) -> Cursor | None:
    """A cursor from an address; a broken one is none: the first page."""
    value, _, row_id = text.partition("~")
    try:
        return Cursor(float(value), UUID(row_id))
    except ValueError:
        return None


def place(row_id: UUID | None) -> str:
    """The cursor of a row in the order of arrival; '' for none."""
    return "" if row_id is None else str(Cursor(0.0, row_id))


def paged(
    found: Sequence[Row], size: int, *, backwards: bool, has_start: bool
) -> tuple[list[Row], Row | None, Row | None]:
    """Rows in the order of the list; the one that older rows come after, and the one that newer come before.

    `found` are in the order they were walked in, one more than `size` if there are more.
    """
    rows, more = list(found[:size]), len(found) > size
    if backwards:
        rows.reverse()
    has_older, has_newer = (has_start, more) if backwards else (more, has_start)
    return rows, rows[-1] if rows and has_older else None, rows[0] if rows and has_newer else None
