"""Calls by where they were tried, and not only by who served them in the end. A question to the attempts
of each call that is looked at: no index leads from a deployment to them.
"""

from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from usage_app.models import Attempt, Request
from usage_app.rollups import FAILURES


def tried_at(rows: "QuerySet[Request]", ids: Collection[str]) -> "QuerySet[Request]":
    """Calls with an attempt at one of these deployments or providers."""
    return rows.filter(Exists(_attempts_at(ids)))


def failed_at(rows: "QuerySet[Request]", ids: Collection[str]) -> "QuerySet[Request]":
    """Calls that an attempt there failed for and that went on: those of the sums' `failed_attempts`
    (`ledger_rows.failed_before`). A call that failed for good has its last attempt as its own failure.
    """
    later = Attempt.objects.filter(request_id=OuterRef("request_id"), number__gt=OuterRef("number"))
    failing = _attempts_at(ids).filter(status__in=FAILURES)
    ended_otherwise = ~Q(status__in=FAILURES) & Exists(failing)
    return rows.filter(ended_otherwise | Exists(failing.filter(Exists(later))))


def _attempts_at(ids: Collection[str]) -> "QuerySet[Attempt]":
    here = Q(deployment_id__in=ids) | Q(provider_id__in=ids)
    return Attempt.objects.filter(here, request_id=OuterRef("pk"))


#: Parameter -> what narrows calls by ids of deployments and providers.
BY_ATTEMPTS = {"tried_at": tried_at, "failed_at": failed_at}


def names_tried(ids: Collection[str], requests: Collection[Request]) -> dict[str, str]:
    """What deployments and providers are called, by the attempts of calls that are shown."""
    if not ids:
        return {}
    found: dict[str, str] = {}
    columns = ("deployment_id", "deployment", "provider_id", "provider")
    tried = Attempt.objects.filter(request_id__in=[row.pk for row in requests])
    for deployment_id, deployment, provider_id, provider in tried.values_list(*columns):
        found |= {deployment_id: deployment, provider_id: provider}
    return {ref: found[ref] for ref in ids if ref and ref in found}
