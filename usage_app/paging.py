"""Pages of rows by key, never by offset and never counted: 'older' and 'newer' from a row on.

A cursor is the last row's sort value and id, so a page costs the same however deep it is. Rows
without a value come last. The id is time-ordered and breaks ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import F, FloatField, Model, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

Row = TypeVar("Row", bound=Model)

#: Smaller than every stored value: durations, counts and costs are never negative beyond this.
_UNKNOWN = -1.0


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[Row]):
    """One page. `older` and `newer` are cursors, '' where there is nothing more that way."""

    rows: Sequence[Row]
    older: str
    newer: str


def keyset_page(
    rows: "QuerySet[Row]", field: str, descending: bool, *, after: str = "", before: str = "", size: int = 50
) -> "KeysetPage[Row]":
    """The page after (or before) a cursor, in the order of a field; 'id' is the order of arrival."""
    ordered: Any = rows
    if field != "id":
        ordered = rows.annotate(
            sort_value=Coalesce(Cast(F(field), FloatField()), Value(_UNKNOWN), output_field=FloatField())
        )
    backwards = bool(before)
    cursor = _parse(before or after)
    downwards = descending != backwards
    if cursor is not None:
        ordered = ordered.filter(_beyond(cursor, field, downwards))
    sign = "-" if downwards else ""
    order = [f"{sign}id"] if field == "id" else [f"{sign}sort_value", f"{sign}id"]
    found = list(ordered.order_by(*order)[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    has_older = more if not backwards else cursor is not None
    has_newer = more if backwards else cursor is not None
    return KeysetPage(
        rows=found,
        older=_cursor(found[-1], field) if found and has_older else "",
        newer=_cursor(found[0], field) if found and has_newer else "",
    )


def _beyond(cursor: tuple[float, UUID], field: str, downwards: bool) -> Q:
    value, row_id = cursor
    side = "lt" if downwards else "gt"
    if field == "id":
        return Q(**{f"id__{side}": row_id})
    return Q(**{f"sort_value__{side}": value}) | Q(**{"sort_value": value, f"id__{side}": row_id})


def _cursor(row: Any, field: str) -> str:
    value = 0.0 if field == "id" else row.sort_value
    return f"{value!r}~{row.pk.hex}"


def position_of(text: str) -> UUID | None:
    """The row that a cursor of the order of arrival ends with."""
    parsed = _parse(text)
    return parsed[1] if parsed else None


def _parse(text: str) -> tuple[float, UUID] | None:
    """A cursor from an address; a broken one is none: the first page."""
    value, _, row_id = text.partition("~")
    try:
        return float(value), UUID(row_id)
    except ValueError:
        return None
