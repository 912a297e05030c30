"""Budget periods against a calendar read second by second."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keys_app.periods import HOUR_MS, find_period, named_period, period_bounds, period_key
from tests.keys_app.entries import budget

ZONES = [
    "UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
    "America/Santiago", "Asia/Beirut", "Africa/Cairo", "America/Havana", "Pacific/Chatham", "America/Nuuk",
    "America/Sao_Paulo", "Asia/Tehran", "Pacific/Apia",
]  # fmt: skip
KINDS = ["hour", "day", "week", "month", "every_hours", "every_days"]

instants = st.integers(
    int(datetime(2015, 1, 1, tzinfo=UTC).timestamp()) * 1000,
    int(datetime(2037, 1, 1, tzinfo=UTC).timestamp()) * 1000,
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@given(kind=st.sampled_from(KINDS), zone=st.sampled_from(ZONES), now_ms=instants, every=st.integers(1, 40))
@example("hour", "Australia/Lord_Howe", ms("2026-04-04T15:15:00+00:00"), 1)
@example("hour", "Australia/Lord_Howe", ms("2026-04-04T14:45:00+00:00"), 1)
@example("day", "Asia/Beirut", ms("2026-03-28T22:00:00+00:00"), 1)
@example("day", "America/Havana", ms("2026-11-01T05:30:00+00:00"), 1)
@example("every_days", "America/Sao_Paulo", ms("2018-11-04T03:30:00+00:00"), 3)
def test_an_instant_lies_in_its_period_and_its_neighbours_do_not(
    kind: str, zone: str, now_ms: int, every: int
) -> None:
    found = find_period(kind, every, None, zone, now_ms)
    assert found.start_ms is not None
    assert found.end_ms is not None
    assert found.start_ms <= now_ms < found.end_ms
    for inside in (found.start_ms, found.end_ms - 1):
        assert find_period(kind, every, None, zone, inside) == found
    after = find_period(kind, every, None, zone, found.end_ms)
    before = find_period(kind, every, None, zone, found.start_ms - 1)
    assert after.start_ms == found.end_ms
    assert before.end_ms == found.start_ms
    assert len({before.key, found.key, after.key}) == 3


@given(kind=st.sampled_from(KINDS), zone=st.sampled_from(ZONES), now_ms=instants, every=st.integers(1, 40))
@example("hour", "Australia/Lord_Howe", ms("2026-04-04T15:15:00+00:00"), 1)
@example("hour", "Australia/Lord_Howe", ms("2026-10-03T15:45:00+00:00"), 1)
@example("day", "Asia/Beirut", ms("2026-03-28T22:00:00+00:00"), 1)
def test_a_key_names_its_period_and_no_other_kind_of_key_does(
    kind: str, zone: str, now_ms: int, every: int
) -> None:
    found = find_period(kind, every, None, zone, now_ms)
    assert named_period(budget("key", period=kind, every=every, time_zone=zone), found.key) == found
    for other in {*KINDS, "total"} - {kind}:
        assert named_period(budget("key", period=other, every=every + 1, time_zone=zone), found.key) is None
    assert named_period(budget("key", period=kind, every=every, time_zone=zone), "yesterday") is None


def civil_key(kind: str, zone: str, now_ms: int) -> str:
    """What a wall clock and a calendar on the wall say."""
    local = datetime.fromtimestamp(now_ms // 1000, ZoneInfo(zone))
    return {
        "hour": local.strftime("%Y-%m-%dT%H%z"),
        "day": local.strftime("%Y-%m-%d"),
        "week": local.strftime("%G-W%V"),
        "month": local.strftime("%Y-%m"),
    }[kind]


@given(kind=st.sampled_from(KINDS[:4]), zone=st.sampled_from(ZONES), now_ms=instants)
def test_the_key_is_what_the_wall_says(kind: str, zone: str, now_ms: int) -> None:
    assert find_period(kind, 1, None, zone, now_ms).key == civil_key(kind, zone, now_ms)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", ["hour", "day"])
def test_every_half_hour_of_a_year_against_the_wall(kind: str, zone: str) -> None:
    start = ms("2026-01-01T00:00:00+00:00")
    period = find_period(kind, 1, None, zone, start)
    for now_ms in range(start, start + 366 * 24 * HOUR_MS, HOUR_MS // 2):
        assert period.end_ms is not None
        if now_ms >= period.end_ms:
            period = find_period(kind, 1, None, zone, now_ms)
        assert period.key == civil_key(kind, zone, now_ms)


@given(
    now_ms=instants, anchor_ms=instants, every=st.integers(1, 100), zone=st.sampled_from(ZONES),
)  # fmt: skip
def test_days_from_an_anchor_keep_its_time_of_day(now_ms: int, anchor_ms: int, every: int, zone: str) -> None:
    anchor_ms -= anchor_ms % 1000
    found = find_period("every_days", every, anchor_ms, zone, now_ms)
    assert found.start_ms is not None
    assert found.end_ms is not None
    assert found.start_ms <= now_ms < found.end_ms
    anchor = datetime.fromtimestamp(anchor_ms // 1000, ZoneInfo(zone))
    start = datetime.fromtimestamp(found.start_ms // 1000, ZoneInfo(zone))
    assert (start.date() - anchor.date()).days % every in (0, every - 1, 1 % every)
    apart = abs(timedelta(hours=start.hour - anchor.hour, minutes=start.minute - anchor.minute))
    assert min(apart, timedelta(days=1) - apart) <= timedelta(hours=1)  # an hour that clocks skip
    assert find_period("every_days", every, anchor_ms, zone, anchor_ms).start_ms == anchor_ms


@given(now_ms=instants, anchor_ms=instants, every=st.integers(1, 100))
def test_hours_from_an_anchor_are_all_as_long(now_ms: int, anchor_ms: int, every: int) -> None:
    found = find_period("every_hours", every, anchor_ms, "UTC", now_ms)
    assert found.start_ms is not None
    assert found.end_ms == found.start_ms + every * HOUR_MS
    assert found.start_ms <= now_ms < found.end_ms
    assert (found.start_ms - anchor_ms) % (every * HOUR_MS) == 0


@pytest.mark.parametrize(
    ("at", "key"),
    [
        ("2026-11-30T14:59:59+00:00", "2026-11"),  # the 30th, 23:59:59 in Tokyo
        ("2026-11-30T15:00:00+00:00", "2026-12"),
    ],
)
def test_a_month_in_tokyo_turns_at_tokyos_midnight(at: str, key: str) -> None:
    assert period_key(budget("key", "k1", time_zone="Asia/Tokyo"), ms(at)) == key


def test_a_day_on_which_clocks_change_has_23_or_25_hours() -> None:
    daily = budget("key", "k1", period="day", time_zone="America/New_York")
    lengths = []
    for at in ("2026-03-08T12:00:00-04:00", "2026-11-01T12:00:00-05:00", "2026-07-01T12:00:00-04:00"):
        start, end = period_bounds(daily, ms(at))
        assert start is not None
        assert end is not None
        lengths.append((end - start) / HOUR_MS)
    assert lengths == [23, 25, 24]


def test_in_total_never_ends() -> None:
    total = budget("key", "k1", period="total")
    assert (period_key(total, 0), period_bounds(total, 0)) == ("total", (None, None))


def test_going_back_in_time_is_not_answered_from_memory() -> None:
    daily = budget("key", "k1", period="day")
    keys = [period_key(daily, ms(f"2026-11-{day}T10:00:00+00:00")) for day in (23, 24, 23, 22)]
    assert keys == ["2026-11-23", "2026-11-24", "2026-11-23", "2026-11-22"]


def test_an_unknown_period_is_an_error() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        find_period("fortnight", 1, None, "UTC", 0)
