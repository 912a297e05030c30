"""Forgetting, a little at a time, what tells of people and is past its time; the ledger process calls it."""

from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet

from gateway_project.clock import now
from keys_app.models import AccessLink, AuditEntry, IdempotentAnswer, SignIn

AUDIT_KEPT = timedelta(days=730)
SIGN_INS_KEPT = timedelta(days=90)
LINKS_KEPT = timedelta(days=90)
ANSWERS_KEPT = timedelta(days=2)
MOST = 500


def forget_old() -> bool:
    """Delete some of each kind; True when there may be more."""
    at = now()
    over = Q(ended_at__lt=at - SIGN_INS_KEPT) | Q(ended_at=None, began_at__lt=at - SIGN_INS_KEPT)
    old: tuple[QuerySet[Any], ...] = (
        AuditEntry.objects.filter(at__lt=at - AUDIT_KEPT),
        SignIn.objects.filter(over).exclude(session_key__in=Session.objects.values("session_key")),
        AccessLink.objects.filter(expires_at__lt=at - LINKS_KEPT),
        IdempotentAnswer.objects.filter(created_at__lt=at - ANSWERS_KEPT),
        Session.objects.filter(expire_date__lt=at),
    )
    deleted = [_delete_some(rows) for rows in old]
    return MOST in deleted


def _delete_some(rows: "QuerySet[Any]") -> int:
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:MOST])
    if ids:
        rows.model._default_manager.filter(pk__in=ids).delete()
    return len(ids)
