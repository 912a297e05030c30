"""Which failures cool a deployment down, and for how long."""

import pytest

from gateway_project.errors import GatehouseError, UpstreamFailed, UpstreamRefused
from proxy_app.health import FIRST_COOLDOWN_S, LONGEST_COOLDOWN_S, Health


def failed(status: int, retry_after_s: float | None = None) -> UpstreamFailed:
    error = UpstreamFailed("no")
    error.upstream_status, error.retry_after_s = status, retry_after_s
    return error


def refused(status: int) -> UpstreamRefused:
    error = UpstreamRefused("no", status=status)
    error.upstream_status, error.can_retry = status, False
    return error


def test_a_later_longer_delay_extends_and_a_shorter_one_never_cuts() -> None:
    health = Health()
    health.failed("d", failed(429, 10), now_s=100)
    assert health.cooling["d"].until_s == 110
    health.failed("d", failed(429, 3), now_s=101)
    assert health.cooling["d"].until_s == 110
    health.failed("d", failed(429, 30), now_s=105)
    assert health.cooling["d"].until_s == 135
    health.failed("d", failed(429), now_s=200)
    assert health.cooling["d"].until_s == 200 + FIRST_COOLDOWN_S


def test_repeated_failures_cool_longer_each_time_up_to_a_bound() -> None:
    health, waits = Health(), []
    for turn in range(12):
        health.cooling.clear()
        health.failed("d", failed(503), now_s=0)
        waits.append(health.cooling["d"].until_s if "d" in health.cooling else 0)
        assert ("503" in health.cooling["d"].cause) if turn >= 2 else "d" not in health.cooling
    assert waits[:4] == [0, 0, 2, 4]
    assert waits[-1] == LONGEST_COOLDOWN_S


@pytest.mark.parametrize(
    "error", [refused(400), refused(401), refused(404), refused(422), GatehouseError("no")]
)
def test_a_callers_own_error_never_cools(error: GatehouseError) -> None:
    health = Health()
    for _turn in range(50):
        health.failed("d", error, now_s=0)
    assert (health.cooling, health.changed) == ({}, set())


def test_a_success_ends_it() -> None:
    health = Health()
    health.failed("d", failed(429, 10), now_s=0)
    health.succeeded("d", 10, 1.0)
    assert (health.cooling, health.changed) == ({}, {"d"})
