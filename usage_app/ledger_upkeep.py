"""What the ledger process does beside writing: self-audit, retention, partitions, the price list.

On PostgreSQL one host at a time does it, whoever holds the lease.
"""

import importlib.metadata
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from gateway_project.clock import from_ms, now, now_ms, uuid7_at
from gateway_project.conf import BASE_DIR, config
from keys_app import retention
from usage_app import captured, stored
from usage_app.alerts import raise_alert, resolve_alert
from usage_app.ledger_audit import QUARTER, Difference, check_day, check_quarters, quarter_size
from usage_app.ledger_series import ledger_settings, series_since
from usage_app.models import Attempt, Export, LedgerSettings, LedgerStatus, PriceCorrection, Request, Rollup
from usage_app.partitions import (
    are_partitioned,
    default_partition_is_used,
    delete_strays,
    drop_partitions,
    make_partitions,
)
from usage_app.telling import Teller

logger = logging.getLogger("gatehouse.ledger")

AUDIT_EVERY_S = 10.0
AUDIT_SHARE = 0.02  # of one processor, at most
AUDIT_ROWS = 200_000  # a quarter of an hour with more is left to `audit_ledger`
UPKEEP_EVERY_S = 60.0
TELL_EVERY_S = 5.0
EXPORTS_EVERY_S = 1.0
BODIES_EVERY_S = 1.0
EXPORTS_KEPT = timedelta(hours=24)
DELETE_ROWS = 500
DELETES_A_ROUND = 20
OPEN_EXPORTS = (Export.State.WAITING, Export.State.RUNNING)
LEASE = 0x6A7E_0001


@dataclass
class Auditor:
    """Compares sums with rows every few seconds and stores the balance."""

    host: str
    written: int = 0  # rows written since the last look
    _next_s: float = 0.0
    _last: Difference = field(default_factory=lambda: Difference("", 0, 0))
    _checked_once: bool = False

    def note(self, rows: int) -> None:
        self.written += rows

    def run(self, zones: tuple[ZoneInfo, ...], clock_s: Callable[[], float] = time.monotonic) -> bool:
        """Look if it is time; True when it was. Without new rows the last result still holds."""
        started = clock_s()
        if started < self._next_s:
            return False
        if self.written or not self._checked_once or not self._last.is_zero:
            self._last = self._look(now(), zones)
            self.written = 0
            self._checked_once = True
        self._store()
        self._next_s = started + max(AUDIT_EVERY_S, (clock_s() - started) / AUDIT_SHARE)
        return True

    def _look(self, at: datetime, zones: tuple[ZoneInfo, ...]) -> Difference:
        quarter = from_ms(int(at.timestamp() * 1000) // 900_000 * 900_000)
        found = [
            check_quarters(start, start + QUARTER)
            for start in (quarter - QUARTER, quarter)
            if quarter_size(start, start + QUARTER) <= AUDIT_ROWS
        ]
        since = series_since()
        for zone in zones:
            today = at.astimezone(zone).date()
            if today >= since.get(zone.key, today):
                found.append(check_day(zone, today))
        wrong = [difference for difference in found if not difference.is_zero]
        for difference in wrong:
            logger.error(
                "The ledger does not balance: %s is off by %d requests and %d nanodollars.",
                difference.what,
                difference.requests,
                difference.nanodollars,
            )
            raise_alert("ledger_difference", difference.what, str(difference), "critical")
        if not wrong:
            resolve_alert("ledger_difference")
        return Difference(
            "recent",
            sum(abs(d.requests) for d in found),
            sum(abs(d.nanodollars) for d in found),
            sum(abs(d.attempts) for d in found),
        )

    def _store(self) -> None:
        at = now()
        LedgerStatus.objects.update_or_create(
            host=self.host,
            defaults={
                "seen_at": at,
                "difference_requests": self._last.requests,
                "difference_nanodollars": self._last.nanodollars,
                "checked_at": at,
            },
        )


class Upkeep:
    """Retention, partitions and the price list, a little at a time."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._next_s = 0.0
        self.prices = PriceReader()
        self.exports = ExportWriter(clock_s)
        self.teller: Teller | None = None  # the ledger process sets one
        self._tell_at_s = 0.0
        self._bodies_at_s = 0.0

    def run(self) -> None:
        """Do what is due, if this host holds the lease."""
        if self.teller is not None and self._clock_s() >= self._tell_at_s and _hold_lease():
            self._tell_at_s = self._clock_s() + TELL_EVERY_S
            self.teller.tick()
        self.exports.run()
        if self._clock_s() >= self._bodies_at_s and not captured.take_in(config().data):
            self._bodies_at_s = self._clock_s() + BODIES_EVERY_S
        if self._clock_s() < self._next_s or not _hold_lease():
            return
        settings = ledger_settings()
        if are_partitioned():
            self._keep_partitions(settings)
        unfinished = self._delete_old(settings)
        _delete_old_exports()
        unfinished = stored.delete_old() or unfinished
        stored.tell_of_lost()
        unfinished = captured.delete_expired() or unfinished
        unfinished = retention.forget_old() or unfinished
        self.prices.run(settings)
        self._next_s = self._clock_s() + (1.0 if unfinished else UPKEEP_EVERY_S)

    def _keep_partitions(self, settings: LedgerSettings) -> None:
        make_partitions(connection, now())
        if default_partition_is_used(connection):
            raise_alert("default_partition", detail="Requests lie outside every month that was prepared.")
        else:
            resolve_alert("default_partition")
        for name in drop_partitions(connection, now() - timedelta(days=settings.keep_requests_days)):
            logger.info("Dropped the partition %s: it is past its retention.", name)

    def _delete_old(self, settings: LedgerSettings) -> bool:
        """Delete what is past its time in small batches; True when there is more."""
        rows_before = now_ms() - settings.keep_requests_days * 86_400_000
        before = uuid7_at(rows_before - rows_before % 900_000)
        more = False
        for _ in range(DELETES_A_ROUND):
            if are_partitioned():
                more = delete_strays(connection, before, DELETE_ROWS) == DELETE_ROWS
            else:
                counts = _delete_some(Attempt, id__lt=before), _delete_some(Request, id__lt=before)
                more = DELETE_ROWS in counts
            if not more:
                break
        for _ in range(DELETES_A_ROUND):
            deleted = _delete_some(Rollup, bucket_at__lt=now() - timedelta(days=settings.keep_quarters_days))
            if deleted < DELETE_ROWS:
                return more
        return True


class PriceReader:
    """Reads the public price list when another version of it is installed, in a process of its own.

    Reading it takes more memory than the ledger itself, and longer than a call should wait for its row.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._is_done = False

    def run(self, settings: LedgerSettings) -> None:
        """Start what is due, look after what was started; never waits."""
        if self._is_done:
            return
        if self._process is None:
            if settings.price_list_version == importlib.metadata.version("genai-prices"):
                self._is_done = True
                return
            command = [sys.executable, str(BASE_DIR / "manage.py"), "sync_prices"]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        elif self._process.poll() is not None:
            _, problem = self._process.communicate()
            if self._process.returncode:
                logger.error("The public price list could not be read: %s", problem[-2000:])
            self._process, self._is_done = None, True


class ExportWriter:
    """Has waiting exports written, in a process of its own: a file of a million rows takes minutes."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._next_s = 0.0
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """Start a writer if something waits and none is at work; never waits itself."""
        if self._clock_s() < self._next_s:
            return
        self._next_s = self._clock_s() + EXPORTS_EVERY_S
        if self._process is not None:
            if self._process.poll() is None:
                return
            _, problem = self._process.communicate()
            if self._process.returncode:
                logger.error("An export could not be written: %s", problem[-2000:])
            self._process = None
        waits = (Export.objects, OPEN_EXPORTS), (PriceCorrection.objects, PriceCorrection.OPEN)
        if any(rows.filter(state__in=states).exists() for rows, states in waits) and _hold_lease():
            command = [sys.executable, str(BASE_DIR / "manage.py"), "write_exports"]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )

    def close(self) -> None:
        """End the writer; what it left half written is written again after the next start."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)


def _delete_some(model: type[Request] | type[Attempt] | type[Rollup], **bounds: object) -> int:
    ids: list[Any] = list(
        model._default_manager.filter(**bounds).order_by("pk").values_list("pk", flat=True)[:DELETE_ROWS]
    )
    if ids:
        model._default_manager.filter(pk__in=ids)._raw_delete(using=connection.alias)
    return len(ids)


def _delete_old_exports() -> None:
    for pk in Export.objects.filter(created_at__lt=now() - EXPORTS_KEPT).values_list("pk", flat=True)[:20]:
        Export.objects.filter(pk=pk).delete()


def _hold_lease() -> bool:
    """One host at a time; the lease ends with the connection."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s "
            "AND pid = pg_backend_pid()) OR pg_try_advisory_lock(%s)",
            [LEASE, LEASE],
        )
        return bool(cursor.fetchone()[0])
