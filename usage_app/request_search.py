"""Finding calls: filters over the ledger's rows, pages, ranking, and how far a search has looked.

An order by arrival is a walk along an index. A filter that has no index is answered in windows of
rows for at most a second, and goes on from there when asked. Ranking looks at the newest matches.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict

from usage_app.filters import SUMMED, RequestFilter, is_id, named
from usage_app.late_costs import FULL_COST, with_full_cost
from usage_app.models import Request
from usage_app.paging import KeysetPage, keyset_page, position_of
from usage_app.reports import Filters, Totals, counted, snap, totals
from usage_app.selection import Selection
from usage_app.sight import Sight
from usage_app.tables import DEFAULT_SORT, Sort, parse_sort
from usage_app.views.scope import between, visible_requests

PAGE_SIZE = 50
#: Ranking looks at this many of the newest matches.
RANKED = 50_000
#: Rows a look without an index takes at a time, and for how long it goes on.
WINDOW = 2_000
PATIENCE_S = 1.0
#: A list that nobody may sum is counted so far.
COUNTED = 1_000
#: Columns no list shows; the widest of the row.
UNSEEN = ("timeline", "decision", "charges")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of calls. `stopped_at` is where a search that ran out of time goes on, '' when it is done.

    `ranked_from` is the oldest call that was ranked, when not all were.
    """

    page: KeysetPage[Request]
    stopped_at: str = ""
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

    @property
    def is_indexed(self) -> bool:
        """Whether indexes lead to every match. An environment alone has none."""
        return self.filter.indexed == self.filter.names and not self.selection.environment

    def found(self) -> Found:
        """The page that the query asks for."""
        after, before = self.query.get("after", ""), self.query.get("before", "")
        if self.sort.field != "id":
            return self._ranked(after, before)
        if self.is_indexed or before or not self.sort.descending:
            return Found(self._page(self.matches, after, before))
        return self._walked(after)

    def count(self) -> Count:
        """By the sums where they can tell, in constant time; else by looking, not far."""
        filters = self._summed
        if filters is not None:
            found = totals(self.selection.since, self.selection.until, filters, self.sight)
            return Count(found.requests, totals=found)
        if not self.is_indexed:
            return Count(0, more=True)
        seen = len(self.matches.order_by("-id").values_list("pk", flat=True)[: COUNTED + 1])
        return Count(min(seen, COUNTED), more=seen > COUNTED)

    def newest_first(self, size: int = WINDOW) -> Iterator[Request]:
        """Every match, in steps along the index: for files."""
        for low, high in self._windows(None, size):
            rows = self.matches.filter(pk__gte=low)
            if high is not None:
                rows = rows.filter(pk__lt=high)
            yield from rows.order_by("-id")

    # ------------------------------------------------------------ inside

    @property
    def _summed(self) -> Filters | None:
        """The question as the sums take it; None where they know too little, or end elsewhere."""
        if not self.filter.names <= SUMMED.keys() or not self.filter.form.is_valid():
            return None
        if not all(is_id(value) for value in self.query.getlist("provider") if value):
            return None  # by name: the sums know its id alone
        since, until = self.selection.since, self.selection.until
        low, high = snap(*counted(since, until))
        if low != since or not (self.selection.live or high == until):
            return None
        values = {
            SUMMED[name]: tuple(named(value) for value in self.query.getlist(name) if value)
            for name in self.filter.names
        }
        return replace(self.selection.filters, **values) if values else self.selection.filters

    def _page(self, rows: "QuerySet[Request]", after: str, before: str) -> KeysetPage[Request]:
        if self.sort.field == FULL_COST:
            rows = with_full_cost(rows)
        return keyset_page(
            rows.defer(*UNSEEN),
            self.sort.field,
            self.sort.descending,
            after=after,
            before=before,
            size=PAGE_SIZE,
        )

    def _walked(self, after: str) -> Found:
        """Windows of rows by arrival, each searched whole, until a page is full or time is up."""
        ends_s = self._clock_s() + PATIENCE_S
        rows: list[Request] = []
        start = position_of(after)
        for low, high in self._windows(start, WINDOW):
            window = self.matches.filter(pk__gte=low)
            if high is not None:
                window = window.filter(pk__lt=high)
            rows += window.defer(*UNSEEN).order_by("-id")[: PAGE_SIZE + 1 - len(rows)]
            if len(rows) > PAGE_SIZE:
                shown = rows[:PAGE_SIZE]
                return Found(KeysetPage(shown, _cursor(shown[-1].pk), ""))
            if self._clock_s() >= ends_s:
                return Found(KeysetPage(rows, "", ""), stopped_at=_cursor(low))
        return Found(KeysetPage(rows, "", ""))

    def _windows(self, start: UUID | None, size: int) -> Iterator[tuple[UUID, UUID | None]]:
        """Bounds [low, high) of ids, newest first, over what the indexes leave; each holds `size` rows."""
        base = self.filter.narrowed(self.filter.queryset, self.filter.indexed)
        ids = base.order_by("-id").values_list("pk", flat=True)
        high = start
        while True:
            step = ids.filter(pk__lt=high) if high is not None else ids
            found = list(step[:size])
            if not found:
                return
            yield found[-1], high
            if len(found) < size:
                return
            high = found[-1]

    def _ranked(self, after: str, before: str) -> Found:
        """Ordered by a figure, among the newest matches."""
        horizon, stopped = self._horizon()
        rows = self.matches if horizon is None else self.matches.filter(pk__gte=horizon)
        page = self._page(rows, after, before)
        oldest = Request.objects.only("id", "started_at").filter(pk=horizon).first() if horizon else None
        return Found(page, _cursor(horizon) if stopped and horizon else "", oldest)

    def _horizon(self) -> tuple[UUID | None, bool]:
        """The oldest match to rank (None: all), and whether time was up before RANKED were seen."""
        if self.is_indexed:
            edge = self.matches.order_by("-id").values_list("pk", flat=True)[RANKED - 1 : RANKED]
            return next(iter(edge), None), False
        ends_s = self._clock_s() + PATIENCE_S
        seen = 0
        for low, high in self._windows(None, WINDOW):
            window = self.matches.filter(pk__gte=low)
            if high is not None:
                window = window.filter(pk__lt=high)
            seen += len(window.values_list("pk", flat=True))
            if seen >= RANKED or self._clock_s() >= ends_s:
                return low, seen < RANKED
        return None, False


def _cursor(row_id: UUID) -> str:
    return f"0.0~{row_id.hex}"
