"""Whoever changes a policy row, the change log has it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from gateway_project.clock import uuid7
from keys_app import snapshot_rows
from keys_app.models import Budget, PolicyChange, PolicyVersion, RateLimit, Scope, User, VirtualKey
from keys_app.snapshot_changes import changes_between, current_version
from keys_app.triggers import PolicyTriggers
from proxy_app.catalogue_loading import CatalogueSection
from tests.keys_app.people import make_key, make_service, make_user
from usage_app.pricebook import PriceSection

pytestmark = pytest.mark.django_db


@contextmanager
def changes() -> Iterator[dict[str, frozenset[str]]]:
    """Filled with what the block changed, once it is over."""
    found: dict[str, frozenset[str]] = {}
    before = current_version()
    yield found
    found.update(changes_between(before, current_version()) or {} if current_version() > before else {})


def test_an_insert_is_logged_with_the_rows_key() -> None:
    with changes() as changed:
        key, _ = make_key()
    assert changed == {"keys_app_virtualkey": frozenset({str(key.pk)})}


def test_a_save_that_changes_nothing_is_not_logged() -> None:
    key, _ = make_key()
    with changes() as changed:
        key.save()
    assert changed == {}


def test_columns_that_decide_nothing_are_not_logged() -> None:
    user = make_user()
    key, _ = make_key()
    with changes() as changed:
        User.objects.filter(pk=user.pk).update(last_login=now(), first_name="Alice")
        VirtualKey.objects.filter(pk=key.pk).update(blocked_reason="because")
    assert changed == {}


def test_a_bulk_update_logs_every_row_it_changed() -> None:
    keys = [make_key(f"key {number}")[0] for number in range(3)]
    VirtualKey.objects.filter(pk=keys[0].pk).update(no_models=True)
    with changes() as changed:
        VirtualKey.objects.update(no_models=True)
    assert changed == {"keys_app_virtualkey": frozenset(str(key.pk) for key in keys[1:])}


def test_raw_sql_is_logged() -> None:
    key, _ = make_key()
    with changes() as changed, connection.cursor() as cursor:
        cursor.execute("UPDATE keys_app_virtualkey SET blocked_at = %s", [now()])
    assert changed == {"keys_app_virtualkey": frozenset({str(key.pk)})}


def test_a_deletion_is_logged_with_everything_that_goes_along() -> None:
    key, _ = make_key()
    budget = Budget.objects.create(scope=Scope.KEY, key=key, amount_nanodollars=1)
    limit = RateLimit.objects.create(scope=Scope.KEY, key=key, parallel=1)
    key_id = str(key.pk)
    with changes() as changed:
        key.delete()
    assert changed == {
        "keys_app_virtualkey": frozenset({key_id}),
        "keys_app_budget": frozenset({str(budget.pk)}),
        "keys_app_ratelimit": frozenset({str(limit.pk)}),
    }


def test_a_row_that_gets_another_key_is_logged_under_both() -> None:
    old, new = make_user("alice").pk, uuid7()
    with changes() as changed:
        User.objects.filter(pk=old).update(id=new)
    assert changed == {"keys_app_user": frozenset({str(old), str(new)})}


def test_what_is_rolled_back_leaves_no_trace() -> None:
    key, _ = make_key()
    version, logged = current_version(), PolicyChange.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        VirtualKey.objects.filter(pk=key.pk).update(no_models=True)
        raise RuntimeError
    assert (current_version(), PolicyChange.objects.count()) == (version, logged)


def test_a_missing_version_row_is_made_again() -> None:
    PolicyVersion.objects.all().delete()
    assert current_version() == 0
    make_key()
    assert current_version() >= 1


def test_an_insert_that_replaces_a_row_is_logged() -> None:
    service = make_service()
    before = current_version()
    columns = (
        "id, name, description, cost_centre, parent_id, is_active, models_allowed, keeps_bodies, bodies_days,"
        " managed_by, created_at"
    )
    sql = {
        "sqlite": "INSERT OR REPLACE INTO keys_app_service ({0}) SELECT {0} FROM keys_app_service",
        "postgresql": "INSERT INTO keys_app_service ({0}) SELECT {0} FROM keys_app_service "
        "ON CONFLICT (id) DO UPDATE SET is_active = false",
    }
    with connection.cursor() as cursor:
        cursor.execute(sql[connection.vendor].format(columns))
    assert changes_between(before, current_version()) == {"keys_app_service": frozenset({str(service.pk)})}


def test_versions_go_up_by_one_and_none_is_without_a_row() -> None:
    before = current_version()
    for number in range(5):
        make_key(f"key {number}")
    VirtualKey.objects.update(name=F("name"))
    VirtualKey.objects.update(no_models=True)
    versions = set(
        PolicyChange.objects.filter(version__gt=before).values_list("version", flat=True).distinct()
    )
    assert versions == set(range(before + 1, current_version() + 1))


def operations() -> list[PolicyTriggers]:
    loader = MigrationLoader(connection)
    return [
        operation
        for migration in loader.disk_migrations.values()
        for operation in migration.operations
        if isinstance(operation, PolicyTriggers)
    ]


def test_after_all_migrations_every_policy_table_still_has_its_triggers() -> None:
    sql = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor != "sqlite":
        sql = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        present = {name for (name,) in cursor.fetchall()}
    wanted = {name for operation in operations() for name in operation.trigger_names(connection.vendor)}
    assert wanted
    assert wanted <= present


def test_every_table_that_workers_take_a_part_of_is_watched() -> None:
    """A table without triggers reaches them ten minutes late, with the whole comparison."""
    parts = [snapshot_rows.PolicySection(), CatalogueSection(), PriceSection()]
    assert {table for part in parts for table in part.tables} <= {each.table for each in operations()}


def test_every_column_of_a_price_that_is_read_is_watched() -> None:
    with CaptureQueriesContext(connection) as queries:
        PriceSection().load()
    [watched] = [{"id", *each.columns} for each in operations() if each.table == "usage_app_price"]
    read = {
        name for query in queries for name in re.findall(r'"usage_app_price"."([a-z0-9_]+)"', query["sql"])
    }
    assert read and read <= watched


def test_every_column_that_a_trigger_watches_exists() -> None:
    with connection.cursor() as cursor:
        for operation in operations():
            described = connection.introspection.get_table_description(cursor, operation.table)
            assert set(operation.columns) <= {column.name for column in described}


@pytest.mark.django_db(transaction=True)
def test_a_flushed_database_goes_on_logging() -> None:
    make_key()
    call_command("flush", interactive=False, verbosity=0)
    before = current_version()
    key, _ = make_key()
    assert changes_between(before, current_version()) == {"keys_app_virtualkey": frozenset({str(key.pk)})}


@pytest.mark.django_db(transaction=True)
def test_the_operation_can_be_taken_back() -> None:
    operation = next(each for each in operations() if each.table == "keys_app_service")
    with connection.schema_editor() as editor:
        operation.database_backwards("keys_app", editor, None, None)
    try:
        before = current_version()
        make_service()
        assert current_version() == before
    finally:
        with connection.schema_editor() as editor:
            operation.database_forwards("keys_app", editor, None, None)
    make_service("again")
    assert current_version() == before + 1


def test_whatever_the_snapshot_reads_of_a_row_is_watched() -> None:
    """A column that a trigger forgets reaches the workers ten minutes late, with the whole comparison."""
    make_key()
    with CaptureQueriesContext(connection) as queries:
        snapshot_rows.PolicySection().load()
    watched = {
        operation.table: {"id", *operation.columns}
        for operation in import_module("keys_app.migrations.0001_initial").Migration.operations
        if isinstance(operation, PolicyTriggers)
    }
    assert len(watched) >= 5
    for table, columns in watched.items():
        read = {column for query in queries for column in re.findall(rf'"{table}"."([a-z_]+)"', query["sql"])}
        assert read - {"is_enabled"} <= columns, (table, read - columns)
        assert read
