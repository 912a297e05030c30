"""Brings the database to this code's schema at start, or says in a sentence why it cannot be."""

import io
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from django.apps import apps
from django.core.management import call_command
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

#: Any number: every Gatehouse that prepares a shared PostgreSQL database waits on the same one.
_LOCK = 4_727_384_000


class SetupFailed(Exception):
    """The start cannot go on; the message is a sentence that says why and what to do."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Only one host at a time prepares a shared database. SQLite's file has one host anyway."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def prepare_database() -> bool:
    """Apply what is missing; True when something was applied. Raises SetupFailed."""
    try:
        tables = set(connection.introspection.table_names())
    except DatabaseError as error:
        raise SetupFailed(f"The database cannot be reached: {_first_line(error)}.") from error
    refuse_litellm(tables)
    if "django_migrations" in tables and not missing_migrations():
        return False
    migrate()
    return True


def refuse_litellm(tables: set[str]) -> None:
    """SetupFailed for a database that belongs to LiteLLM: ours would be mixed into it."""
    theirs = sorted(name for name in tables if name.lower().startswith("litellm_"))
    if theirs and "keys_app_virtualkey" not in tables:
        raise SetupFailed(
            f"The database is LiteLLM's (it has the table {theirs[0]}) and nothing was changed in it; "
            "give Gatehouse one of its own with GATEHOUSE_DATABASE_URL."
        )


def missing_migrations() -> set[tuple[str, str]]:
    """Migrations in the code that the database does not record. Reads names only: it runs at every start."""
    recorded = set(MigrationRecorder(connection).applied_migrations())
    return {name for name in _migrations_in_code() if name not in recorded}


def _migrations_in_code() -> Iterator[tuple[str, str]]:
    for app in apps.get_app_configs():
        spec = find_spec(f"{app.name}.migrations")
        if spec is None or spec.submodule_search_locations is None:
            continue
        for module in pkgutil.iter_modules(spec.submodule_search_locations):
            if not module.ispkg and module.name[0] not in "_~":
                yield app.label, module.name


class _NamingMigrate(MigrateCommand):
    """Django's migrate, which remembers what it was applying."""

    applying = ""

    def migration_progress_callback(self, action: str, migration: object = None, fake: bool = False) -> None:
        if action == "apply_start":
            self.applying = str(migration)


def migrate() -> None:
    """Apply every migration; a failed one stops the start with its name."""
    command = _NamingMigrate()
    try:
        call_command(command, interactive=False, verbosity=0, stdout=io.StringIO())
    except Exception as error:
        name = command.applying or "before the first one"
        raise SetupFailed(f"The migration {name} failed: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
