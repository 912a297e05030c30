"""The order of calls by a figure: which of them a page shows. Pure.

Rows without a value come last. The id is time-ordered and breaks ties.
"""

import heapq
from collections.abc import Iterable
from uuid import UUID

from usage_app.paging import Cursor, KeysetPage, paged

#: Smaller than every stored value: durations, counts and costs are never negative beyond this.
UNKNOWN = -1.0


def ranked_page(
    figures: Iterable[tuple[UUID, float | None]],
    descending: bool,
    *,
    after: Cursor | None,
    before: Cursor | None,
    size: int,
) -> KeysetPage[UUID]:
    """The ids of the page after (or before) a cursor."""
    places = ((UNKNOWN if value is None else float(value), row_id) for row_id, value in figures)
    start, downwards = before or after, descending != (before is not None)
    if start is not None:
        edge = (start.value, start.id)
        places = (each for each in places if (each < edge if downwards else each > edge))
    pick = heapq.nlargest if downwards else heapq.nsmallest
    found = pick(size + 1, places)
    rows, older, newer = paged(found, size, backwards=before is not None, has_start=start is not None)
    ids = [row_id for _value, row_id in rows]
    return KeysetPage(ids, str(Cursor(*older)) if older else "", str(Cursor(*newer)) if newer else "")
