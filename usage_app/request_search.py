"""Finding calls: filters over the ledger's rows, pages, ranking, and how far a search has looked.

Rows are walked along one index. What no index leads to is looked for for at most a second, in every
order and either way, and goes on from there when asked. Ranking looks at the newest matches.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict

from usage_app.filters import SUMMED, RequestFilter, is_id, named
from usage_app.late_costs import FULL_COST, late_costs
from usage_app.models import Request
from usage_app.paging import KeysetPage, paged, parse_cursor, place
from usage_app.ranking import Order, next_among, next_of
from usage_app.reports import Filters, Totals, counted, snap, totals
from usage_app.selection import Selection
from usage_app.sight import Sight
from usage_app.tables import DEFAULT_SORT, Sort, parse_sort
from usage_app.views.scope import ID_SLACK, between, lowest_id, visible_requests
from usage_app.walking import Path, Patience, path_along, walk, windows, within

PAGE_SIZE = 50
#: Ranking looks at this many of the newest matches.
RANKED = 50_000
#: A list that nobody may sum is counted so far.
COUNTED = 1_000
#: The filter of calls whose cost is unknown; the sums count them among the others.
UNPRICED = "unpriced"
#: Columns no list shows; the widest of the row.
UNSEEN = ("timeline", "decision", "charges")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of calls. `stopped_at` is where a search that ran out of time goes on, '' when it is done:
    after that call, or before it if it `goes_back`.

    `ranked_from` is the oldest call that was ranked, when not all were.
    """

    page: KeysetPage[Request]
    stopped_at: str = ""
    goes_back: bool = False
    ranked_from: Request | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls match. `totals` where the sums know; else counted so far, and `more` than that."""

    calls: int
    more: bool = False
    totals: Totals | None = None


class RequestSearch:
    """One question: a query, a range with environment and service, and whose eyes."""

    def __init__(
        self,
        query: QueryDict,
        selection: Selection,
        sight: Sight,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.query, self.selection, self.sight = query, selection, sight
        self._clock_s = clock_s

    @cached_property
    def filter(self) -> RequestFilter:
        """The filters over what the range, the service and the viewer's sight leave."""
        rows = between(visible_requests(self.sight), self.selection.since, self.selection.until)
        if self.selection.service_id:
            rows = rows.filter(service_id=named(self.selection.service_id))
        return RequestFilter(self.query, queryset=rows)

    @cached_property
    def sort(self) -> Sort:
        return parse_sort(self.query.get("sort", DEFAULT_SORT))

    @property
    def matches(self) -> "QuerySet[Request]":
        """Every row that matches, without an order or a bound but the range."""
        rows: QuerySet[Request] = self.filter.qs
        if self.selection.environment:
            rows = rows.filter(environment=named(self.selection.environment))
        return rows

    @cached_property
    def path(self) -> Path:
        """Along which index the matches lie, and whether alone."""
        rows = between(Request.objects.all(), self.selection.since, self.selection.until)
        equals = self.filter.equals
        has_more = len(equals) < len(self.filter.names) or bool(self.selection.environment)
        if self.selection.service_id:
            equals["service_id"] = named(self.selection.service_id)
        return path_along(rows, self.sight, equals, has_more=has_more)

    def found(self) -> Found:
        """The page that the query asks for."""
        if self.sort.field != "id":
            return self._ranked()
        after, before = (parse_cursor(self.query.get(name, "")) for name in ("after", "before"))
        start, backwards = before or after, before is not None
        walked = walk(
            self.path,
            self.matches.defer(*UNSEEN),
            PAGE_SIZE + 1,
            Patience(self._clock_s),
            start=start.id if start else None,
            descending=self.sort.descending != backwards,
        )
        rows, older, newer = paged(walked.rows, PAGE_SIZE, backwards=backwards, has_start=start is not None)
        page = KeysetPage(rows, place(older.pk if older else None), place(newer.pk if newer else None))
        return Found(page, place(walked.stopped_at), backwards)

    def newer_than(self, newest: UUID | None, size: int) -> list[Request]:
        """The newest matches beyond one; without an index, of what just came: one window."""
        rows = self.matches.defer(*UNSEEN)
        if newest is not None:
            rows = rows.filter(pk__gt=newest)
        if not self.path.is_exact:
            edge = next(windows(self.path.rows), None)
            if edge is None:
                return []
            rows = within(rows, *edge)
        return list(rows.order_by("-id")[:size])

    def count(self) -> Count:
        """By the sums where they can tell, in constant time; else by looking, not far."""
        filters = self._summed
        if filters is not None:
            chosen = self.selection
            found = totals(chosen.since, chosen.until, filters, self.sight, durations=False)
            if UNPRICED in self.filter.names:  # whose cost the sums do not know
                return Count(found.unpriced_requests)
            return Count(found.requests, totals=found)
        walked = walk(self.path, self.matches.only("pk"), COUNTED + 1, Patience(self._clock_s))
        seen = len(walked.rows)
        return Count(min(seen, COUNTED), more=seen > COUNTED or walked.stopped_at is not None)

    def newest_first(self) -> Iterator[Request]:
        """Every match, in steps along the index: for files."""
        for first, last in windows(self.path.rows):
            yield from within(self.matches, first, last).order_by("-id")

    def few(self, most: int) -> list[Request] | None:
        """Every match, newest first; None where they are more, or not found in time."""
        walked = walk(self.path, self.matches, most + 1, Patience(self._clock_s))
        return None if walked.stopped_at or len(walked.rows) > most else walked.rows

    # ------------------------------------------------------------ inside

    @property
    def _summed(self) -> Filters | None:
        """The question as the sums take it; None where they know too little, or end elsewhere."""
        names = self.filter.names - {UNPRICED}
        if not names <= SUMMED.keys() or not self.filter.form.is_valid():
            return None
        if not all(is_id(value) for value in self.query.getlist("provider") if value):
            return None  # by name: the sums know its id alone
        since, until = self.selection.since, self.selection.until
        low, high = snap(*counted(since, until))
        if low != since or not (self.selection.live or high == until):
            return None
        values = {
            SUMMED[name]: tuple(named(value) for value in self.query.getlist(name) if value) for name in names
        }
        return replace(self.selection.filters, **values) if values else self.selection.filters

    def _ranked(self) -> Found:
        """Ordered by a figure, among the newest matches."""
        order = Order(
            self.sort.descending, *(parse_cursor(self.query.get(name, "")) for name in ("after", "before"))
        )
        stopped = False
        if self.path.is_exact:
            newest = self.matches.order_by("-id")
            edge = newest.values_list("pk", flat=True)[RANKED - 1 : RANKED]
            horizon = next(iter(edge), None)
            oldest = horizon or lowest_id(self.selection.since - ID_SLACK)
            places = next_of(newest[:RANKED], oldest, self.sort.field, order, PAGE_SIZE + 1)
        else:
            figures, horizon, stopped = self._figures()
            places = next_among(figures, order, PAGE_SIZE + 1)
        page = order.page(places, PAGE_SIZE)
        found = Request.objects.filter(pk__in=page.rows).defer(*UNSEEN)[:PAGE_SIZE]
        rows = {row.pk: row for row in found}
        shown = [rows[row_id] for row_id in page.rows if row_id in rows]
        known = Request.objects.only("id", "started_at")
        ranked_from = known.filter(pk=horizon).first() if horizon else None
        goes_on = place(horizon) if stopped else ""
        return Found(KeysetPage(shown, page.older, page.newer), goes_on, ranked_from=ranked_from)

    def _figures(self) -> tuple[list[tuple[UUID, float | None]], UUID | None, bool]:
        """What to rank; the oldest call looked at (None: all), and whether time was up before RANKED."""
        by_cost = self.sort.field == FULL_COST
        column = "cost_nanodollars" if by_cost else self.sort.field
        rows: Any = self.matches.order_by("-id").values_list("pk", column)
        found: list[tuple[UUID, float | None]] = []
        horizon, stopped, patience = None, False, Patience(self._clock_s)
        for first, last in windows(self.path.rows):
            found.extend(within(rows, first, last)[: RANKED - len(found)])
            if len(found) >= RANKED or patience.is_over:
                horizon, stopped = last, len(found) < RANKED
                break
        return (_with_late(found) if by_cost else found), horizon, stopped


def _with_late(found: list[tuple[UUID, float | None]]) -> list[tuple[UUID, float | None]]:
    """Costs with what came later; unknown where nothing is."""
    late = late_costs([row_id for row_id, _cost in found])
    return [(row_id, (cost or 0) + late[row_id] if row_id in late else cost) for row_id, cost in found]
