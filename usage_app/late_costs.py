"""Costs that came after a call's end: it costs what its row says and what came later."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from usage_app.models import Adjustment, Request
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.records import BATCH_CAUSE, LATE_END

#: What `with_full_cost` calls the cost of a row in the end.
FULL_COST = "full_cost_nanodollars"
#: Of adjustments: those that tell what a call costs, whose price may not have been known.
TELLS_COST = Q(cause__in=(LATE_END, BATCH_CAUSE)) | Q(cause__startswith=CORRECTION_CAUSE)


def late_costs(ids: Sequence[UUID]) -> dict[UUID, int]:
    """Nanodollars that came later, by call; nothing of a call that nothing came for. One query."""
    if not ids:
        return {}
    # A list is one value of the query: tens of thousands of values take longer to spell than to look up.
    given: Any
    if connection.vendor == "postgresql":
        among, given = "= ANY(%s)", list(ids)
    else:
        among, given = "IN (SELECT value FROM json_each(%s))", json.dumps([each.hex for each in ids])
    sql = (
        f"SELECT request_id, SUM(cost_nanodollars) FROM {Adjustment._meta.db_table} "  # noqa: S608  names are ours
        f"WHERE is_applied AND request_id {among} GROUP BY request_id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [given])
        rows = cursor.fetchall()
    return {each if isinstance(each, UUID) else UUID(each): int(late) for each, late in rows}


def charge_late(rows: Iterable[Request]) -> dict[UUID, int]:
    """Rows as they cost in the end, in one query a page; for showing alone, never to be saved."""
    rows = list(rows)
    late = late_costs([row.pk for row in rows])
    for row in rows:
        if row.pk in late:
            row.cost_nanodollars = (row.cost_nanodollars or 0) + late[row.pk]
    return late


def tells_cost(cause: str) -> bool:
    """TELLS_COST, of one."""
    return cause in (LATE_END, BATCH_CAUSE) or cause.startswith(CORRECTION_CAUSE)


def with_full_cost(rows: "QuerySet[Request]") -> "QuerySet[Request]":
    """Rows that can be narrowed by FULL_COST: a look at an index of adjustments for each row.

    NULL where a cost is unknown and nothing came later, as the lists show it.
    """
    whole = BigIntegerField()
    of_row = Adjustment.objects.filter(request_id=OuterRef("pk"), is_applied=True).values("request_id")
    late = Subquery(of_row.annotate(late=Sum("cost_nanodollars")).values("late"), output_field=whole)
    known = F("cost_nanodollars") + Coalesce(late, Value(0, output_field=whole))
    return rows.alias(**{FULL_COST: Coalesce(known, late, output_field=whole)})


def corrections_of(request_id: UUID) -> list[Adjustment]:
    """The entries of a call that correct its price, in their order."""
    entries = Adjustment.objects.filter(request_id=request_id, is_applied=True)
    return list(entries.filter(cause__startswith=CORRECTION_CAUSE).order_by("at"))
