"""Looking through the ledger's calls by arrival: along one index where one leads, else row by row, in time.

A look is exact where an index leads to the matches alone. Everything else is searched in windows of
rows until a page is full or patience is at its end, and says where to go on.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet

from usage_app.models import Request
from usage_app.sight import Sight

#: Rows a look takes at a time, and for how long it goes on.
WINDOW = 2_000
PATIENCE_S = 1.0
#: Columns with an index that keeps arrival's order, those first whose values have the fewest rows.
INDEXED_COLUMNS = ("id", "session", "end_user", "key_id", "user_id", "service_id", "model", "status")

Rows = QuerySet[Request]
Chosen = TypeVar("Chosen", bound="QuerySet[Any]")


@dataclass(frozen=True, slots=True)
class Path:
    """Rows that one index leads to; `is_exact` if they are the matches and no others."""

    rows: Rows
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Walked:
    """Rows in the order of the walk. `stopped_at`: the last row that was looked at when time was up."""

    rows: list[Request]
    stopped_at: UUID | None = None


class Patience:
    """From its making on, for PATIENCE_S."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._ends_s = clock_s() + PATIENCE_S

    @property
    def is_over(self) -> bool:
        return self._clock_s() >= self._ends_s


def path_along(rows: Rows, sight: Sight, equals: Mapping[str, Any], *, has_more: bool) -> Path:
    """The best index for conditions: `equals` by column, `has_more` besides. `rows` lie within the range."""
    seen = _only_column(sight)
    known = dict(equals)
    if seen is not None:
        has_more = has_more or known.setdefault(*seen) != seen[1]
    elif not sight.everything:
        has_more = True
    for column in INDEXED_COLUMNS:
        if column in known:
            return Path(rows.filter(**{column: known[column]}), not has_more and len(known) == 1)
    return Path(rows, not has_more and not known)


def walk(
    path: Path,
    matches: Rows,
    wanted: int,
    patience: Patience,
    *,
    start: UUID | None = None,
    descending: bool = True,
) -> Walked:
    """Up to `wanted` matches beyond `start`: at once along an exact path, else in windows."""
    order = "-id" if descending else "id"
    if path.is_exact:
        return Walked(list(beyond(matches, start, descending).order_by(order)[:wanted]))
    rows: list[Request] = []
    for first, last in windows(path.rows, start, descending):
        rows += within(matches, first, last).order_by(order)[: wanted - len(rows)]
        if len(rows) >= wanted:
            break
        if patience.is_over:
            return Walked(rows, last)
    return Walked(rows)


def windows(rows: Rows, start: UUID | None = None, descending: bool = True) -> Iterator[tuple[UUID, UUID]]:
    """Ids of the first and the last of every WINDOW rows beyond `start`, in the order of the walk."""
    ids: Any = rows.order_by("-id" if descending else "id").values_list("pk", flat=True)
    while found := list(beyond(ids, start, descending)[:WINDOW]):
        yield found[0], found[-1]
        if len(found) < WINDOW:
            return
        start = found[-1]


def within(rows: Chosen, first: UUID, last: UUID) -> Chosen:
    """Rows of a window, whichever way it was walked."""
    return rows.filter(pk__gte=min(first, last), pk__lte=max(first, last))


def beyond(rows: Chosen, start: UUID | None, descending: bool) -> Chosen:
    if start is None:
        return rows
    return rows.filter(pk__lt=start) if descending else rows.filter(pk__gt=start)


def _only_column(sight: Sight) -> tuple[str, str] | None:
    """The column and the value that a sight is, where it is only one."""
    parts = [("service_id", service_id) for service_id in sight.service_ids]
    parts += [("user_id", sight.user_id)] if sight.user_id else []
    parts += [("key_id", sight.key_id)] if sight.key_id else []
    return parts[0] if len(parts) == 1 and not sight.everything else None
