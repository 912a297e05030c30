from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from tests.clients.connecting import Caller
from tests.clients.gateway import Gate, config
from tests.clients.speaking import SPEAKERS
from tests.mocking import MockThread
from tests.serving import Serving


@pytest.fixture(scope="session")
def gate() -> Iterator[Gate]:
    with MockThread() as up, Serving(config(up)) as server:
        yield Gate(server, up, server.new_key(name="clients"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(gate: Gate) -> AsyncIterator[dict[str, Callable[[str], Caller]]]:
    """Callers of a kind of provider, by speaker: the clients are made once, since each costs 20 ms."""
    clients = {name: speaker.connect(gate.server.url, gate.key) for name, speaker in SPEAKERS.items()}
    yield {
        name: lambda kind, name=name: Caller(gate, SPEAKERS[name], clients[name], kind) for name in SPEAKERS
    }
    for name, client in clients.items():
        await SPEAKERS[name].close(client)


@pytest.fixture
def caller(callers: dict[str, Callable[[str], Caller]], speaks: str, kind: str) -> Caller:
    return callers[speaks](kind)
