"""How the ledger writes to SQLite and PostgreSQL: values as text, bulk inserts, additive upserts."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One database's spelling. `uuid` and `instant` give what its driver takes for such a column."""

    vendor: str
    uuid: Callable[[uuid.UUID], str]
    instant: Callable[[int], str]  # milliseconds since the epoch
    target_s: float  # how long a batch may hold the write lock
    most_records: int  # of one batch

    def day(self, value: date) -> str:
        return value.isoformat()


def _sqlite_instant(at_ms: int) -> str:
    # Exactly as Django spells it: SQLite compares text.
    return str(datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None))


def _postgres_instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


SQLITE = Dialect("sqlite", lambda value: value.hex, _sqlite_instant, target_s=0.025, most_records=1_000)
POSTGRESQL = Dialect("postgresql", str, _postgres_instant, target_s=0.25, most_records=4_000)
#: The lesser and the greater of two values.
SCALAR_BOUNDS = {
    "sqlite": {"MIN": "MIN", "MAX": "MAX"},
    "postgresql": {"MIN": "LEAST", "MAX": "GREATEST"},
}


def dialect_of(connection: BaseDatabaseWrapper) -> Dialect:
    """The spelling of this connection's database."""
    return POSTGRESQL if connection.vendor == "postgresql" else SQLITE


def insert_rows(
    connection: BaseDatabaseWrapper, table: str, columns: Sequence[str], rows: Iterable[Row]
) -> None:
    """Plain inserts in bulk: COPY on PostgreSQL."""
    rows = list(rows)
    if not rows:
        return
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608


def upsert_rows(
    connection: BaseDatabaseWrapper,
    table: str,
    keys: Sequence[str],
    sums: Sequence[str],
    rows: Iterable[Row],
    bounds: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Add each row's figures (after its keys) to what is there, in key order; `bounds`, the last columns,
    are not added: the MIN or MAX of both stays.

    The order is the same in every process, so that two of them never wait for each other.
    """
    rows = sorted(rows, key=lambda row: row[: len(keys)])
    if not rows:
        return
    columns = (*keys, *sums, *bounds)
    names = ", ".join(f'"{column}"' for column in columns)
    conflict = ", ".join(f'"{column}"' for column in keys)
    added = ", ".join(f'"{column}" = {table}."{column}" + excluded."{column}"' for column in sums)
    of_both = SCALAR_BOUNDS[connection.vendor]
    for column, how in bounds.items():
        added += f', "{column}" = {of_both[how]}({table}."{column}", excluded."{column}")'
    ending = f"ON CONFLICT ({conflict}) DO UPDATE SET {added}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A table of the session's own takes the rows at COPY's speed, one statement merges them.
            incoming = f"incoming_{table}"
            cursor.execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} ON COMMIT DELETE ROWS "  # noqa: S608
                f"AS SELECT {names} FROM {table} WITH NO DATA"
            )
            # Emptied at commit; before that for whoever adds to one table twice in a transaction.
            cursor.execute(f"DELETE FROM {incoming}")  # noqa: S608
            insert_rows(connection, incoming, columns, rows)
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {incoming} {ending}")  # noqa: S608
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}) {ending}", rows)  # noqa: S608
