"""In which zones days are counted: the reporting zone's and UTC's. A change begins a new series."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction

from gateway_project.clock import now
from gateway_project.conf import config
from usage_app.models import DayRollup, LedgerSettings, ReportingSeries

UTC_ZONE = ZoneInfo("UTC")
Value = TypeVar("Value")
_picture: ContextVar[dict[str, Any] | None] = ContextVar("picture", default=None)


@contextmanager
def one_picture() -> Iterator[None]:
    """Within it the zones and settings are read once: a page asks a dozen reports, each needs them."""
    if _picture.get() is not None:
        yield
        return
    token = _picture.set({})
    try:
        yield
    finally:
        _picture.reset(token)


def ledger_settings() -> LedgerSettings:
    """The settings as they stand, the defaults while nobody set any."""
    return _once("settings", lambda: LedgerSettings.objects.filter(pk=1).first() or LedgerSettings())


def start_series() -> tuple[ZoneInfo, ...]:
    """Zones to count days in, the reporting zone first; begins the series that are new.

    A new series counts from now on; its first whole day is the next one, unless there are no days
    at all yet.
    """
    chosen = ledger_settings().reporting_zone
    series = {row.zone: row for row in ReportingSeries.objects.all()}
    reporting = next((row.zone for row in series.values() if row.is_reporting), "")
    zone = _zone(chosen or reporting or config().time_zone)
    zones = (zone,) if zone.key == "UTC" else (zone, UTC_ZONE)
    if zone.key == reporting and all(z.key in series for z in zones):
        return zones
    with transaction.atomic():
        is_first = not DayRollup.objects.exists()
        ReportingSeries.objects.exclude(zone=zone.key).update(is_reporting=False)
        for each in zones:
            today = now().astimezone(each).date()
            since = today if is_first else today + timedelta(days=1)
            known = ReportingSeries.objects.filter(zone=each.key).first()
            if known is None:
                ReportingSeries.objects.create(
                    zone=each.key, since_day=_first_day(since, is_first), is_reporting=each is zone
                )
            elif each is zone and not known.is_reporting:
                # It may have rested: days in between are not whole, except in UTC, which never rests.
                known.since_day = known.since_day if each.key == "UTC" else since
                known.is_reporting = True
                known.save()
    return zones


def reporting_zone() -> ZoneInfo:
    """The zone in which days, months and totals are counted."""
    return _once("zone", _reporting_zone)


def _reporting_zone() -> ZoneInfo:
    row = ReportingSeries.objects.filter(is_reporting=True).first()
    return _zone(row.zone if row else config().time_zone)


def series_since() -> dict[str, date]:
    """Each series that is being counted and its first whole day."""
    return _once("since", _series_since)


def _series_since() -> dict[str, date]:
    zone = reporting_zone().key
    rows = ReportingSeries.objects.filter(zone__in={zone, "UTC"})
    return {row.zone: row.since_day for row in rows}


def _once(name: str, read: Callable[[], Value]) -> Value:
    known = _picture.get()
    if known is None:
        return read()
    if name not in known:
        known[name] = read()
    found: Value = known[name]
    return found


def _first_day(since: date, is_first: bool) -> date:
    # Without any day before it a series is whole from the beginning of time: journals that waited
    # for their ledger may hold calls of earlier days.
    return date(2000, 1, 1) if is_first else since


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC_ZONE
