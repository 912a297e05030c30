"""What every test shares."""

from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections


@pytest.fixture(scope="session", autouse=True)
def _control_thread_lets_go(django_db_setup: None) -> Iterator[None]:
    """The one thread that runs synchronous code for async tests keeps its database connection."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
