"""PostgreSQL: months are partitions, strays are alarmed and brought home, retention drops months."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from django.db import connection

from gateway_project.clock import now, uuid7_at
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import an_end
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.ledger_upkeep import Upkeep
from usage_app.models import Alert, Attempt, LedgerSettings, Request, Rollup
from usage_app.partitions import default_partition_is_used, make_partitions, partitions

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _only_postgresql() -> Iterator[None]:
    assert connection.vendor == "postgresql", "set GATEHOUSE_TEST_DATABASE_URL to a PostgreSQL address"
    yield
    with connection.cursor() as cursor:
        for table in ("usage_app_request", "usage_app_attempt"):
            cursor.execute(f"TRUNCATE {table}")


def an_old_end(at: datetime) -> object:
    at_ms = int(at.timestamp() * 1000)
    return an_end(str(uuid7_at(at_ms, 77)), at_ms=at_ms)


def upkeep() -> Upkeep:
    found = Upkeep()
    found.prices = Mock()
    return found


def test_rows_lie_in_the_partition_of_their_month(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(an_old_end(now()))
    read_all(ledger)
    with connection.cursor() as cursor:
        for table in ("usage_app_request", "usage_app_attempt"):
            cursor.execute(f"SELECT tableoid::regclass::text FROM {table}")
            assert cursor.fetchone()[0] == f"{table}_y{now():%Y}m{now():%m}"
    assert not default_partition_is_used(connection)


def test_every_index_of_the_models_is_on_the_partitioned_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'usage_app_request'")
        names = {name for (name,) in cursor.fetchall()}
    assert {index.name for index in Request._meta.indexes} <= names


def test_coming_months_are_made_ahead() -> None:
    far = datetime(now().year + 1, 12, 15, tzinfo=UTC)
    make_partitions(connection, far)
    assert f"usage_app_request_y{far.year + 1}m02" in partitions(connection, "usage_app_request")


def test_a_row_outside_every_month_alarms_and_is_brought_home(writer: JournalWriter, ledger: Ledger) -> None:
    LedgerSettings.objects.create(pk=1, keep_requests_days=3650)
    stray = datetime(now().year - 3, 5, 5, tzinfo=UTC)
    writer.append(an_old_end(stray))
    read_all(ledger)
    assert default_partition_is_used(connection)
    upkeep().run()
    assert Alert.objects.get(kind="default_partition").resolved_at is None
    make_partitions(connection, stray)
    assert not default_partition_is_used(connection)
    assert Request.objects.count() == Attempt.objects.count() == 1
    upkeep().run()
    assert Alert.objects.get(kind="default_partition").resolved_at is not None


def test_retention_drops_whole_months_and_leaves_the_sums(writer: JournalWriter, ledger: Ledger) -> None:
    old = now() - timedelta(days=100)
    make_partitions(connection, old)
    writer.append(an_old_end(old))
    writer.append(an_old_end(now()))
    read_all(ledger)
    upkeep().run()
    assert Request.objects.count() == Attempt.objects.count() == 1
    assert min(partitions(connection, "usage_app_request").values()) > now() - timedelta(days=70)
    assert Rollup.objects.count() == 1 + (now() - old < timedelta(days=90))
