"""A budget's burn-down: every place of the drawing stands for its amount and its time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from usage_app.burn_down import BOX, BurnDown, amounts_to, burn_down, charged, interval_of, steps_of
from usage_app.reports_buckets import buckets

DOLLAR = 10**9
START = datetime(2026, 11, 1, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")


def drawn(
    costs: list[int], limit: int = 30 * DOLLAR, days: int = 30, forecast: int | None = None, crosses: int = 0
) -> BurnDown:
    """A drawing of days of costs, of a period of so many days; `crosses` after so many hours."""
    now = START + timedelta(days=len(costs))
    steps = steps_of([START + timedelta(days=each) for each in range(len(costs))], costs, START, now)
    crosses_at = START + timedelta(hours=crosses) if crosses else None
    span = START, START + timedelta(days=days)
    return burn_down(steps, span, limit, forecast, crosses_at, "day", ZoneInfo("UTC"))


def place(percent: str) -> float:
    return float(percent.removesuffix("%"))


def points(line: str) -> list[tuple[float, float]]:
    """Points of a line, in percent."""
    pairs = (point.split(",") for point in line.split())
    return [(100 * float(x) / BOX, 100 * float(y) / BOX) for x, y in pairs]


def amount_at(drawing: BurnDown, y: float) -> float:
    """What an axis of money says at a height."""
    low, high = drawing.money[0], drawing.money[-1]
    top = float(high.label.removeprefix("$").replace(",", ""))
    return top * (place(low.place) - y) / (place(low.place) - place(high.place))


@given(
    st.lists(st.integers(0, 10**11), min_size=1, max_size=30).filter(any),
    st.integers(10**7, 10**12),
    st.integers(0, 10**13),
)
def test_the_scale_tells_each_points_amount(costs: list[int], limit: int, forecast: int) -> None:
    drawing = drawn(costs, limit, forecast=forecast)
    line = points(drawing.line)
    near = max(limit, sum(costs)) / DOLLAR / 100 + 0.01  # half a pixel, and the cents of a label
    assert abs(amount_at(drawing, line[-1][1]) - sum(costs) / DOLLAR) <= near
    assert abs(amount_at(drawing, place(drawing.limit_y)) - limit / DOLLAR) <= near
    assert all(-0.01 <= x <= 100.01 and -0.01 <= y <= 100.01 for x, y in line)
    assert place(drawing.limit_y) > 0  # there is room for its name
    assert (
        [step.spent for step in drawing.steps][-1] == sum(step.cost for step in drawing.steps) == sum(costs)
    )


def test_the_line_ends_now_and_the_forecast_leads_to_the_end_of_the_period() -> None:
    drawing = drawn([DOLLAR] * 15, forecast=30 * DOLLAR, limit=20 * DOLLAR, crosses=20 * 24)
    assert points(drawing.line)[0] == (0, 100)
    assert points(drawing.line)[-1][0] == place(drawing.now_x) == 50
    (low, high) = points(drawing.forecast)
    assert low == points(drawing.line)[-1]
    assert high[0] == 100
    assert abs(amount_at(drawing, high[1]) - 30) < 0.1
    assert drawing.crossing is not None
    x, y = map(place, drawing.crossing)
    slope = (high[1] - low[1]) / (high[0] - low[0])
    assert abs(low[1] + slope * (x - low[0]) - y) < 0.1  # on the forecast's line
    assert y == place(drawing.limit_y)
    assert drawing.crosses_late


def test_what_ends_in_no_time_or_never_has_no_crossing() -> None:
    assert drawn([DOLLAR], forecast=2 * DOLLAR).crossing is None
    assert drawn([DOLLAR]).forecast == ""


def test_a_forecast_far_over_the_limit_leaves_what_was_spent_in_sight() -> None:
    drawing = drawn([5 * DOLLAR] * 3, limit=20 * DOLLAR, forecast=10**15)
    assert points(drawing.line)[-1][1] < 70


def test_days_stand_where_they_begin_in_the_reporting_zone() -> None:
    until = START + timedelta(days=28)
    steps = steps_of(buckets(START, until, "day", SEOUL), [DOLLAR] * 29, START, until)
    with override("en"):
        drawing = burn_down(steps, (START, until), 40 * DOLLAR, None, None, "day", SEOUL)
    # 1 November is 09:00 in Seoul: the first whole day there is the second.
    assert drawing.times[0].label == "2 Nov"
    assert abs(place(drawing.times[0].place) - 100 * 15 / 24 / 28) < 0.01
    assert place(drawing.times[-1].place) < 90


@given(st.floats(1_000, 10**16))
def test_amounts_of_a_scale_are_round_and_reach_the_highest(highest: float) -> None:
    amounts = amounts_to(highest)
    assert amounts[0] == 0
    assert amounts[-2] < highest <= amounts[-1]
    assert 3 <= len(amounts) <= 8
    assert str(amounts[1]).strip("0") in ("1", "2", "5")


def test_a_longer_period_has_longer_steps() -> None:
    wanted = ["hour", "day", "week", "month"]
    assert [interval_of(timedelta(days=days)) for days in (1, 30, 200, 2_000)] == wanted


def test_what_was_summed_of_the_day_before_is_drawn_at_the_start() -> None:
    starts = [START - timedelta(hours=29), START - timedelta(hours=5), START + timedelta(hours=19)]
    steps = steps_of(starts, [1, 2, 4], START, START + timedelta(days=2))
    assert [(step.start, step.spent) for step in steps] == [(START, 1), (START, 3), (starts[2], 7)]
    assert steps[0].end == START


def test_what_was_spent_before_a_budget_began_is_taken_off_the_start_alone() -> None:
    starts = [START + timedelta(hours=each) for each in range(3)]
    made = START + timedelta(minutes=11)
    assert charged(starts, [50, 4, 3], made, spent=9) == [2, 4, 3]
    assert charged(starts, [50, 4, 3], made, spent=5) == [0, 4, 3]  # what is later is its own
    assert charged(starts, [50, 4, 3], START, spent=9) == [50, 4, 3]  # nothing of before is among it
    assert charged(starts, [2, 4, 3], made, spent=12) == [2, 4, 3]
