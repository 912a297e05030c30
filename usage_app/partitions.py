"""PostgreSQL keeps requests and attempts in monthly partitions by id; SQLite in plain tables.

Ids are UUIDv7, so a month is a range of ids. A default partition takes what no month covers, and
the ledger raises an alert when it does. Retention drops whole months.
"""

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway_project.clock import uuid7_at

logger = logging.getLogger("gatehouse.ledger")

TABLES = ("usage_app_request", "usage_app_attempt")
MONTHS_AHEAD = 2


def partition_tables(apps: Any, schema_editor: Any) -> None:
    """For the first migration: turn the tables it just made, still empty, into partitioned ones.

    Their other indexes are made at the end of the migration, by name, so on the new tables.
    """
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in TABLES:
        schema_editor.execute(f"ALTER TABLE {table} RENAME TO {table}_plain")
        schema_editor.execute(
            f"CREATE TABLE {table} (LIKE {table}_plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
            "PARTITION BY RANGE (id)"
        )
        schema_editor.execute(f"DROP TABLE {table}_plain")
        schema_editor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
        schema_editor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    make_partitions(schema_editor.connection, datetime.now(UTC))


def unpartition_tables(apps: Any, schema_editor: Any) -> None:
    """Going back drops the tables whole, partitions included: nothing to undo."""


def make_partitions(database: BaseDatabaseWrapper, at: datetime) -> None:
    """The partitions of last month, this one and the coming ones, where they are missing."""
    months = [_month(at, offset) for offset in range(-1, MONTHS_AHEAD + 1)]
    with database.cursor() as cursor:
        for table in TABLES:
            existing = set(partitions(database, table))
            for start in months:
                if _name(table, start) not in existing:
                    _make(database, cursor, table, start)


def partitions(database: BaseDatabaseWrapper, table: str) -> dict[str, datetime]:
    """A table's monthly partitions and the month each begins with."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = %s::regclass",
            [table],
        )
        names = [name for (name,) in cursor.fetchall()]
    found = {}
    for name in names:
        suffix = name.removeprefix(f"{table}_")
        if suffix != "default":
            found[name] = datetime.strptime(suffix, "y%Ym%m").replace(tzinfo=UTC)
    return found


def drop_partitions(database: BaseDatabaseWrapper, before: datetime) -> list[str]:
    """Drop the partitions that end before an instant; a table that is busy is left for the next time."""
    dropped = []
    for table in TABLES:
        for name, start in partitions(database, table).items():
            if _month(start, 1) <= before:
                with transaction.atomic(using=database.alias), database.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '2s'")
                    cursor.execute(f"DROP TABLE {name}")
                dropped.append(name)
    return dropped


def delete_strays(database: BaseDatabaseWrapper, before: uuid.UUID, most: int) -> int:
    """Rows past their time that no month covers: deleted from the default partitions, so many at once."""
    deleted = 0
    with database.cursor() as cursor:
        for table in TABLES:
            default = f"{table}_default"
            cursor.execute(
                f"DELETE FROM {default} WHERE id IN "  # noqa: S608
                f"(SELECT id FROM {default} WHERE id < %s LIMIT %s)",
                [before, most],
            )
            deleted = max(deleted, cursor.rowcount)
    return deleted


def default_partition_is_used(database: BaseDatabaseWrapper) -> bool:
    """Whether rows lie where no month covers them."""
    with database.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table}_default)")  # noqa: S608
            if cursor.fetchone()[0]:
                return True
    return False


def are_partitioned() -> bool:
    """Whether this database keeps partitions at all."""
    return connection.vendor == "postgresql"


def _make(database: BaseDatabaseWrapper, cursor: Any, table: str, start: datetime) -> None:
    """One month; rows of that month that fell into the default partition move over."""
    name = _name(table, start)
    low, high = _bound(start), _bound(_month(start, 1))
    default = f"{table}_default"
    with transaction.atomic(using=database.alias):
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {default} WHERE id >= %s AND id < %s)", [low, high])  # noqa: S608
        stray = cursor.fetchone()[0]
        if stray:
            cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {default}")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{low}') TO ('{high}')"
        )
        if stray:
            cursor.execute(
                f"WITH moved AS (DELETE FROM {default} WHERE id >= %s AND id < %s RETURNING *) "  # noqa: S608
                f"INSERT INTO {table} SELECT * FROM moved",
                [low, high],
            )
            cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {default} DEFAULT")
    logger.info("Partition %s is ready.", name)


def _month(at: datetime, offset: int) -> datetime:
    months = at.year * 12 + at.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _bound(start: datetime) -> str:
    return str(uuid7_at(int(start.timestamp() * 1000)))


def _name(table: str, start: datetime) -> str:
    return f"{table}_y{start.year:04d}m{start.month:02d}"
