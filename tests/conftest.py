"""What every test shares."""

import os
from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

#: The same examples at each run, so that a change is judged by what it changed, however slow the machine;
#: GATEHOUSE_TEST_SEARCH=1 looks for new ones.
_STEADY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("steady", derandomize=True, **_STEADY)
settings.register_profile("search", print_blob=True, **_STEADY)
settings.load_profile("search" if "GATEHOUSE_TEST_SEARCH" in os.environ else "steady")
if "GATEHOUSE_TEST_SEARCH" not in os.environ:
    # Examples are also made of the constants in whatever modules are loaded so far, and that differs with
    # the tests a worker happened to run before: the same examples need the same constants, which are none.
    assert callable(providers._get_local_constants)
    providers._get_local_constants = lambda: providers._local_constants


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a database of its own only what opens one runs: the rest has nothing to find there."""
    if "GATEHOUSE_TEST_DATABASE_URL" not in os.environ:
        return
    kept, rest = [], []
    for item in items:
        (kept if _needs_services(item) else rest).append(item)
    config.hook.pytest_deselected(items=rest)
    items[:] = kept


def _needs_services(item: pytest.Item) -> bool:
    opens = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(opens) or any(item.get_closest_marker(name) for name in ("django_db", "services"))


@pytest.fixture(scope="session", autouse=True)
def _control_thread_lets_go(django_db_setup: None) -> Iterator[None]:
    """The one thread that runs synchronous code for async tests keeps its database connection."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
