"""Raw rows of the ledger as a viewer may see them: always within their sight and a range of ids."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from gateway_project import clock
from usage_app.models import Request
from usage_app.sight import Sight, visible


def visible_requests(sight: Sight) -> "QuerySet[Request]":
    """Every request the viewer may see."""
    return visible(Request.objects.all(), sight)


def between(rows: "QuerySet[Request]", since: datetime, until: datetime) -> "QuerySet[Request]":
    """Rows of a range of time. Ids are time-ordered, so the primary key bounds the scan."""
    return rows.filter(id__gte=lowest_id(since), id__lt=lowest_id(until))


def lowest_id(moment: datetime) -> UUID:
    return clock.uuid7_at(int(moment.timestamp() * 1000))
