"""Requests: which calls were these? Filtered, sorted, paged by key; always bounded by the range."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from usage_app.filters import RequestFilter
from usage_app.models import Request
from usage_app.paging import KeysetPage, keyset_page
from usage_app.reports import Filters, breakdown
from usage_app.tables import RequestTable, Sort, parse_sort
from usage_app.views.page import PageView
from usage_app.views.scope import between, visible_requests

PAGE_SIZE = 50
#: Rows a look at the tail brings at most; what came besides is on the next full view.
TAIL_SIZE = 50


class RequestsView(PageView):
    """The page, and its fragments: the table, rows newer than the top one, the filter's choices."""

    name = "requests"
    title = _("Requests")
    template = "ui/requests.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        fragment = request.GET.get("fragment") if request.headers.get("HX-Request") else None
        if fragment == "tail":
            return self.tail()
        if fragment == "choices":
            return self.fragment("ui/_request_filters.html", filter=self.filter, choices=self.choices())
        rows = self.rows_page
        shown: dict[str, Any] = {
            "table": RequestTable(rows.rows),
            "heads": RequestTable([]).heads(self.sort),
            "rows_page": rows,
            "sort": self.sort,
            "filter": self.filter,
            "names": self.names(rows.rows),
            "tails": self.tails,
            "newest": rows.rows[0].pk if rows.rows else "",
        }
        if fragment == "table":
            return self.fragment("ui/_request_table.html", **shown)
        return self.page(**shown)

    @cached_property
    def sort(self) -> Sort:
        return parse_sort(self.request.GET.get("sort", ""))

    @cached_property
    def filter(self) -> RequestFilter:
        rows = between(visible_requests(self.sight), self.selection.since, self.selection.until)
        if self.selection.environment:
            rows = rows.filter(environment=self.selection.environment)
        if self.selection.service_id:
            rows = rows.filter(service_id=self.selection.service_id)
        return RequestFilter(self.request.GET, queryset=rows)

    @cached_property
    def rows_page(self) -> KeysetPage[Request]:
        query = self.request.GET
        return keyset_page(
            self.filter.qs.defer("timeline", "decision", "charges", "tags"),
            self.sort.field,
            self.sort.descending,
            after=query.get("after", ""),
            before=query.get("before", ""),
            size=PAGE_SIZE,
        )

    @property
    def tails(self) -> bool:
        """Whether new rows belong on top of what is shown."""
        query = self.request.GET
        return (
            self.selection.live
            and self.sort.name == "-started"
            and not query.get("after")
            and not query.get("before")
        )

    def tail(self) -> HttpResponse:
        """Rows newer than the one on top, and the next look at the tail."""
        rows = self.filter.qs.defer("timeline", "decision", "charges", "tags")
        newest = self.request.GET.get("newest", "")
        if newest:
            try:
                rows = rows.filter(id__gt=UUID(newest))
            except ValueError:
                return HttpResponse(status=400)
        found = list(rows.order_by("-id")[:TAIL_SIZE])
        return self.fragment(
            "ui/_request_tail.html", table=RequestTable(found), newest=found[0].pk if found else newest
        )

    def choices(self) -> dict[str, list[tuple[str, str]]]:
        """What the range holds, most expensive first, for the filter's lists."""
        filters = Filters(environment=self.selection.environment, service_id=self.selection.service_id)
        found: dict[str, list[tuple[str, str]]] = {}
        for dimension in ("model", "key", "user"):
            lines = breakdown(
                (dimension,), self.selection.since, self.selection.until, filters, self.sight, limit=200
            )
            found[dimension] = [(line.ids[0], line.names[0]) for line in lines if line.ids[0]]
        return found

    def names(self, rows: Any) -> dict[str, str]:
        """What ids in the address are called, as far as the rows shown tell."""
        names: dict[str, str] = {}
        for row in rows:
            names |= {row.key_id: row.key_name, row.user_id: row.user_name, row.deployment_id: row.deployment}
        names.pop("", None)
        return names
