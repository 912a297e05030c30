"""A worker's journal: append records, rotate segments, sync them, and refuse calls before the disk is full.

`<dir>/<worker id>/` holds its segments (`journal_folder`), one record a line (`journal_lines`). A worker id
names one run of one process and is never used again. No Django here: the data plane imports this.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from gateway_project.errors import JournalFull
from usage_app.journal_folder import (
    JournalInUse,
    free_bytes,
    segment_numbers,
    segment_path,
    set_aside,
    sync_folder,
    take_lock,
)
from usage_app.journal_lines import build_line
from usage_app.records import AttemptBegun, Begin, End, Record

logger = logging.getLogger("gatehouse.journal")

SEGMENT_BYTES = 64 * 1024 * 1024
SYNC_INTERVAL_S = 0.1
LOOK_INTERVAL_S = 1.0  # how often an idle journal looks at its disk
END_BYTES = 16 * 1024  # room kept on the disk for the end of each open call
SPARE_BYTES = 8 * 1024 * 1024  # set aside in a file, given up when the disk is full
MINIMUM_FREE_BYTES = 64 * 1024 * 1024


def new_worker_id() -> str:
    """An id for one run of a process: host, process and chance; at most 64 characters."""
    host = "".join(c if c.isalnum() or c == "-" else "-" for c in socket.gethostname())[:32]
    return f"{host}-{os.getpid()}-{secrets.token_hex(6)}"


class JournalWriter:
    """Appends records to one worker's journal; one writer a process, appends from one thread."""

    def __init__(
        self,
        directory: Path,
        worker_id: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        spare_bytes: int = SPARE_BYTES,
        minimum_free_bytes: int = MINIMUM_FREE_BYTES,
        free: Callable[[Path], int] = free_bytes,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self.worker_id = worker_id
        self.folder = directory / worker_id
        self._segment_bytes = segment_bytes
        self._spare_bytes = spare_bytes
        self._minimum_free_bytes = minimum_free_bytes
        self._free = free
        self._write = write
        self._lock = -1
        self._descriptor = -1
        self._size = 0
        self._segment = 0
        self._retired: list[int] = []  # full segments, still to be synced and closed
        self._unsynced = False
        self._new_files = False
        self._room = True
        self._looked_s = 0.0
        self._open: set[str] = set()
        self._unwritten: list[bytes] = []  # ends that no disk took yet

    # ------------------------------------------------------------ life

    def open(self) -> None:
        """Take the lock and start the first segment; JournalInUse if the id was used before."""
        self._lock = take_lock(self.folder)
        if segment_numbers(self.folder):
            self.close()
            raise JournalInUse(f"The journal {self.worker_id} exists already.")
        self._set_spare_aside()
        self._start_segment()
        self.sync()

    def close(self) -> None:
        """Sync, close and let the lock go: from here on the journal's worker is gone."""
        if self._descriptor >= 0:
            self._write_waiting()
            try:
                self.sync()
            except OSError:
                logger.exception("The journal %s cannot be synced at its end.", self.worker_id)
            os.close(self._descriptor)
            self._descriptor = -1
            (self.folder / "spare").unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # ------------------------------------------------------------ writing

    def append(self, record: Record) -> None:
        """Write one record with one system call.

        JournalFull when a call that is about to begin (or try) cannot be recorded; the end of an
        open call is never refused: it is kept and tried again if no disk takes it.
        """
        kind = type(record)
        if kind is Begin:
            if not self._room:
                raise JournalFull
            self._open.add(record.id)
        line = build_line(record)
        if not self._put(line):
            self._not_written(record, line)
        if kind is End:
            self._open.discard(record.id)
        if self._size >= self._segment_bytes:
            self._rotate()

    def begin(self, record: Begin, attempt: AttemptBegun) -> None:
        """Write a call's begin and its first attempt with one system call; raises JournalFull."""
        if not self._room:
            raise JournalFull
        self._open.add(record.id)
        line = build_line(record) + build_line(attempt)
        if not self._put(line):
            self._not_written(record, line)
        if self._size >= self._segment_bytes:
            self._rotate()

    def has_room(self) -> bool:
        """Whether a new call may begin: the disk can take it and the ends of all open calls."""
        return self._room

    @property
    def open_calls(self) -> int:
        """Calls begun here that have not ended."""
        return len(self._open)

    def _put(self, line: bytes) -> bool:
        try:
            written = self._write(self._descriptor, line)
        except OSError:
            logger.exception("The journal %s cannot be written.", self.worker_id)
            written = 0
        self._unsynced = True
        if written == len(line):
            self._size += written
            return True
        # A part of a line must not stay: whatever follows would be glued to it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._size)
        return False

    def _not_written(self, record: Record, line: bytes) -> None:
        """The disk is full or failing: new calls stop, ends get the room set aside for them."""
        self._room = False
        if isinstance(record, Begin):
            self._open.discard(record.id)
            raise JournalFull
        if isinstance(record, AttemptBegun):
            raise JournalFull
        if not isinstance(record, End):
            return
        with contextlib.suppress(OSError):
            os.truncate(self.folder / "spare", 0)
        if not self._put(line):
            logger.critical("The end of call %s waits for room on the disk.", record.id)
            self._unwritten.append(line)

    def _write_waiting(self) -> None:
        while self._unwritten and self._put(self._unwritten[0]):
            del self._unwritten[0]

    # ------------------------------------------------------------ syncing

    def sync(self) -> None:
        """Bring to the disk what was appended since the last time, and look at it; may run in a thread."""
        while self._retired:
            os.fdatasync(self._retired[0])
            os.close(self._retired.pop(0))
        if self._unsynced:
            self._unsynced = False  # before the call: an append meanwhile is for the next round
            os.fdatasync(self._descriptor)
        if self._new_files:
            self._new_files = False
            sync_folder(self.folder)
        self._look_at_disk()

    async def run_sync_loop(self, interval_s: float = SYNC_INTERVAL_S) -> None:
        """Sync every `interval_s` in a thread until cancelled; then one last time."""
        try:
            while True:
                await asyncio.sleep(interval_s)
                self._write_waiting()
                if not self._is_sync_due():
                    continue
                try:
                    await asyncio.to_thread(self.sync)
                except OSError:
                    self._room = False
                    logger.exception("The journal %s cannot be synced.", self.worker_id)
        finally:
            self._write_waiting()
            with contextlib.suppress(OSError):
                self.sync()

    def _is_sync_due(self) -> bool:
        """Whether something waits to be synced; an idle journal only looks at its disk, once a second."""
        waits = self._unsynced or self._retired or self._new_files or self._unwritten
        return bool(waits) or not self._room or time.monotonic() - self._looked_s >= LOOK_INTERVAL_S

    def _look_at_disk(self) -> None:
        self._looked_s = time.monotonic()
        needed = self._minimum_free_bytes + END_BYTES * len(self._open)
        try:
            room = not self._unwritten and self._free(self.folder) >= needed
        except OSError:  # the disk is gone: nothing can be promised
            room = False
        if room and not self._room:
            self._set_spare_aside()
        elif not room and self._room:
            logger.error("The disk of the journal is nearly full: no new calls are taken.")
        self._room = room

    # ------------------------------------------------------------ files

    def _start_segment(self) -> None:
        self._segment += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(segment_path(self.folder, self._segment), flags, 0o600)
        self._size = 0
        self._new_files = True

    def _rotate(self) -> None:
        full = self._descriptor
        try:
            self._start_segment()
        except OSError:
            self._segment -= 1
            logger.exception("No new journal segment can be made; the old one grows.")
            return
        self._retired.append(full)

    def _set_spare_aside(self) -> None:
        """Occupy the room that the ends of open calls get when the disk is full."""
        if not self._spare_bytes:
            return
        try:
            set_aside(self.folder / "spare", self._spare_bytes)
        except OSError:
            logger.warning("No room could be set aside for the journal %s.", self.worker_id)
