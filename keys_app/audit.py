"""Who changed what, and when: Django's own log entries, written by admin, API and commands alike."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from keys_app.models import User

_FLAGS = {"added": ADDITION, "deleted": DELETION}


def record_change(actor: Any, row: Model, verb: str, fields: Sequence[str] = ()) -> None:
    """One log entry: `verb` is a past participle; field names are kept, their values never.

    LogEntry wants a person: what the master key did stands under the user `master`, who cannot sign in.
    """
    fields = [name for name in fields if name != "credential"]
    message = f"{verb}: {', '.join(fields)}" if fields else verb
    LogEntry.objects.create(
        user=actor if isinstance(actor, User) else master_user(),
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=_FLAGS.get(verb, CHANGE),
        change_message=message,
    )


def master_user() -> User:
    """The user that stands for the master key in the log: inactive, without a password."""
    user, made = User.objects.get_or_create(
        username="master", defaults={"is_active": False, "first_name": "Master key", "role": User.Role.VIEWER}
    )
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user
