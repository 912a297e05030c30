"""The order of calls by a figure: which of them a page shows.

Rows without a value come last. The id is time-ordered and breaks ties.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from usage_app.dialects import dialect_of
from usage_app.late_costs import FULL_COST
from usage_app.models import Adjustment, Request
from usage_app.paging import Cursor, KeysetPage, paged

#: Smaller than every stored value: durations, counts and costs are never negative beyond this.
UNKNOWN = -1.0
#: A figure's value and its call.
Places = Sequence[tuple[float, UUID]]


@dataclass(frozen=True, slots=True)
class Order:
    """In which order a list is read, from where on, and whether backwards: `before` is a place in it."""

    descending: bool
    after: Cursor | None
    before: Cursor | None

    @property
    def start(self) -> Cursor | None:
        return self.before or self.after

    @property
    def downwards(self) -> bool:
        return self.descending != (self.before is not None)

    def page(self, found: Places, size: int) -> KeysetPage[UUID]:
        """The page of the `size` + 1 places that come next."""
        start, backwards = self.start is not None, self.before is not None
        rows, older, newer = paged(found, size, backwards=backwards, has_start=start)
        ids = [row_id for _value, row_id in rows]
        return KeysetPage(ids, str(Cursor(*older)) if older else "", str(Cursor(*newer)) if newer else "")


def next_among(figures: Iterable[tuple[UUID, float | None]], order: Order, count: int) -> Places:
    """The next places among figures that are known. Pure."""
    places = ((UNKNOWN if value is None else float(value), row_id) for row_id, value in figures)
    if order.start is not None:
        edge = (order.start.value, order.start.id)
        places = (each for each in places if (each < edge if order.downwards else each > edge))
    return (heapq.nlargest if order.downwards else heapq.nsmallest)(count, places)


def next_of(rows: "QuerySet[Request]", oldest: UUID, field: str, order: Order, count: int) -> Places:
    """The next places among rows, ordered and bounded, none older than `oldest`: in one query.

    What came later is added up once for all calls since then; a look for each row costs more than the rest.
    """
    by_cost = field == FULL_COST
    inner: Any = rows.values_list("pk", "cost_nanodollars" if by_cost else field)
    sql, given = inner.query.sql_with_params()
    value, joined, late = "seen.figure", "", ""
    if by_cost:
        late = (
            f", late (id, figure) AS (SELECT request_id, SUM(cost_nanodollars) "  # noqa: S608  names are ours
            f"FROM {Adjustment._meta.db_table} WHERE is_applied AND request_id >= %s GROUP BY request_id)"
        )
        given = (*given, dialect_of(connection).uuid(oldest))
        value, joined = (
            "COALESCE(seen.figure + COALESCE(late.figure, 0), late.figure)",
            "LEFT JOIN late USING (id)",
        )
    where, arguments = "", list[Any]()
    sign, direction = ("<", "DESC") if order.downwards else (">", "ASC")
    if order.start is not None:
        where = f"WHERE value {sign} %s OR (value = %s AND id {sign} %s)"
        arguments = [order.start.value, order.start.value, dialect_of(connection).uuid(order.start.id)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH seen (id, figure) AS ({sql}){late}, placed (id, value) AS (SELECT seen.id, "  # noqa: S608  names are ours
            f"CAST(COALESCE({value}, {UNKNOWN}) AS DOUBLE PRECISION) FROM seen {joined}) "
            f"SELECT value, id FROM placed {where} ORDER BY value {direction}, id {direction} LIMIT {count}",
            [*given, *arguments],
        )
        return [(value, _uuid(row_id)) for value, row_id in cursor.fetchall()]


def _uuid(told: Any) -> UUID:
    return told if isinstance(told, UUID) else UUID(told)
