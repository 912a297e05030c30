"""The official Node SDKs through Gatehouse, before every kind of provider; the scripts assert."""

import pytest

from tests.clients.gateway import KINDS, Gate
from tests.clients.node_programs import node, run

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_the_node_sdk_hears_every_provider(gate: Gate, api: str, kind: str) -> None:
    done = run(
        node(),
        "--test",
        "--test-reporter=tap",
        f"{api}.test.mjs",
        GATEHOUSE_URL=gate.server.url,
        GATEHOUSE_KEY=gate.key,
        PROVIDER_KIND=kind,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "\n# fail 0" in done.stdout
