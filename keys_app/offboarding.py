"""Somebody leaves: their sign-in ends at once, and each of their keys goes to somebody else or stops."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from keys_app import many
from keys_app.audit import record_change
from keys_app.models import AccessLink, Service, User, VirtualKey
from keys_app.sessions import end_sessions


def keys_of(user: User) -> QuerySet[VirtualKey]:
    """The keys that stop with the person unless they are handed over, newest first."""
    return VirtualKey.objects.select_related("service").filter(user=user).order_by("-id")


def offboard(
    actor: Any,
    user: User,
    *,
    hand_over: Iterable[VirtualKey] = (),
    to_user: User | None = None,
    to_service: Service | None = None,
) -> dict[str, int]:
    """Deactivate a person: the named keys move, all their others are blocked.

    Returns {"handed_over", "blocked", "sessions_ended"}. Raises ValidationError for the last admin.
    """
    if user.is_superuser and not _other_admins(user).exists():
        raise ValidationError(_("This is the last admin: make somebody else one first."))
    moving = [key for key in hand_over if key.user_id == user.pk]
    if moving and to_user is None and to_service is None:
        raise ValidationError(_("Say to whom or to which service the keys go."))
    if to_user is not None and (to_user.pk == user.pk or not to_user.is_active):
        raise ValidationError(_("Keys go to somebody else who is active."))
    with transaction.atomic():
        moved = _hand_over(actor, moving, to_user, to_service)
        blocked = many.block(actor, keys_of(user), _("The owner has left."))
        User.objects.filter(pk=user.pk).update(is_active=False)
        user.is_active = False
        AccessLink.objects.filter(user=user, used_at=None).delete()
        ended = end_sessions(user)
        record_change(actor, user, "deactivated")
    return {"handed_over": moved, "blocked": blocked, "sessions_ended": ended}


def _hand_over(actor: Any, keys: list[VirtualKey], to_user: User | None, to_service: Service | None) -> int:
    """How many went. A service alone has them from now on: an owner who left would stop them."""
    keys = [key for key in keys if not key.managed_by]
    many.move(actor, keys, user=to_user, service=to_service)
    if to_user is None:
        VirtualKey.objects.filter(pk__in=[key.pk for key in keys]).update(user=None)
    return len(keys)


def _other_admins(user: User) -> QuerySet[User]:
    return User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
