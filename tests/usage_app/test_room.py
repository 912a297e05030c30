"""What PostgreSQL may sum in memory: only it can show this."""

import pytest
from django.db import connection

from usage_app.apps import give_room

pytestmark = [pytest.mark.django_db, pytest.mark.services]


def work_mem() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW work_mem")
        (found,) = cursor.fetchone()
    return str(found)


def test_a_connection_has_room_for_sums_and_keeps_what_is_more() -> None:
    assert connection.vendor == "postgresql", "set GATEHOUSE_TEST_DATABASE_URL to a PostgreSQL address"
    for before, after in (("4MB", "32MB"), ("64MB", "64MB"), ("1GB", "1GB")):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('work_mem', %s, true)", [before])
        give_room(connection)
        assert work_mem() == after


def test_a_new_connection_has_it() -> None:
    fresh = connection.copy()
    try:
        with fresh.cursor() as cursor:
            cursor.execute("SELECT pg_size_bytes(current_setting('work_mem')) >= 32 * 1024 * 1024")
            assert cursor.fetchone() == (True,)
    finally:
        fresh.close()
