"""Tells alerts to their targets, from a thread of the ledger process: no row waits for a webhook.

One host at a time does it, whichever holds the lease: the ledger's thread says when. A delivery that
fails is tried again, later and later, for about a day.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import Error as DatabaseError

from gateway_project.clock import now, now_ms
from gateway_project.conf import config
from keys_app.alert_targets import read_secret
from keys_app.connections import close_connections, renew_connections
from keys_app.crypto import Unreadable
from keys_app.models import AlertTarget
from usage_app import budget_alerts
from usage_app.models import Alert, AlertDelivery
from usage_app.webhooks import NotDelivered, post, signed_headers

logger = logging.getLogger("gatehouse.alerts")

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=4)
MOST_ATTEMPTS = 14
#: Alerts that are older when a target is made, or when this process starts, are not told any more.
FRESH = timedelta(hours=1)
AT_ONCE = 50

Send = Callable[[AlertTarget, Alert, AlertDelivery], None]


class Teller:
    """Rounds are asked for by `tick`; one that is under way is not begun twice."""

    def __init__(self, send: Send | None = None) -> None:
        self._send = send or deliver
        self._asked = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Look and tell, soon. Never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
            self._thread.start()
        self._asked.set()

    def close(self) -> None:
        """End after the round that is under way, without waiting for it long."""
        self._ending = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._ending:
                break
            try:
                renew_connections()
                tell_round(self._send)
            except DatabaseError as error:
                logger.warning("Alerts wait for the database: %s", type(error).__name__)
            except Exception:
                logger.exception("Telling alerts failed; it is tried again.")
        close_connections()


def tell_round(send: Send) -> int:
    """Find what is to be told, and tell what is due. Returns how many arrived."""
    budget_alerts.raise_crossings(now_ms())
    prepare_deliveries()
    return send_due(send)


def prepare_deliveries() -> None:
    """A delivery for each fresh alert and each target it is meant for."""
    targets = list(AlertTarget.objects.filter(is_enabled=True))
    if not targets:
        return
    fresh = Alert.objects.filter(first_at__gt=now() - FRESH, deliveries=None).order_by("first_at")
    for alert in fresh[:AT_ONCE]:
        AlertDelivery.objects.bulk_create(
            [
                AlertDelivery(alert=alert, target_id=str(one.pk), target_name=one.name, next_at=now())
                for one in meant_for(alert, targets)
            ],
            ignore_conflicts=True,
        )


def meant_for(alert: Alert, targets: Iterable[AlertTarget]) -> list[AlertTarget]:
    """Targets of everything, and those of the service that the alert's budget belongs to."""
    service_id = None
    if alert.kind == budget_alerts.KIND and (budget := budget_alerts.budget_of(alert)):
        service_id = budget.service_id or (budget.key.service_id if budget.key else None)
    return [target for target in targets if target.service_id in (None, service_id)]


def send_due(send: Send) -> int:
    """Try what is due, the oldest first."""
    due = AlertDelivery.objects.select_related("alert").filter(next_at__lte=now(), delivered_at=None)
    count = 0
    for delivery in due.order_by("next_at")[:AT_ONCE]:
        target = AlertTarget.objects.filter(pk=delivery.target_id, is_enabled=True).first()
        if target is None:
            delivery.next_at, delivery.error = None, "The target is gone or switched off."
        else:
            count += _try(send, target, delivery)
        delivery.save(update_fields=["attempts", "next_at", "delivered_at", "error"])
    return count


def _try(send: Send, target: AlertTarget, delivery: AlertDelivery) -> int:
    delivery.attempts += 1
    try:
        send(target, delivery.alert, delivery)
    except (NotDelivered, Unreadable, OSError) as error:
        delivery.error = (
            str(error)[:200] if isinstance(error, NotDelivered | Unreadable) else "It was not sent."
        )
        pause = min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), LONGEST_PAUSE)
        delivery.next_at = None if delivery.attempts >= MOST_ATTEMPTS else now() + pause
        logger.warning("Alert %s did not reach %s: %s", delivery.alert_id, target.name, delivery.error)
        return 0
    delivery.delivered_at, delivery.next_at, delivery.error = now(), None, ""
    return 1


def deliver(target: AlertTarget, alert: Alert, delivery: AlertDelivery) -> None:
    """Send one alert to one target; raises NotDelivered, Unreadable, OSError."""
    if target.kind == AlertTarget.Kind.EMAIL:
        subject = f"[Gatehouse] {alert.get_level_display()}: {alert.kind}"
        message = EmailMessage(subject, alert.detail, settings.DEFAULT_FROM_EMAIL, [target.address])
        message.send()
        return
    body = json.dumps(payload(target, alert)).encode()
    secret = read_secret(target) if target.kind == AlertTarget.Kind.WEBHOOK else ""
    headers = signed_headers(secret, now_ms() // 1000, body, str(delivery.pk))
    post(target.address, body, headers, allow_private=config().allow_private_upstreams)


def payload(target: AlertTarget, alert: Alert) -> dict[str, object]:
    """What a webhook gets; Slack takes a text."""
    if target.kind == AlertTarget.Kind.SLACK:
        mark = ":rotating_light:" if alert.level == Alert.Level.CRITICAL else ":warning:"
        return {"text": f"{mark} {alert.detail or alert.kind}"}
    told: dict[str, object] = {
        "id": str(alert.pk),
        "kind": alert.kind,
        "level": alert.level,
        "subject": alert.subject,
        "detail": alert.detail,
        "at": alert.first_at.isoformat(),
    }
    if alert.kind == budget_alerts.KIND:
        budget_id, period, percent = budget_alerts.parts_of(alert.subject)
        told |= {"budget": budget_id, "period": period, "percent": percent}
    return told
