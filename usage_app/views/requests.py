"""Requests: which calls were these? Filtered, ranked, paged by key; always bounded by the range."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from usage_app.attempt_search import BY_ATTEMPTS, names_tried
from usage_app.filters import LIST_FILTERS, NUMBER_FILTERS, TEXT_FILTERS, RequestFilter
from usage_app.late_costs import charge_late
from usage_app.ledger_series import ledger_settings
from usage_app.models import SavedView
from usage_app.reports import breakdowns
from usage_app.reports_names import names_of
from usage_app.request_search import RANKED, Found, RequestSearch
from usage_app.selection import Selection
from usage_app.tables import DEFAULT_COLUMNS, RequestTable, Sort, parse_columns
from usage_app.views.page import PageView

#: Rows a look at the tail brings at most; what came besides is on the next full view.
TAIL_SIZE = 50
#: Filters whose values are ids.
_NAMED = ("key", "user", "deployment", "provider")
_CHOSEN_COLUMNS = "request_columns"
#: What a saved view does not keep: where somebody was in the list.
_PASSING = ("after", "before", "fragment", "newest", "csrfmiddlewaretoken")
MOST_VIEWS = 50


class RequestsView(PageView):
    """The page, and its fragments: the table, rows newer than the top one, the filter's choices."""

    name = "requests"
    title = _("Requests")
    template = "ui/requests.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        fragment = request.GET.get("fragment") if request.headers.get("HX-Request") else None
        if self.filter.misunderstood and fragment != "choices":
            return HttpResponse(status=400) if fragment else self.page(status=400, filter=self.filter)
        if fragment == "tail":
            return self.tail()
        if fragment == "choices":
            fields = {"texts": TEXT_FILTERS, "numbers": NUMBER_FILTERS}
            return self.fragment(
                "ui/_request_filters.html", filter=self.filter, choices=self.choices(), **fields
            )
        if fragment == "count":
            return self.fragment("ui/_request_count.html", counted=self.search.count())
        found = self.found
        rows = found.page.rows
        charge_late(rows)
        shown: dict[str, Any] = {
            "table": self.table(rows),
            "heads": self.table([]).heads(self.sort),
            "rows_page": found.page,
            "found": found,
            "ranked": RANKED,
            "sort": self.sort,
            "filter": self.filter,
            "names": self.names(rows),
            "tails": self.tails,
            "newest": rows[0].pk if rows else "",
            "kept_days": ledger_settings().keep_requests_days,
        }
        if fragment == "table":
            return self.fragment("ui/_request_table.html", **shown)
        all_columns = {name: column.verbose_name for name, column in RequestTable.base_columns.items()}
        return self.page(
            **shown,
            all_columns=all_columns,
            columns=self.columns,
            views=list(SavedView.objects.filter(owner=self.viewer)[:MOST_VIEWS]),
        )

    @cached_property
    def selection(self) -> Selection:
        """As it was asked: calls are listed one by one, however old."""
        return self.asked

    @cached_property
    def search(self) -> RequestSearch:
        return RequestSearch(self.request.GET, self.selection, self.sight)

    @property
    def sort(self) -> Sort:
        return self.search.sort

    @property
    def filter(self) -> RequestFilter:
        return self.search.filter

    @cached_property
    def found(self) -> Found:
        return self.search.found()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """As the address says, else as this person chose last."""
        asked = self.request.GET.getlist("columns")
        if asked:
            chosen = parse_columns(asked)
            self.request.session[_CHOSEN_COLUMNS] = list(chosen)
            return chosen
        return parse_columns(self.request.session.get(_CHOSEN_COLUMNS, DEFAULT_COLUMNS))

    def table(self, rows: Any) -> RequestTable:
        return RequestTable.of(rows, self.columns)

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
        newest = self.request.GET.get("newest", "")
        try:
            found = self.search.newer_than(UUID(newest) if newest else None, TAIL_SIZE)
        except ValueError:
            return HttpResponse(status=400)
        charge_late(found)
        return self.fragment(
            "ui/_request_tail.html", table=self.table(found), newest=found[0].pk if found else newest
        )

    def choices(self) -> dict[str, list[tuple[str, str]]]:
        """The filter's lists: what is chosen and not in the range, then what the range holds, most expensive
        first.
        """
        held, names = self.held(), self.names([])
        found = {}
        for name in LIST_FILTERS:
            values = {value for value, _label in held[name]}
            chosen = [value for value in self.filter.form[name].value() if value and value not in values]
            found[name] = [(value, names.get(value, value)) for value in chosen] + held[name]
        return found

    def held(self) -> dict[str, list[tuple[str, str]]]:
        """What the range holds, most expensive first, by filter."""
        chosen = self.selection
        kinds = ("model", "key", "user", "deployment", "provider")
        scope = (chosen.since, chosen.until, chosen.filters, self.sight)
        found = breakdowns([(name,) for name in kinds], *scope, limit=200, attempts=True)
        lines = {
            name: [line for line in those if line.ids[0]] for name, those in zip(kinds, found, strict=True)
        }
        options = {
            name: [(line.ids[0], line.names[0]) for line in those if line.totals.requests]
            for name, those in lines.items()
        }
        places = [(line.ids[0], line.names[0]) for line in lines["deployment"] + lines["provider"]]
        return options | dict.fromkeys(BY_ATTEMPTS, places)

    def names(self, rows: Any) -> dict[str, str]:
        """What ids in the address are called: by the rows shown, else by today's names.

        A name is told only to whom calls of it are shown, or who sees everything.
        """
        names: dict[str, str] = {"none": str(_("none"))}
        for row in rows:
            names |= {
                row.key_id: row.key_name,
                row.user_id: row.user_name,
                row.deployment_id: row.deployment,
                row.provider_id: row.provider,
            }
        names.pop("", None)
        places = [value for name in BY_ATTEMPTS for value in self.request.GET.getlist(name)]
        names |= names_tried(places, rows)
        if self.sight.everything:
            for dimension in ("deployment", "provider") if places else ():
                names = names_of(dimension, places) | names
            for dimension in _NAMED:
                asked = [value for value in self.request.GET.getlist(dimension) if value not in names]
                names |= names_of(dimension, asked) if asked else {}
        return names


class SavedViewsView(PageView):
    """Keeps a question to the list of calls under a name, or forgets one. A person's own."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, view_id: UUID | None = None) -> HttpResponse:
        if view_id is not None:
            get_object_or_404(SavedView, pk=view_id, owner=self.viewer).delete()
            return redirect("ui:requests")
        name = request.POST.get("name", "").strip()[:60]
        query = QueryDict(request.POST.get("query", "").lstrip("?"), mutable=True)
        if not name or SavedView.objects.filter(owner=self.viewer).count() >= MOST_VIEWS:
            return HttpResponseBadRequest("name")
        for each in _PASSING:
            query.pop(each, None)
        SavedView.objects.update_or_create(
            owner=self.viewer, name=name, defaults={"query": query.urlencode()[:4000]}
        )
        return redirect(f"{reverse('ui:requests')}?{query.urlencode()}")
