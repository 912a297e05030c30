from collections.abc import Iterator

import pytest

from tests.clients.gateway import Gate, config
from tests.mocking import MockThread
from tests.serving import Serving


@pytest.fixture(scope="session")
def gate() -> Iterator[Gate]:
    with MockThread() as up, Serving(config(up)) as server:
        yield Gate(server, up, server.new_key(name="clients"))
