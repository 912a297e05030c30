"""What the window looks at: a range of time, an environment, a service. Chosen once for all pages.

An address that names a time says all of the choice: what it leaves out is everything. Only an address
that names none is filled in from the session, where the last whole page left its choice.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from keys_app.frame import available_zones
from usage_app.reports_reading import Filters

Interval = Literal["quarter", "hour", "day"]

DEFAULT_RANGE = "24h"
_SESSION_KEY = "window"
_PARAMETERS = ("range", "since", "until", "environment", "service")

#: name -> (label, length, buckets of the chart)
ROLLING: dict[str, tuple[Any, timedelta, Interval]] = {
    "1h": (_("Last hour"), timedelta(hours=1), "quarter"),
    "6h": (_("Last 6 hours"), timedelta(hours=6), "quarter"),
    "24h": (_("Last 24 hours"), timedelta(hours=24), "hour"),
    "7d": (_("Last 7 days"), timedelta(days=7), "day"),
    "30d": (_("Last 30 days"), timedelta(days=30), "day"),
    "90d": (_("Last 90 days"), timedelta(days=90), "day"),
}
CIVIL = {
    "today": _("Today"),
    "yesterday": _("Yesterday"),
    "month": _("This month"),
    "last_month": _("Last month"),
    "quarter": _("This quarter"),
    "last_quarter": _("Last quarter"),
}
LONGEST = "90d"
#: Ranges of whole months, and how many: the period before is as many months earlier.
_MONTHS = {"month": 1, "last_month": 1, "quarter": 3, "last_quarter": 3}
#: In place of an id: calls that have no such thing at all.
NONE = "none"
RANGE_LABELS = {**{name: parts[0] for name, parts in ROLLING.items()}, **CIVIL}


@dataclass(frozen=True, slots=True)
class Selection:
    """A checked choice. `since` <= t < `until`; `live` while the range ends at the present."""

    range: str
    since: datetime
    until: datetime
    environment: str
    service_id: str
    live: bool
    interval: Interval
    asked: tuple[datetime, datetime] | None = None  # before the range was widened to what is kept

    @property
    def before(self) -> tuple[datetime, datetime]:
        """The period just before: of the same length, or of whole months as far as they have gone."""
        months = _MONTHS.get(self.range)
        if months is None:
            return self.since - (self.until - self.since), self.since
        start = _months_earlier(self.since, months)
        return start, min(start + (self.until - self.since), self.since)

    @property
    def filters(self) -> Filters:
        """Environment and service as the sums take them."""
        return Filters(environment=ids_of(self.environment), service_id=ids_of(self.service_id))

    @property
    def parameters(self) -> dict[str, str]:
        """The choice as an address carries it, as it was made: whole, so that nothing fills it in."""
        if self.range == "custom":
            since, until = self.asked or (self.since, self.until)
            chosen = {"since": since.isoformat(), "until": until.isoformat()}
        else:
            chosen = {"range": self.range}
        return chosen | {"environment": self.environment, "service": self.service_id}

    @property
    def exactly(self) -> dict[str, str]:
        """`parameters` that open the calls behind this choice's sums, and no others."""
        if self.asked is None:
            return self.parameters
        bounds = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return {name: value for name, value in self.parameters.items() if name != "range"} | bounds

    def over(self, since: datetime, until: datetime) -> "Selection":
        """The same choice over the range that its sums are of."""
        if (since, until) == (self.since, self.until):
            return self
        return replace(self, since=since, until=until, asked=(self.since, self.until))


def select(
    query: Mapping[str, str],
    session: MutableMapping[str, Any],
    now: datetime,
    zone: ZoneInfo,
    *,
    keeps: bool = True,
) -> Selection:
    """The choice an address and a session make together; the session keeps it where it `keeps`."""
    former = remembered(session)
    given = _given(query, zone)
    names_time = "range" in given or "since" in given
    merged = {name: value for name, value in {**({} if names_time else former), **given}.items() if value}
    if keeps and merged != former:
        session[_SESSION_KEY] = merged
    return _checked(merged, now, zone)


def _given(query: Mapping[str, str], zone: ZoneInfo) -> dict[str, str]:
    """What an address says. Times that were typed are of the `zone` it names, whoever opens it; without one,
    and without an offset of their own, of the reporting zone."""
    given = {name: query[name] for name in _PARAMETERS if name in query}
    typed_in = query.get("zone", "")
    if typed_in in available_zones():
        for name in ("since", "until"):
            if (at := _instant(given.get(name, ""), ZoneInfo(typed_in))) is not None:
                given[name] = at.isoformat()
    return given


def remembered(session: Mapping[str, Any]) -> Mapping[str, str]:
    """The choice that a session keeps, unchecked: parameters of an address."""
    kept: Mapping[str, str] = session.get(_SESSION_KEY) or {}
    return kept


def _checked(chosen: Mapping[str, str], now: datetime, zone: ZoneInfo) -> Selection:
    environment, service_id = chosen.get("environment", ""), chosen.get("service", "")[:36]
    custom = _custom(chosen, now, zone) if "since" in chosen else None
    if custom is not None:
        since, until = custom
        return Selection(
            "custom", since, until, environment, service_id, until >= now, interval_for(until - since)
        )
    name = chosen.get("range", DEFAULT_RANGE)
    if name not in RANGE_LABELS:
        name = DEFAULT_RANGE
    since, until = span(name, now, zone)
    interval = ROLLING[name][2] if name in ROLLING else interval_for(until - since)
    return Selection(name, since, until, environment, service_id, until >= now, interval)


def span(name: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end of a named range; civil days are the reporting zone's.

    A rolling range starts on a quarter of an hour, so that sums of roll-ups and lists of calls agree;
    one that is as long as quarters are kept starts with its day.
    """
    if name in ROLLING:
        start = now - ROLLING[name][1]
        if name == LONGEST:
            return datetime.combine(start.astimezone(zone).date(), time(), zone), now
        return start.replace(minute=start.minute - start.minute % 15, second=0, microsecond=0), now
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if name == "yesterday":
        # Through the date, not 24 hours back: a day of a clock change has 23 or 25.
        start = datetime.combine(midnight.date() - timedelta(days=1), midnight.time(), zone)
        return start, midnight
    if name == "today":
        return midnight, now
    months = _MONTHS[name]
    month = midnight.replace(day=1)
    start = _months_earlier(month, (month.month - 1) % months)
    return (start, now) if not name.startswith("last_") else (_months_earlier(start, months), start)


def ids_of(value: str) -> str | tuple[str, ...]:
    """A filter's value as the sums take it: any, one, or what has none."""
    return ("",) if value == NONE else value


def _months_earlier(month: datetime, count: int) -> datetime:
    """The first of the month so many months before one's first, at its midnight."""
    at = month.year * 12 + month.month - 1 - count
    return month.replace(year=at // 12, month=at % 12 + 1)


def interval_for(length: timedelta) -> Interval:
    """Buckets that leave between four and about a hundred bars."""
    if length <= timedelta(hours=12):
        return "quarter"
    return "hour" if length <= timedelta(days=3) else "day"


def _custom(chosen: Mapping[str, str], now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    since, until = _instant(chosen.get("since", ""), zone), _instant(chosen.get("until", ""), zone) or now
    if since is None or since >= until:
        return None
    return since, until


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)
