"""Raw rows of the ledger as a viewer may see them: always within their sight and a range of ids."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from gateway_project import clock
from usage_app.models import Request
from usage_app.sight import Sight, visible

#: An id is made with a call's first byte, its time is taken when its body is there.
ID_SLACK = timedelta(minutes=1)


def visible_requests(sight: Sight) -> "QuerySet[Request]":
    """Every request the viewer may see."""
    return visible(Request.objects.all(), sight)


def between(rows: "QuerySet[Request]", since: datetime, until: datetime) -> "QuerySet[Request]":
    """Rows of a range of time. Ids are time-ordered but for a moment: the primary key bounds the scan."""
    return rows.filter(
        id__gte=lowest_id(since - ID_SLACK),
        id__lt=lowest_id(until + ID_SLACK),
        started_at__gte=since,
        started_at__lt=until,
    )


def lowest_id(moment: datetime) -> UUID:
    return clock.uuid7_at(max(int(moment.timestamp() * 1000), 0))
