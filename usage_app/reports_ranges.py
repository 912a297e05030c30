"""What of the roll-ups a range of time is read from, and from when on they know quarters of an hour."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway_project.clock import now
from usage_app.ledger_series import UTC_ZONE, ledger_settings, one_picture, reporting_zone, series_since
from usage_app.reports_buckets import CIVIL_INTERVALS, Interval
from usage_app.reports_spans import Spans, snap, split, widen

#: The longest that a day is: a clock is set back by two hours at most.
LONGEST_DAY = timedelta(hours=26)


def quarters_kept_from() -> datetime:
    """From here on there are quarters of an hour, back to its day's start; before, whole days alone."""
    return now() - timedelta(days=ledger_settings().keep_quarters_days) + LONGEST_DAY


@one_picture()
def counted(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The range that sums of [since, until) are of: never less, and more where whole days alone are kept."""
    return widen(since, until, _zone_of_old_days(since), quarters_kept_from())


def spans_of(since: datetime, until: datetime, zone: str = "") -> Spans:
    """What is read of a range; with `zone`, days of that one."""
    if since < quarters_kept_from():
        zone = _zone_of_old_days(since).key
    return split(*snap(*counted(since, until)), series_since(), zone)


def spans_over_time(since: datetime, until: datetime, interval: Interval, zone: ZoneInfo) -> Spans:
    """What is read of a snapped range that is cut by an interval."""
    return spans_of(since, until, zone.key) if interval in CIVIL_INTERVALS else Spans(((since, until),))


def _zone_of_old_days(since: datetime) -> ZoneInfo:
    """In which zone the days since then are known: in that by which months and charts are cut, if it is."""
    here = reporting_zone()
    is_whole = series_since().get(here.key, date.max) <= since.astimezone(here).date()
    return here if is_whole else UTC_ZONE
