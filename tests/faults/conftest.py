from collections.abc import Iterator

import pytest

from tests.faults.gateway import CREDENTIALS, ENCRYPTION_KEY, Gate, config, echoing
from tests.mocking import MockThread, OwnUpstream
from tests.serving import Serving


@pytest.fixture(scope="session")
def gate() -> Iterator[Gate]:
    environment = {"GATEHOUSE_LOG_LEVEL": "DEBUG", "GATEHOUSE_SECRET_KEYS": ENCRYPTION_KEY}
    with MockThread() as up, OwnUpstream(echoing) as echo:
        up.credentials.update(CREDENTIALS)
        with Serving(config(up, echo), environment) as server:
            yield Gate(server, up, server.new_key(name="faults"))
