"""Who changed what, when and from where: one entry a change, by admin, API, pages and commands alike.

Values of secrets are never kept: their names and the word "changed" are.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from keys_app.models import AuditEntry

HIDDEN = "•••"
_SECRETS = re.compile(r"secret|hash|credential|password|token$|encrypted")
#: a Slack address is a secret by itself
_SECRET_COLUMNS = frozenset({"alerttarget.address"})
_SILENT = frozenset({"last_login"})
LONGEST_VALUE = 500

#: where the request that is being answered came from; '' outside of one
_address: ContextVar[str] = ContextVar("audit_address", default="")


class NoteAddress:
    """Middleware: keeps the caller's address for what is recorded while its request is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting_from(str(request.META.get("REMOTE_ADDR", ""))):
            return self._get_response(request)


@contextmanager
def acting_from(address: str) -> Iterator[None]:
    """What is recorded meanwhile is by somebody at this address."""
    token = _address.set(address[:64])
    try:
        yield
    finally:
        _address.reset(token)


def caller_address() -> str:
    """Where the present request came from."""
    return _address.get()


def record_event(actor: Any, verb: str, kind: str, object_id: str, changes: Mapping[str, Any]) -> None:
    """One entry about what has no row of its own."""
    AuditEntry.objects.create(
        **_who(actor), verb=verb[:40], kind=kind, object_id=object_id[:64], changes=dict(changes)
    )


def _who(actor: Any) -> dict[str, str]:
    return {
        "actor_id": str(getattr(actor, "pk", None) or ""),
        "actor": str(getattr(actor, "username", None) or actor or "system")[:150],
        "address": caller_address(),
    }


def record_change(
    actor: Any,
    row: Model,
    verb: str,
    fields: Iterable[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> None:
    """One entry: `verb` is a past participle; `changes` are {field: [before, after]}, or `fields` alone."""
    kept = {name: [] for name in fields} | dict(changes or {})
    with translation.override("en"):  # one log for readers of every language
        named = str(row)[:200]
    AuditEntry.objects.create(
        **_who(actor),
        verb=verb[:40],
        kind=f"{row._meta.app_label}.{row._meta.model_name}",
        object_id=str(row.pk)[:64],
        object_name=named,
        changes=kept,
    )


def values_of(row: Model) -> dict[str, Any]:
    """The row's columns as an entry may keep them; secrets by a digest of nothing: hidden."""
    found: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        name = field.name
        if name in _SILENT:
            continue
        hidden = _SECRETS.search(name) or f"{row._meta.model_name}.{name}" in _SECRET_COLUMNS
        found[name] = (_Hidden(value) if value else None) if hidden else _plain(value)
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{field: [before, after]} of what differs; a secret shows only that it was changed."""
    return {
        name: [_shown(before.get(name)), _shown(after.get(name))]
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }


class _Hidden:
    """A secret's value: can be compared, cannot be shown."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def _shown(value: Any) -> Any:
    return HIDDEN if isinstance(value, _Hidden) else value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | dict):
        return value if len(str(value)) <= LONGEST_VALUE else f"{len(value)} items"
    return str(value)[:LONGEST_VALUE]
