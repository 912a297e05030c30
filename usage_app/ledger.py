"""The ledger process: journals to rows and sums, exactly once, whatever is killed and whenever.

A batch is read, assembled and written in one transaction with the offsets it was read up to; only
then do journals move on, are segments deleted and the limit store told.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, connection

from gateway_project.clock import now
from usage_app import ledger_status
from usage_app.alerts import raise_alert, resolve_alert
from usage_app.dialects import dialect_of
from usage_app.journal_lines import CUT_OFF
from usage_app.ledger_batches import Batch
from usage_app.ledger_batching import Batcher
from usage_app.ledger_journals import Chunk, JournalShelf
from usage_app.ledger_rows import SettledCall
from usage_app.ledger_series import start_series
from usage_app.ledger_upkeep import Auditor, Upkeep

logger = logging.getLogger("gatehouse.ledger")

AfterCommit = Callable[[list[SettledCall]], None]

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 0.2
GATHERING_PAUSE_S = 0.25  # after a batch that took all there was
LOOK_FOR_DEAD_EVERY_S = 1.0
SETTINGS_EVERY_S = 10.0
STATUS_EVERY_S = 1.0
LONGEST_BACK_OFF_S = 5.0
DRAIN_S = 20.0
LAG_ALARM_S = 5.0
LONGEST_LOG_BYTES = 8 * 1024 * 1024
#: What a database says of the values, not of itself.
REFUSALS = (DataError, IntegrityError, ValueError, OverflowError)
LOCK_FILE = "_ledger.lock"


class LedgerRunning(RuntimeError):
    """Another ledger process works on this data folder."""


class Ledger:
    """Moves one data folder's journals into the database."""

    def __init__(self, directory: Path, host: str, *, after_commit: list[AfterCommit] | None = None) -> None:
        self.directory = directory
        self.host = host
        self.after_commit = after_commit if after_commit is not None else []
        self.dialect = dialect_of(connection)
        self.shelf = JournalShelf(directory, host)
        self.batcher = Batcher(connection, self.dialect, host)
        self.auditor = Auditor(host)
        self.upkeep = Upkeep()
        self.rows_written = 0
        self.longest_write_s = 0.0
        self._zones: tuple[ZoneInfo, ...] = ()
        self._limit = 100
        self._is_behind = False  # the last batch was a full one: more is waiting
        self._lock = -1
        self._caught_up_s = time.monotonic()
        self._last_batch_at = ""
        self._error = ""
        self._due: dict[str, float] = {}

    # ------------------------------------------------------------ life

    def lock(self) -> None:
        """Become the data folder's only ledger process; LedgerRunning if there is one."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.directory / LOCK_FILE, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise LedgerRunning(f"Another ledger process works on {self.directory}.") from None
        self._lock = descriptor

    def unlock(self) -> None:
        self.shelf.forget()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def run(self, stop: threading.Event, drain_s: float = DRAIN_S) -> None:
        """Until told to stop; then read to the end, at most for `drain_s`. The lock must be held."""
        back_off_s = 0.0
        pause_s = SHORTEST_PAUSE_S
        while not stop.is_set():
            try:
                worked = self.step()
                self._look_after()
                back_off_s = 0.0
            except (DatabaseError, InterfaceError, OSError) as problem:
                back_off_s = min(max(back_off_s * 2, 0.2), LONGEST_BACK_OFF_S)
                self._fail(problem)
                stop.wait(back_off_s)
                continue
            pause_s = SHORTEST_PAUSE_S if worked else min(pause_s * 1.2, LONGEST_PAUSE_S)
            if not self._is_behind:
                # A batch costs the same few queries however small: under load fewer, larger ones.
                stop.wait(GATHERING_PAUSE_S if worked else pause_s)
        self._drain(drain_s)

    def _drain(self, drain_s: float) -> None:
        deadline = time.monotonic() + drain_s
        try:
            self._due.pop("dead", None)
            while self.step() and time.monotonic() < deadline:
                pass
            self._report(force=True)
        except (DatabaseError, InterfaceError, OSError) as problem:
            self._fail(problem)

    # ------------------------------------------------------------ one step

    def step(self) -> bool:
        """Write at most one batch; True when there may be more."""
        if not self._zones or self._is_due("settings", SETTINGS_EVERY_S):
            self._zones = start_series()
        self.shelf.discover()
        if self._is_due("dead", LOOK_FOR_DEAD_EVERY_S):
            self.shelf.bury()
        chunks = self._read()
        if not chunks:
            self._caught_up_s = time.monotonic()
            self._is_behind = False
            return False
        try:
            limit = self._limit
            batch = self._write(chunks)
            self._is_behind = batch.records >= limit // 2
        except REFUSALS as problem:
            logger.warning("A batch was refused (%s); trying smaller ones.", problem)
            for chunk in chunks:
                self._divide(chunk)
            return True
        self._settle(batch)
        if not self._is_behind:
            self._caught_up_s = time.monotonic()
        self._copy_log_back()
        return True

    def _read(self) -> list[Chunk]:
        tails = self.shelf.with_more()
        chunks = []
        for tail in tails:
            before = tail.position
            chunk = tail.read(max(self._limit // len(tails), 1))
            if chunk.items or chunk.resolves:
                chunks.append(chunk)
            elif chunk.after != before:
                tail.settle(chunk)  # on to the next segment; nothing to remember
        return chunks

    def _write(self, chunks: list[Chunk]) -> Batch:
        try:
            batch = self.batcher.assemble(chunks, self._zones)
            started = time.perf_counter()
            self.batcher.write(batch)
        except BaseException:
            # What was noted as written is undone with the transaction.
            self.batcher.claim_values.forget()
            self.batcher.names.forget()
            raise
        self._adapt(time.perf_counter() - started, batch.records)
        return batch

    def _adapt(self, took_s: float, records: int) -> None:
        """Batches as large as the write lock may be held, no larger."""
        self.longest_write_s = max(self.longest_write_s, took_s)
        if records >= self._limit // 2 or took_s > self.dialect.target_s:
            ideal = self._limit * self.dialect.target_s / max(took_s, 0.001)
            self._limit = int(max(20, min(ideal, self._limit * 2, self.dialect.most_records)))

    def _settle(self, batch: Batch) -> None:
        for chunk in batch.chunks:
            chunk.tail.settle(chunk)
            if chunk.resolves:
                chunk.tail.sweep()
                self.shelf.tails.pop(chunk.tail.name, None)
        for item in batch.bad:
            self._quarantine(item.journal, item.position, item.problem, item.data)
        self.rows_written += len(batch.request_rows)
        self.auditor.note(len(batch.request_rows) + len(batch.adjustments))
        self._last_batch_at = now().isoformat()
        if batch.settled:
            for callback in self.after_commit:
                try:
                    callback(batch.settled)
                except Exception:
                    logger.exception("Telling of %d settled calls failed.", len(batch.settled))

    def _divide(self, chunk: Chunk) -> None:
        """The database refuses a batch for what is in it: halve it until one record is left."""
        try:
            self._settle(self._write([chunk]))
            return
        except REFUSALS as cause:
            problem: Exception = cause
        if not chunk.items:
            raise DatabaseError(f"Open calls of {chunk.tail.name} cannot be resolved.") from problem
        if len(chunk.items) == 1:
            record, position = chunk.items[0]
            self._quarantine(chunk.tail.name, position, str(problem), repr(record).encode())
            self._settle(self._write([Chunk(chunk.tail, [], chunk.after, chunk.resolves)]))
            return
        middle = len(chunk.items) // 2
        self._divide(Chunk(chunk.tail, chunk.items[:middle], chunk.items[middle][1]))
        self._divide(Chunk(chunk.tail, chunk.items[middle:], chunk.after, chunk.resolves))

    def _quarantine(self, journal: str, position: tuple[int, int], problem: str, data: bytes) -> None:
        self.shelf.quarantine(journal, position, problem, data)
        if problem == CUT_OFF:
            # Killed in the middle of a write: either the call never left, or its row says "interrupted".
            logger.warning("Journal %s ends in the middle of a record at %d:%d.", journal, *position)
            return
        logger.error("Journal %s has a bad record at %d:%d: %s", journal, *position, problem)
        raise_alert("bad_record", journal, f"At {position[0]}:{position[1]}: {problem}", "critical")

    def _copy_log_back(self) -> None:
        """SQLite: keep the write-ahead log short without holding anybody up."""
        if connection.vendor != "sqlite":
            return
        log = Path(f"{connection.settings_dict['NAME']}-wal")
        if log.exists() and log.stat().st_size > LONGEST_LOG_BYTES:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")

    # ------------------------------------------------------------ besides

    def _look_after(self) -> None:
        """Status, self-audit and upkeep; writing comes first, these never hold it up for long."""
        self._error = ""
        self._report()
        if self.auditor.run(self._zones):
            for name in self.shelf.missing():
                raise_alert("journal_missing", name, "Its disk is not mounted, or was lost.")
        if self.lag_s > LAG_ALARM_S:
            if self._is_due("lag", SETTINGS_EVERY_S):
                raise_alert("ledger_lag", self.host, f"The ledger is {self.lag_s:.0f} s behind.")
        elif self._is_due("lag over", SETTINGS_EVERY_S):
            resolve_alert("ledger_lag", self.host)
        self.upkeep.run()

    @property
    def lag_s(self) -> float:
        """For how long the journals have held something that is not in the database."""
        return max(time.monotonic() - self._caught_up_s - GATHERING_PAUSE_S, 0.0)

    def _fail(self, problem: Exception) -> None:
        """The database or the disk is away: journals grow, nothing in memory is believed."""
        expected = isinstance(problem, OperationalError | InterfaceError)
        if not self._error:
            logger.warning("The ledger cannot write and tries again: %s", problem, exc_info=not expected)
        self._error = type(problem).__name__
        self.batcher.claim_values.forget()
        self.batcher.names.forget()
        self.shelf.forget()
        connection.close()
        self._report(force=True)

    def _report(self, *, force: bool = False) -> None:
        """Say how far behind the ledger is: in a file, which needs no database, and in its row."""
        if not force and not self._is_due("status", STATUS_EVERY_S):
            return
        lag_s = round(self.lag_s, 1)
        status = {
            "host": self.host,
            "pid": os.getpid(),
            "seen_at": now().isoformat(),
            "lag_s": lag_s,
            "last_batch_at": self._last_batch_at,
            "unread_bytes": self.shelf.unread_bytes(),
            "error": self._error,
        }
        ledger_status.write_file(self.directory, status)
        if not self._error and (self.lag_s > 1 or self._is_due("status row", SETTINGS_EVERY_S)):
            ledger_status.write_row(self.host, lag_s, self._last_batch_at)

    def _is_due(self, what: str, every_s: float) -> bool:
        at = time.monotonic()
        if at < self._due.get(what, 0.0):
            return False
        self._due[what] = at + every_s
        return True
