"""One change to many keys: block, unblock, end, move. Every key gets its own audit entry."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from gateway_project.clock import now
from keys_app import issuing
from keys_app.audit import record_change
from keys_app.models import KeyUse, Service, User, VirtualKey


def block(actor: Any, keys: Iterable[VirtualKey], reason: str = "") -> int:
    """How many were blocked by this."""

    def change(key: VirtualKey) -> str:
        if key.blocked_at is not None:
            return ""
        issuing.block_key(key, reason)
        return "blocked"

    return _each(actor, keys, change)


def unblock(actor: Any, keys: Iterable[VirtualKey]) -> int:
    def change(key: VirtualKey) -> str:
        if key.blocked_at is None:
            return ""
        issuing.unblock_key(key)
        return "unblocked"

    return _each(actor, keys, change)


def end(actor: Any, keys: Iterable[VirtualKey], at: datetime | None = None) -> int:
    """Let them expire, at once or at a time to come; a key that ends sooner anyway is left as it is."""
    at = at or now()

    def change(key: VirtualKey) -> str:
        if key.managed_by or (key.expires_at is not None and key.expires_at <= at):
            return ""
        key.expires_at = at
        key.save(update_fields=["expires_at"])
        return "expired"

    return _each(actor, keys, change)


def move(
    actor: Any, keys: Iterable[VirtualKey], *, user: User | None = None, service: Service | None = None
) -> int:
    """Hand them over to another user, another service, or both; what is not named stays."""

    def change(key: VirtualKey) -> str:
        if key.managed_by:
            return ""
        fields: list[str] = []
        if user is not None and key.user_id != user.pk:
            key.user, fields = user, [*fields, "user"]
        if service is not None and key.service_id != service.pk:
            key.service, fields = service, [*fields, "service"]
        if not fields:
            return ""
        key.save(update_fields=fields)
        return "moved"

    return _each(actor, keys, change)


def _each(actor: Any, keys: Iterable[VirtualKey], change: Callable[[VirtualKey], str]) -> int:
    count = 0
    with transaction.atomic():
        for key in keys:
            if verb := change(key):
                record_change(actor, key, verb)
                count += 1
    return count


def unused_keys(keys: QuerySet[VirtualKey], since: datetime) -> QuerySet[VirtualKey]:
    """Working keys that were made before an instant and have not been used since it."""
    used = KeyUse.objects.filter(key_id=OuterRef("pk"), last_used_at__gte=since)
    working = Q(expires_at__isnull=True) | Q(expires_at__gt=now())
    return keys.filter(working, ~Exists(used), blocked_at=None, created_at__lt=since)
