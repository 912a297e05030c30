"""GET /api/v1/requests/, /requests/{id}/ and /usage/: the ledger and its sums, within the caller's sight."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request as ApiRequest
from rest_framework.response import Response
from rest_framework.views import APIView

from keys_app.api.authentication import HoldsKey, VirtualKeyAuthentication, WindowSession
from keys_app.api.management import public_link
from usage_app import reports
from usage_app.api import parameters
from usage_app.api.authentication import MasterOrVirtualKey, MayReadUsage, sight_of_principal
from usage_app.api.rendering import render_line, render_request, render_requests, render_totals, render_whole
from usage_app.attempt_search import BY_ATTEMPTS
from usage_app.models import Request
from usage_app.reports_claims import CLAIM_COLUMNS, CLAIMS, bounds_of, claims_and_all, claims_over_time
from usage_app.reports_reading import DIMENSION_COLUMNS
from usage_app.sight import Sight, visible
from usage_app.views.scope import between
from usage_app.walking import Patience, path_along, walk

PAGE, LARGEST_PAGE = 50, 500

_RANGE = [
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="Default: 24 hours before `until`."),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Default: now; itself not included."),
]
_FILTERS = [OpenApiParameter(name, str, description="An id, or a name.") for name in parameters.FILTERS]


class UsageView(APIView):
    """What the three endpoints share: who may call, and what they may see."""

    scope = "usage"
    authentication_classes = [MasterOrVirtualKey, WindowSession]
    permission_classes = [MayReadUsage]

    @property
    def sight(self) -> Sight:
        return sight_of_principal(self.request.user)


class RequestList(UsageView):
    """Calls, newest first, of a range of time.

    What no index leads to is looked for for a second: then a page may be short, or empty, and `next`
    goes on from there.
    """

    @extend_schema(
        operation_id="api_v1_requests_list",
        parameters=[
            *_RANGE,
            *_FILTERS,
            *(
                OpenApiParameter(name, str, description="A deployment or a provider: an id, or a name.")
                for name in BY_ATTEMPTS
            ),
            OpenApiParameter("limit", int, description=f"1 to {LARGEST_PAGE}; default {PAGE}."),
            OpenApiParameter("cursor", str, description="From `next`."),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: ApiRequest) -> Response:
        query = request.query_params
        asked = parameters.read_parameters(query, "limit", "cursor", *BY_ATTEMPTS)
        places = parameters.read_places(query)
        limit = parameters.read_limit(query, PAGE, LARGEST_PAGE)
        rows = between(Request.objects.all(), asked.since, asked.until)
        equals = {DIMENSION_COLUMNS[name]: ids[0] for name, ids in asked.ids.items() if len(ids) == 1}
        walked = walk(
            path_along(rows, self.sight, equals, has_more=bool(places) or len(equals) < len(asked.ids)),
            _narrowed(visible(rows, self.sight), asked, places),
            limit + 1,
            Patience(),
            start=parameters.read_cursor(query),
        )
        page = walked.rows[:limit]
        goes_on = page[-1].pk if len(walked.rows) > limit else walked.stopped_at
        return Response(
            {
                "results": render_requests(page),
                "next": self._next(request, asked, goes_on) if goes_on else None,
            }
        )

    @staticmethod
    def _next(request: ApiRequest, asked: parameters.Asked, last: UUID) -> str:
        """The address of the older calls; the range is fixed by it, so no page moves under the reader."""
        query = request.query_params.copy()
        query["since"], query["until"] = asked.since.isoformat(), asked.until.isoformat()
        query["cursor"] = str(last)
        return public_link(f"{request.path}?{query.urlencode()}")


class OwnRequests(RequestList):
    """A virtual key's own calls, whoever else is signed in in the same browser."""

    authentication_classes = [VirtualKeyAuthentication]
    permission_classes = [HoldsKey]

    @extend_schema(operation_id="api_v1_key_requests_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest) -> Response:
        return super().get(request)


class RequestDetail(UsageView):
    """One call, with its timeline, attempts and the decision behind it."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 404: OpenApiTypes.OBJECT})
    def get(self, request: ApiRequest, pk: str) -> Response:
        try:
            wanted = UUID(pk)
        except ValueError:
            raise NotFound(_("There is no such request.")) from None
        # What may not be seen is not there: a stranger learns nothing from the answer.
        row = visible(Request.objects.all(), self.sight).filter(pk=wanted).first()
        if row is None:
            raise NotFound(_("There is no such request."))
        return Response(render_request(row, self.sight))


class Usage(UsageView):
    """Sums of calls, by up to all dimensions, and over time; or by what callers claim, by whole days."""

    @extend_schema(
        parameters=[
            *_RANGE,
            *_FILTERS,
            OpenApiParameter(
                "group_by",
                str,
                description=f"Any of {', '.join(DIMENSION_COLUMNS)}; or one of {', '.join(CLAIMS)}, "
                f"alone or with one of {', '.join(CLAIM_COLUMNS)}.",
            ),
            OpenApiParameter("interval", str, enum=parameters.INTERVALS),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: ApiRequest) -> Response:
        query = request.query_params
        asked = parameters.read_parameters(query, "group_by", "interval")
        dimensions = parameters.read_grouping(query)
        interval = parameters.read_interval(query, asked)
        claim = parameters.read_claim(dimensions, asked, interval)
        if claim is not None:
            return self._claims(asked, claim, is_daily=interval is not None)
        zone = reports.reporting_zone()
        scope = (asked.since, asked.until)
        filters, sight = asked.filters, self.sight
        if interval:
            cells = reports.breakdown_over_time(
                dimensions, *scope, interval, filters, sight, zone=zone, attempts=True
            )
            results = [render_line(dimensions, line, start) for start, line in cells]
            total = reports.totals(*scope, filters, sight)
        else:
            lines, whole = reports.breakdowns(
                (dimensions, ()), *scope, filters, sight, durations=True, attempts=True
            )
            results = [render_line(dimensions, line) for line in lines]
            total = whole[0].totals if whole else reports.Totals()
        return self._answer(reports.snap(*reports.counted(*scope)), results, render_totals(total))

    def _claims(self, asked: parameters.Asked, claim: tuple[str, str], *, is_daily: bool) -> Response:
        """By tag, end user or client, as the Usage page has it."""
        sight, zone = self.sight, reports.reporting_zone()
        if not (sight.everything or sight.service_ids):
            raise PermissionDenied(_("Sums by tag, end user and client are for who manages a service."))
        dimensions = tuple(filter(None, claim))
        since, until = bounds_of(*reports.counted(asked.since, asked.until), zone)
        scope = (*claim, since, until, asked.filters, sight)
        lines, whole = claims_and_all(*scope, zone=zone)
        if is_daily:
            days = claims_over_time(*scope, zone=zone)
            results = [render_line(dimensions, line, start) for start, line in days]
        else:
            results = [render_line(dimensions, line) for line in lines]
        return self._answer((since, until), results, render_whole(dimensions, whole))

    @staticmethod
    def _answer(bounds: tuple[datetime, datetime], results: list[Any], total: dict[str, Any]) -> Response:
        since, until = (at.astimezone(UTC).isoformat() for at in bounds)
        return Response(
            {
                "since": since,
                "until": until,
                "time_zone": reports.reporting_zone().key,
                "results": results,
                "total": total,
            }
        )


def _narrowed(
    rows: QuerySet[Request], asked: parameters.Asked, places: dict[str, list[str]]
) -> QuerySet[Request]:
    """Within the filters."""
    for name, ids in places.items():
        rows = BY_ATTEMPTS[name](rows, ids)
    for name, values in asked.ids.items():
        rows = rows.filter(Q(**{f"{DIMENSION_COLUMNS[name]}__in": values}))
    return rows
