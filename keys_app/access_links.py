"""Links by which a person sets a password: for an invitation, or after a forgotten one.

The link is shown to the admin who makes it and needs no mail. It works once, ends by itself, and ends
with every newer one of the same person; only its hash is stored.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse

from gateway_project.clock import now
from gateway_project.conf import config
from keys_app.audit import record_change
from keys_app.models import AccessLink, User
from keys_app.secrets import hash_secret, random_text
from keys_app.sessions import end_sessions

INVITE_LASTS = timedelta(days=7)
RESET_LASTS = timedelta(hours=24)


def make_link(user: User, actor: Any) -> str:
    """A new link for somebody who may sign in; older ones stop working. An address to hand over."""
    fresh = not user.has_usable_password()
    purpose = AccessLink.Purpose.INVITE if fresh else AccessLink.Purpose.RESET
    token = random_text()
    with transaction.atomic():
        AccessLink.objects.filter(user=user, used_at=None).update(expires_at=now())
        AccessLink.objects.create(
            user=user,
            purpose=purpose,
            token_hash=hash_secret(token),
            created_by=str(getattr(actor, "username", actor))[:150],
            expires_at=now() + (INVITE_LASTS if fresh else RESET_LASTS),
        )
        record_change(actor, user, "invited" if fresh else "given a reset link")
    public = config().public_url.rstrip("/")
    prefix = reverse("keys:set-password", args=[token])
    return f"{'/'.join(public.split('/')[:3])}{prefix}"


def find_link(token: str) -> AccessLink | None:
    """The link of a token that still works, for somebody who is active."""
    links = AccessLink.objects.select_related("user").filter(used_at=None, expires_at__gt=now())
    return links.filter(token_hash=hash_secret(token), user__is_active=True).first()


def use_link(link: AccessLink, password: str) -> bool:
    """Set the password and end the person's sessions; False when somebody else was first."""
    with transaction.atomic():
        unused = AccessLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now())
        if not unused.update(used_at=now()):
            return False
        user = link.user
        user.set_password(password)
        user.save(update_fields=["password"])
        end_sessions(user)
        record_change(user, user, "set a password")
    return True
