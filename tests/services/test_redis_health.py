"""Cooldowns that all workers share, on a real Redis."""

import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest
from redis.exceptions import RedisError

from gateway_project.errors import UpstreamFailed
from proxy_app.health import Health
from proxy_app.health_sharing import HealthSharing
from tests.serving import free_port

pytestmark = pytest.mark.services

URL = os.environ.get("GATEHOUSE_TEST_REDIS_URL", "redis://127.0.0.1:6379/7")
Worker = tuple[Health, HealthSharing]


@pytest.fixture
async def worker() -> AsyncIterator[Callable[[], Worker]]:
    key, made = f"{{test-{uuid.uuid4()}}}:cooling", []

    def make() -> Worker:
        health = Health()
        made.append(HealthSharing.connect(URL, health, key))
        return health, made[-1]

    yield make
    for sharing in made:
        await sharing._client.unlink(key)
        await sharing._client.aclose()


def told(health: Health, retry_after_s: float, deployment_id: str = "d") -> None:
    error = UpstreamFailed("too many")
    error.upstream_status, error.retry_after_s = 429, retry_after_s
    health.failed(deployment_id, error, time.monotonic())


def left_s(health: Health) -> float:
    return health.cooling["d"].until_s - time.monotonic() if "d" in health.cooling else 0.0


async def test_what_one_is_told_all_keep_and_a_longer_delay_extends_it(worker: Callable[[], Worker]) -> None:
    (one, one_sharing), (two, two_sharing) = worker(), worker()
    told(one, 10)
    await one_sharing.exchange()
    await two_sharing.exchange()
    assert 9 < left_s(two) <= 10
    assert two.cooling["d"].cause == "429"
    told(two, 3)  # shorter: changes nothing, here or there
    await two_sharing.exchange()
    await one_sharing.exchange()
    assert 9 < left_s(one) <= 10
    told(two, 40)
    await two_sharing.exchange()
    await one_sharing.exchange()
    assert 38 < left_s(one) <= 40
    late, late_sharing = worker()
    await late_sharing.exchange()
    assert 38 < left_s(late) <= 40


async def test_a_short_cooldown_does_not_shorten_the_life_of_a_long_one(worker: Callable[[], Worker]) -> None:
    health, sharing = worker()
    told(health, 3600)
    await sharing.exchange()
    told(health, 1, "other")
    await sharing.exchange()
    assert await sharing._client.ttl(sharing._key) > 3600
    _late, late_sharing = worker()
    await late_sharing.exchange()
    assert left_s(_late) > 3590


async def test_a_success_ends_it_for_all(worker: Callable[[], Worker]) -> None:
    (one, one_sharing), (two, two_sharing) = worker(), worker()
    told(one, 30)
    await one_sharing.exchange()
    await two_sharing.exchange()
    one.succeeded("d", 10, 1.0)
    await one_sharing.exchange()
    await two_sharing.exchange()
    assert (one.cooling, two.cooling) == ({}, {})


async def test_what_is_over_is_not_taken_over(worker: Callable[[], Worker]) -> None:
    (one, one_sharing), (two, two_sharing) = worker(), worker()
    told(one, 0.05)
    await one_sharing.exchange()
    time.sleep(0.1)
    await two_sharing.exchange()
    assert two.cooling == {}


async def test_without_redis_each_keeps_its_own_and_tells_it_later() -> None:
    health = Health()
    nowhere = urlsplit(URL)._replace(netloc=f"127.0.0.1:{free_port()}").geturl()
    sharing = HealthSharing.connect(nowhere, health)
    told(health, 10)
    with pytest.raises((RedisError, OSError)):
        await sharing.exchange()
    assert health.changed == {"d"}
    assert left_s(health) > 9
    await sharing._client.aclose()
