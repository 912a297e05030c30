"""Budget periods from the clock: a period's key and its bounds, in the budget's own time zone. Pure.

No job resets anything: when the clock crosses a bound, calls simply count under another key. Days
follow the civil calendar, so they have 23 or 25 hours where clocks change.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from keys_app.entries import BudgetEntry

HOUR_MS = 3_600_000
UTC_ZONE = ZoneInfo("UTC")
_MEMO_SIZE = 4096


class Period(NamedTuple):
    """`key` names it; it lasts from `start_ms` until before `end_ms` (None: for good)."""

    key: str
    start_ms: int | None
    end_ms: int | None


_TOTAL = Period("total", None, None)
#: the period each kind of budget was last seen in: nearly every call falls into it again
_memo: dict[tuple[str, int, int | None, str], Period] = {}


def period_of(budget: BudgetEntry, now_ms: int) -> Period:
    """The period an instant lies in."""
    kind = (budget.period, budget.every, budget.anchor_ms, budget.time_zone)
    known = _memo.get(kind)
    if known is not None and (
        known.start_ms is None or known.end_ms is None or known.start_ms <= now_ms < known.end_ms
    ):
        return known
    found = find_period(*kind, now_ms)
    if len(_memo) >= _MEMO_SIZE:
        _memo.clear()
    _memo[kind] = found
    return found


def period_key(budget: BudgetEntry, now_ms: int) -> str:
    """For example 2026-11, 2026-11-23, 2026-W48, 2026-11-23T14+0900 or total."""
    return period_of(budget, now_ms).key


def period_bounds(budget: BudgetEntry, now_ms: int) -> tuple[int | None, int | None]:
    """First millisecond of the period and first one after it; None where there is no bound."""
    found = period_of(budget, now_ms)
    return found.start_ms, found.end_ms


def find_period(period: str, every: int, anchor_ms: int | None, time_zone: str, now_ms: int) -> Period:
    """As `period_of`, from the parts of a budget, computed afresh."""
    if period == "total":
        return _TOTAL
    zone = ZoneInfo(time_zone)
    if period == "hour":
        return _hour(zone, now_ms)
    if period == "every_hours":
        return _every_hours(max(1, every), anchor_ms or 0, now_ms)
    if period == "every_days":
        return _every_days(max(1, every), anchor_ms, zone, now_ms)
    today = _local(now_ms, zone).date()
    if period == "day":
        key, first, after = today.isoformat(), today, today + timedelta(days=1)
    elif period == "week":
        year, week, weekday = today.isocalendar()
        first = today - timedelta(days=weekday - 1)
        key, after = f"{year}-W{week:02d}", first + timedelta(days=7)
    elif period == "month":
        first = today.replace(day=1)
        key, after = f"{first:%Y-%m}", (first + timedelta(days=32)).replace(day=1)
    else:
        raise ValueError(f"{period!r} is not a period")
    return Period(key, _day_start(first, zone), _day_start(after, zone))


def named_period(budget: BudgetEntry, key: str) -> Period | None:
    """The period of a key, by the budget as it is now; None where it had other periods then."""
    kind = (budget.period, budget.every, budget.anchor_ms, budget.time_zone)
    for at_ms in _instants_of(budget.period, key, ZoneInfo(budget.time_zone)):
        found = find_period(*kind, at_ms)
        if found.key == key:
            return found
    return None


#: How keys are written that tell no offset from UTC.
_WRITTEN = {
    "day": "%Y-%m-%d",
    "week": "%G-W%V-%u",
    "month": "%Y-%m",
    "every_hours": "%Y-%m-%dT%H:%MZ",
    "every_days": "%Y-%m-%dT%H:%M",
}


def _instants_of(period: str, key: str, zone: ZoneInfo) -> list[int]:
    """Instants that the period of a key may hold; none for a key of another kind."""
    if period == "total":
        return [0] if key == _TOTAL.key else []
    text = f"{key}-1" if period == "week" else key
    if period.startswith("every_"):
        text, zone = key.rpartition("+")[0], UTC_ZONE if period == "every_hours" else zone
    try:
        if period == "hour":
            start = _instant(datetime.strptime(text, "%Y-%m-%dT%H%z"))
        else:
            start = _instant(datetime.strptime(text, _WRITTEN[period]).replace(tzinfo=zone))
    except ValueError:
        return []
    # Where a clock changes, what is written may lie an hour before, and an hour may begin in its middle.
    return [start, start + HOUR_MS - 1, start + HOUR_MS]


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    # Whole seconds: a float of milliseconds could round up over a bound.
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)


def _instant(local: datetime) -> int:
    return int(local.timestamp()) * 1000


def _day_start(day: date, zone: ZoneInfo) -> int:
    """The day's first instant; where clocks skip midnight, the moment they jump."""
    naive = datetime.combine(day, time())
    start = _instant(naive.replace(tzinfo=zone))
    before = _local(start - 1, zone).date()
    if before < day:
        return start
    # The jump began before midnight, so the day began at the jump.
    return _jump(zone, start - 4 * HOUR_MS, start)


def _jump(zone: ZoneInfo, low_ms: int, high_ms: int) -> int:
    """The instant in (low, high] at which the offset becomes what it is at high."""
    offset = _local(high_ms, zone).utcoffset()
    low, high = low_ms // 1000, high_ms // 1000
    while high - low > 1:
        middle = (low + high) // 2
        if _local(middle * 1000, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high * 1000


def _hour(zone: ZoneInfo, now_ms: int) -> Period:
    """A clock hour at one offset; the hour that clocks go back over counts as two."""
    local = _local(now_ms, zone)
    offset = local.utcoffset()
    into_ms = (local.minute * 60 + local.second) * 1000 + now_ms % 1000
    start, end = now_ms - into_ms, now_ms - into_ms + HOUR_MS
    if _local(start, zone).utcoffset() != offset:
        start = _jump(zone, start, now_ms)
    if _local(end - 1, zone).utcoffset() != offset:
        end = _jump(zone, now_ms, end - 1)
    return Period(f"{local:%Y-%m-%dT%H%z}", start, end)


def _every_hours(every: int, anchor_ms: int, now_ms: int) -> Period:
    length = every * HOUR_MS
    start = anchor_ms + (now_ms - anchor_ms) // length * length
    return Period(f"{_local(start, ZoneInfo('UTC')):%Y-%m-%dT%H:%M}Z+{every}h", start, start + length)


def _every_days(every: int, anchor_ms: int | None, zone: ZoneInfo, now_ms: int) -> Period:
    """Days from the anchor's date, at its time of day on the wall clock."""
    anchor = _local(anchor_ms, zone) if anchor_ms is not None else datetime(1970, 1, 1, tzinfo=zone)
    wall = anchor.time()

    def start_of(index: int) -> int:
        day = anchor.date() + timedelta(days=index * every)
        if wall == time():
            return _day_start(day, zone)
        return _instant(datetime.combine(day, wall, tzinfo=zone))

    index = (_local(now_ms, zone).date() - anchor.date()).days // every
    if now_ms < start_of(index):
        index -= 1
    elif now_ms >= start_of(index + 1):
        index += 1
    first = anchor.date() + timedelta(days=index * every)
    key = f"{first.isoformat()}T{wall:%H:%M}+{every}d"
    return Period(key, start_of(index), start_of(index + 1))
