"""Who is signed in where: each session is noted when it begins, and can be ended from elsewhere."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway_project.clock import now
from keys_app.models import SignIn, User


def note_sign_in(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    """A session began. Its key is the one of after the sign-in: Django has changed it by then."""
    if not isinstance(user, User) or request is None:
        return
    if not request.session.session_key:
        request.session.save()
    key = request.session.session_key
    if not key:
        return
    SignIn.objects.update_or_create(
        session_key=key,
        defaults={
            "user": user,
            "address": str(request.META.get("REMOTE_ADDR", ""))[:64],
            "client": request.headers.get("User-Agent", "")[:200],
            "ended_at": None,
        },
    )


def note_sign_out(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    key = request.session.session_key if request is not None else None
    if key:
        SignIn.objects.filter(session_key=key, ended_at=None).update(ended_at=now())


def connect() -> None:
    """Listen to Django's own signals."""
    user_logged_in.connect(note_sign_in, dispatch_uid="keys_app.sign_in")
    user_logged_out.connect(note_sign_out, dispatch_uid="keys_app.sign_out")


def open_sessions(user: User) -> QuerySet[SignIn]:
    """Sessions that were not ended and have not run out, newest first."""
    oldest = now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return SignIn.objects.filter(user=user, ended_at=None, began_at__gt=oldest)


def end_sessions(user: User, sessions: QuerySet[SignIn] | None = None, *, besides: str = "") -> int:
    """End sessions of a person, all by default but for one: requests and sockets stop at their next look."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    wanted = open_sessions(user) if sessions is None else sessions.filter(user=user, ended_at=None)
    count = 0
    for row in wanted.exclude(session_key=besides):
        store(session_key=row.session_key).delete()
        SignIn.objects.filter(pk=row.pk).update(ended_at=now())
        count += 1
    return count
