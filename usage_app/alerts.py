"""Raising and resolving alerts: one open row a kind and subject, counted while it lasts."""

from django.db.models import F

from gateway_project.clock import now
from usage_app.models import Alert


def raise_alert(kind: str, subject: str = "", detail: str = "", level: str = Alert.Level.WARNING) -> None:
    """Open the alert, or count it once more."""
    at = now()
    open_alerts = Alert.objects.filter(kind=kind, subject=subject[:200], resolved_at=None)
    if not open_alerts.update(count=F("count") + 1, last_at=at, detail=detail[:1000]):
        Alert.objects.create(
            kind=kind, subject=subject[:200], detail=detail[:1000], level=level, first_at=at, last_at=at
        )


def resolve_alert(kind: str, subject: str | None = None) -> None:
    """The condition is over; without a subject, for all of them."""
    open_alerts = Alert.objects.filter(kind=kind, resolved_at=None)
    if subject is not None:
        open_alerts = open_alerts.filter(subject=subject[:200])
    open_alerts.update(resolved_at=now())
