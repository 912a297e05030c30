"""Signed thoughts that all workers share, on a real Redis."""

import os
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from proxy_app.signatures import Place
from proxy_app.signatures_redis import RedisSignatures
from proxy_app.wire import Signed, Thinking
from tests.serving import free_port

pytestmark = pytest.mark.services

URL = os.environ.get("GATEHOUSE_TEST_REDIS_URL", "redis://127.0.0.1:6379/7")
HERE = Place("service:1", "provider-1", "claude-test")
SIGNED = Signed("sig", (Thinking("Hmm.", "signature-1", provider="anthropic"),))


@pytest.fixture
async def prefix() -> str:
    return f"{{test-{uuid.uuid4()}}}:signed"


@pytest.fixture
async def worker(prefix: str) -> AsyncIterator[RedisSignatures]:
    store = RedisSignatures.connect(URL, prefix)
    yield store
    async for key in store._client.scan_iter(f"{prefix}:*"):
        await store._client.unlink(key)
    await store.close()


async def test_what_one_worker_keeps_another_recalls(worker: RedisSignatures, prefix: str) -> None:
    await worker.keep(HERE, {"call_1": SIGNED, "call_2": Signed("other")})
    other = RedisSignatures.connect(URL, prefix)
    assert await other.recall(HERE, ["call_2", "call_9", "call_1"]) == {
        "call_1": SIGNED,
        "call_2": Signed("other"),
    }
    assert await other.recall(Place("service:2", "provider-1", "claude-test"), ["call_1"]) == {}
    await other.close()


async def test_redis_holds_nothing_in_clear_and_nothing_longer_than_a_day(
    worker: RedisSignatures, prefix: str
) -> None:
    await worker.keep(HERE, {"call_1": SIGNED})
    [key] = [key async for key in worker._client.scan_iter(f"{prefix}:*")]
    held = key + await worker._client.get(key)
    assert not any(word in held for word in ("Hmm", "signature-1", "call_1", "service:1"))
    assert 0 < await worker._client.ttl(key) <= 24 * 3600


async def test_a_redis_that_is_away_is_a_miss_and_is_left_alone() -> None:
    parts = urlsplit(URL)
    store = RedisSignatures.connect(parts._replace(netloc=f"127.0.0.1:{free_port()}").geturl())
    await store.keep(HERE, {"call_1": SIGNED})
    assert await store.recall(HERE, ["call_1"]) == {}
    assert store._away_until_s > 0
    await store.close()
