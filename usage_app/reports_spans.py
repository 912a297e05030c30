"""A range of time as quarters of an hour and whole days: the least to add up, and exactly that. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Spans:
    """Quarters of an hour in [start, end) pairs, and days in [first, last) of one series."""

    quarters: tuple[tuple[datetime, datetime], ...]
    zone: str = ""
    first_day: date = date.min
    last_day: date = date.min

    @property
    def has_days(self) -> bool:
        return self.first_day < self.last_day

    @property
    def quarter_time(self) -> timedelta:
        return sum((end - start for start, end in self.quarters), timedelta())


def snap(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Outwards to quarters of an hour, UTC."""
    start, end = _floor(since), _floor(until)
    return start, (end if end == until else end + QUARTER)


def widen(
    since: datetime, until: datetime, zone: ZoneInfo, quarters_from: datetime
) -> tuple[datetime, datetime]:
    """Outwards to whole days of a zone, each end that lies before `quarters_from`: days alone are kept."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    if since < quarters_from and start_of(first, zone) < since:
        since = start_of(first, zone)
    if until < quarters_from and start_of(last, zone) < until:
        until = start_of(last + ONE_DAY, zone)
    return since, until


def split(since: datetime, until: datetime, series: Mapping[str, date], zone: str = "") -> Spans:
    """The spans of a snapped range that leave the least to quarters; with `zone`, days of that one.

    `series` is each series' first whole day.
    """
    choices = [zone] if zone else sorted(series)
    candidates = [_split(since, until, ZoneInfo(name), series[name]) for name in choices if name in series]
    if not candidates:
        return Spans(((since, until),) if since < until else ())
    return min(candidates, key=lambda spans: spans.quarter_time)


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The instant a local day begins, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _split(since: datetime, until: datetime, zone: ZoneInfo, since_day: date) -> Spans:
    if since >= until:
        return Spans(())
    first = since.astimezone(zone).date()
    if start_of(first, zone) < since:
        first += ONE_DAY
    first = max(first, since_day)
    last = until.astimezone(zone).date()  # this day is cut, or begins just at `until`
    if first >= last:
        return Spans(((since, until),))
    low, high = start_of(first, zone), start_of(last, zone)
    edges = tuple((start, end) for start, end in ((since, low), (high, until)) if start < end)
    return Spans(edges, zone.key, first, last)


def _floor(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
