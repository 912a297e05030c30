"""Exports: short ones are answered at once, longer ones are written beside the ledger and kept a day."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway_project import clock
from usage_app.export_jobs import (
    COST_COLUMNS,
    REQUEST_COLUMNS,
    Asked,
    TooManyExports,
    ask,
    digest,
    part_of,
    request_rows,
)
from usage_app.exports import CONTENT_TYPES, WRITERS
from usage_app.models import Export
from usage_app.reports import counted
from usage_app.request_search import RequestSearch
from usage_app.selection import select
from usage_app.sight import sight_of
from usage_app.usage_question import Asker, parse
from usage_app.views.page import PageView

#: Rows that a worker writes itself: some milliseconds.
DIRECT_ROWS = 500
DIRECT_LINES = 2_000


class ExportsView(PageView):
    """The list of a person's exports (`fragment=list` its moving part); a POST asks for one."""

    name = "exports"
    title = gettext_lazy("Exports")
    template = "ui/exports.html"
    has_selection = False

    def get(self, request: HttpRequest) -> HttpResponse:
        exports = list(Export.objects.filter(owner=self.viewer)[:50])
        is_moving = any(each.state in (Export.State.WAITING, Export.State.RUNNING) for each in exports)
        shown: dict[str, Any] = {"exports": exports, "is_moving": is_moving}
        if request.headers.get("HX-Request") and request.GET.get("fragment") == "list":
            return self.fragment("ui/_exports_list.html", **shown)
        return self.page(**shown)

    def post(self, request: HttpRequest) -> HttpResponse:
        """`kind`, `format`, and the page's own `query`."""
        kind, file_format = request.POST.get("kind", ""), request.POST.get("format", "")
        if kind not in ("requests", "usage") or file_format not in WRITERS:
            return HttpResponseBadRequest("kind or format")
        query = QueryDict(request.POST.get("query", "").lstrip("?"))
        chosen = select(query, request.session, clock.now(), self.reporting_zone, keeps=False)
        if kind == "usage":
            chosen = chosen.over(*counted(chosen.since, chosen.until))
        asked = Asked(kind, file_format, query, chosen)
        if kind == "requests" and RequestSearch(query, chosen, self.sight).filter.misunderstood:
            return HttpResponseBadRequest("query")
        direct = self.direct_usage(asked) if kind == "usage" else self.direct_requests(asked)
        if direct is not None:
            return direct
        try:
            ask(self.viewer, asked, self.expected(asked))
        except TooManyExports:
            messages.warning(request, _("Five exports are under way already; wait for one of them."))
        return redirect("ui:exports")

    def direct_usage(self, asked: Asked) -> HttpResponse | None:
        """The file itself when it is short."""
        chosen, zone = asked.selection, self.reporting_zone
        question = parse(asked.query, chosen, zone)
        asker = Asker(chosen, self.sight, zone)
        columns, rows = asker.table(question)
        found = list(islice(rows, DIRECT_LINES + 1))
        told = replace(asked, selection=chosen.over(*asker.bounds(question)))
        return None if len(found) > DIRECT_LINES else self.file(told, columns, found)

    def direct_requests(self, asked: Asked) -> HttpResponse | None:
        search = RequestSearch(asked.query, asked.selection, self.sight)
        count = search.count()
        if count.more or count.calls > DIRECT_ROWS:
            return None
        found = search.few(DIRECT_ROWS)
        if found is None:
            return None
        return self.file(asked, [*REQUEST_COLUMNS, *COST_COLUMNS], list(request_rows(iter(found))))

    def expected(self, asked: Asked) -> int | None:
        """Rows that the file will have, where the sums know: a flood of refusals is one row of many calls."""
        if asked.kind == "usage":
            return None
        found = RequestSearch(asked.query, asked.selection, self.sight).count()
        return None if found.more or found.totals is None or found.totals.refused else found.calls

    def file(self, asked: Asked, columns: list[str], rows: list[list[Any]]) -> HttpResponse:
        chosen = asked.selection
        facts = {"since": chosen.since, "until": chosen.until, "time_zone": self.reporting_zone.key}
        content = b"".join(WRITERS[asked.format](columns, rows, facts))
        return HttpResponse(content, headers=headers_of(asked.kind, asked.format, chosen.since, chosen.until))


class ExportFileView(PageView):
    """An export's file, for its owner, while they still see what is in it."""

    def get(self, request: HttpRequest, export_id: UUID) -> HttpResponseBase:
        export = Export.objects.filter(pk=export_id, owner=self.viewer, state=Export.State.DONE).first()
        if export is None or export.sight != digest(sight_of(self.viewer)):
            raise Http404
        headers = headers_of(export.kind, export.format, export.since, export.until)
        return StreamingHttpResponse(parts(export), headers=headers)


async def parts(export: Export) -> AsyncIterator[bytes]:
    """The file's pieces, one in memory at a time."""
    for number in range(export.parts):
        yield await sync_to_async(part_of)(export, number)


def headers_of(kind: str, file_format: str, since: Any, until: Any) -> dict[str, str]:
    name = f"gatehouse-{kind}-{since:%Y-%m-%d}-{until:%Y-%m-%d}.{file_format}"
    return {
        "Content-Type": CONTENT_TYPES[file_format],
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
