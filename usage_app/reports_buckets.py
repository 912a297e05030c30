"""Buckets of time in a zone: quarters, hours, and the days, weeks and months of its calendar. Pure."""

from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from usage_app.reports_spans import ONE_DAY, QUARTER

Interval = Literal["quarter", "hour", "day", "week", "month"]
#: Buckets that are whole days of a zone.
CIVIL_INTERVALS = ("day", "week", "month")
ONE_HOUR = timedelta(hours=1)


def buckets(since: datetime, until: datetime, interval: Interval, zone: ZoneInfo) -> list[datetime]:
    """Starts of the buckets that touch [since, until), in `zone`; empty ones too."""
    starts = []
    at = bucket_of(since, interval, zone)
    while at < until:
        starts.append(at)
        at = end_of(at, interval, zone)
    return starts


def bucket_of(at: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    """The local start of the bucket that an instant belongs to."""
    local = at.astimezone(zone)
    if interval in CIVIL_INTERVALS:
        day = local.date()
        if interval == "week":
            day -= timedelta(days=day.weekday())
        return datetime.combine(day.replace(day=1) if interval == "month" else day, time(), zone)
    if interval == "hour":
        return _hour_of(at, zone).astimezone(zone)
    return local


def end_of(start: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    """Where the bucket that begins at `start` ends. Weeks begin on Mondays."""
    if interval in CIVIL_INTERVALS:
        days = {"day": ONE_DAY, "week": 7 * ONE_DAY, "month": 31 * ONE_DAY}[interval]
        day = start.date() + days
        return datetime.combine(day.replace(day=1) if interval == "month" else day, time(), zone)
    at = start.astimezone(UTC)
    if interval == "quarter":
        return (at + QUARTER).astimezone(zone)
    later = _hour_of(at + ONE_HOUR, zone)
    return (later if later > at else _hour_of(at + 2 * ONE_HOUR, zone)).astimezone(zone)


def _hour_of(at: datetime, zone: ZoneInfo) -> datetime:
    """Where the local hour of an instant begins, UTC: one that occurs twice is two.

    An hour in which a clock changes by half of one is cut at the whole hours around it: of 90 minutes.
    """
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    for _ in range(2):  # what the first step leads to may be told by the clock before its change
        start -= timedelta(minutes=start.astimezone(zone).minute)
    return start
