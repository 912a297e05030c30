"""Names and last uses that end records carry: what a deleted thing was called, when a key was used."""

import uuid
from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from keys_app.models import KeyUse
from usage_app.dialects import Dialect
from usage_app.ledger_rows import text
from usage_app.models import KnownName
from usage_app.records import AttemptEnded, End

_REMEMBERED = 50_000


class NameKeeper:
    """Writes a name only when it is new or has changed."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._written: dict[tuple[str, str], tuple[str, str]] = {}

    def forget(self) -> None:
        """Believe nothing: what was written may have been undone."""
        self._written.clear()

    def write(self, ends: Iterable[End], dialect: Dialect) -> None:
        """Upsert what the ends name, in key order, inside the caller's transaction."""
        names: dict[tuple[str, str], tuple[str, str]] = {}
        uses: dict[str, End] = {}
        for end in ends:
            _collect(end, names)
            if end.caller.key_id:
                former = uses.get(end.caller.key_id)
                if former is None or former.finished_at_ms <= end.finished_at_ms:
                    uses[end.caller.key_id] = end
        if len(self._written) > _REMEMBERED:
            self._written.clear()
        changed = sorted((*key, *name) for key, name in names.items() if self._written.get(key) != name)
        with self._connection.cursor() as cursor:
            if changed:
                cursor.executemany(_NAME_SQL, changed)
            if rows := _use_rows(uses, dialect):
                cursor.executemany(_USE_SQL, rows)
        self._written.update({(row[0], row[1]): (row[2], row[3]) for row in changed})


def _collect(end: End, names: dict[tuple[str, str], tuple[str, str]]) -> None:
    caller = end.caller
    tried: tuple[AttemptEnded | End, ...] = (*end.attempts, end)
    for kind, ref, name, detail in (
        ("key", caller.key_id, caller.key_name, caller.key_hint),
        ("user", caller.user_id, caller.user_name, ""),
        ("service", caller.service_id, caller.service_name, ""),
        *(("deployment", at.deployment_id, at.deployment, "") for at in tried),
        *(("provider", at.provider_id, at.provider, "") for at in tried),
    ):
        if ref:
            names[kind, text(ref, 36)] = (text(name, 300), text(detail, 64))


def _use_rows(uses: dict[str, End], dialect: Dialect) -> list[tuple[str, str, str, str]]:
    rows = []
    for key_id, end in uses.items():
        try:
            key = uuid.UUID(key_id)
        except ValueError:
            continue  # the master key has no row
        rows.append(
            (
                dialect.uuid(key),
                dialect.instant(end.finished_at_ms),
                text(end.model, 200),
                text(end.caller.client, 120),
            )
        )
    return sorted(rows)


_NAMES, _USES = KnownName._meta.db_table, KeyUse._meta.db_table
_NAME_SQL = (
    f"INSERT INTO {_NAMES} (kind, ref, name, detail) VALUES (%s, %s, %s, %s) "  # noqa: S608
    "ON CONFLICT (kind, ref) DO UPDATE SET name = excluded.name, detail = excluded.detail"
)
_USE_SQL = (
    f"INSERT INTO {_USES} (key_id, last_used_at, last_model, last_client) VALUES (%s, %s, %s, %s) "  # noqa: S608
    "ON CONFLICT (key_id) DO UPDATE SET last_used_at = excluded.last_used_at, "
    "last_model = excluded.last_model, last_client = excluded.last_client "
    f"WHERE {_USES}.last_used_at < excluded.last_used_at"
)
