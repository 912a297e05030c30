"""Reads (and prunes) the change log that the database triggers write."""

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from keys_app.models import PolicyChange, PolicyVersion

#: changes past this many are not worth following one by one
FOLLOWED = 20_000
KEPT_VERSIONS = 100_000
_PRUNED_AT_ONCE = 5_000


def current_version() -> int:
    """The newest committed version; 0 when the row is missing (a flushed database)."""
    return PolicyVersion.objects.filter(pk=1).values_list("version", flat=True).first() or 0


def changes_between(after: int, until: int) -> Mapping[str, frozenset[str]] | None:
    """Row keys by table, versions (after, until]; None when they are too many or were pruned.

    A row's UUID is written with dashes whatever the database.
    """
    found = PolicyChange.objects.filter(version__gt=after, version__lte=until)
    changed: defaultdict[str, set[str]] = defaultdict(set)
    oldest = until
    rows = list(found.values_list("version", "table_name", "row_key")[: FOLLOWED + 1])
    for version, table, key in rows:
        oldest = min(oldest, version)
        changed[table].add(_dashed(key))
    if oldest != after + 1 or len(rows) > FOLLOWED:
        return None
    return {table: frozenset(keys) for table, keys in changed.items()}


def prune_changes(version: int) -> None:
    """Drop what is far behind; a worker that missed it loads everything again."""
    old = PolicyChange.objects.filter(version__lte=version - KEPT_VERSIONS).order_by("version")
    if ids := list(old.values_list("pk", flat=True)[:_PRUNED_AT_ONCE]):
        PolicyChange.objects.filter(
            pk__gte=ids[0], pk__lte=ids[-1], version__lte=version - KEPT_VERSIONS
        ).delete()


def _dashed(key: str) -> str:
    """SQLite stores a UUID as 32 hex digits, PostgreSQL writes it with dashes."""
    if len(key) != 32:
        return key
    try:
        return str(UUID(hex=key))
    except ValueError:
        return key
