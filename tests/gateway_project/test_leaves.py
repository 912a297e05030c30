"""The leaves everyone stands on: money, time, ids, the environment."""

import datetime
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project import clock, conf, env, money
from gateway_project.env import BadSetting

amounts = st.integers(min_value=-(10**18), max_value=10**18)


@given(amounts)
def test_money_survives_being_written_and_read(nanodollars: int) -> None:
    assert money.parse_usd(money.usd_string(nanodollars)) == nanodollars


@given(amounts, st.integers(min_value=1, max_value=10**9))
def test_division_is_what_decimal_calls_half_even(amount: int, divisor: int) -> None:
    quotient = money.divide_half_even(amount, divisor)
    assert abs(Decimal(amount) / divisor - quotient) * 2 <= 1
    if abs(amount) * 2 % divisor == 0 and amount * 2 // divisor % 2:
        assert quotient % 2 == 0


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**12)), max_size=6))
def test_a_cost_is_rounded_once(parts: list[tuple[int, int]]) -> None:
    exact = sum(Decimal(units) * price for units, price in parts) / money.UNITS_PER_PRICE
    assert abs(exact - money.cost_nanodollars(parts)) * 2 <= 1


def test_dollars_finer_than_a_nanodollar_are_refused() -> None:
    assert money.parse_usd("0.000000001") == 1
    with pytest.raises(ValueError, match="finer"):
        money.parse_usd("0.0000000001")


def test_money_reads_as_plain_decimals() -> None:
    assert [money.usd_string(value) for value in (0, 41_200_000, -1, 2_000_000_000)] == [
        "0",
        "0.0412",
        "-0.000000001",
        "2",
    ]


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1))
def test_an_id_tells_its_millisecond(unix_ms: int, random_bits: int) -> None:
    value = clock.uuid7_at(unix_ms, random_bits)
    assert (value.version, value.variant) == (7, uuid.RFC_4122)
    assert clock.uuid7_ms(value) == unix_ms
    assert clock.uuid7_at(unix_ms) <= value < clock.uuid7_at(unix_ms + 1) or unix_ms == 2**48 - 1


def test_ids_differ() -> None:
    assert len({clock.uuid7() for _ in range(1000)}) == 1000


@given(st.integers(0, 4_102_444_800_000))
def test_a_quarter_hour_starts_at_or_before_its_instant(unix_ms: int) -> None:
    start = clock.quarter_hour(unix_ms)
    assert start.minute % 15 == start.second == start.microsecond == 0
    assert datetime.timedelta() <= clock.from_ms(unix_ms) - start < datetime.timedelta(minutes=15)


@pytest.mark.parametrize(("text", "value"), [("on", True), ("YES", True), ("0", False), ("off", False)])
def test_switches_are_read_in_every_spelling(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("GATEHOUSE_DEBUG", text)
    assert env.env_bool("GATEHOUSE_DEBUG", not value) is value


def test_a_blank_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_PORT", "  ")
    assert conf.load().port == 4000


def test_a_relative_path_counts_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEHOUSE_DATA", "elsewhere")
    assert conf.load().data == tmp_path / "elsewhere"


def test_several_workers_need_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_WORKERS", "2")
    with pytest.raises(BadSetting, match="REDIS_URL"):
        conf.load()
    monkeypatch.setenv("REDIS_URL", "redis://localhost/0")
    assert conf.load().workers == 2


def test_networks_are_checked_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7")
    assert [str(network) for network in conf.load().trusted_networks] == ["10.0.0.0/8", "192.0.2.7/32"]
    monkeypatch.setenv("GATEHOUSE_TRUSTED_PROXIES", "the proxy")
    with pytest.raises(BadSetting, match="GATEHOUSE_TRUSTED_PROXIES"):
        conf.load()


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("db", False)],
)
def test_loopback_is_told_from_the_network(host: str, local: bool) -> None:
    assert conf.listens_on_loopback(host) is local


def test_private_upstreams_are_allowed_while_only_this_machine_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert conf.load().allow_private_upstreams
    monkeypatch.setenv("GATEHOUSE_HOST", "0.0.0.0")
    assert not conf.load().allow_private_upstreams
