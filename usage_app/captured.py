"""Bodies of calls on their way to the database: files of the worker's, read by the ledger process.

Each line of a file is one call, encrypted before it is written. They are apart from the journal, which
they must not fill: where room is short they are what is dropped.
"""

import contextlib
import logging
import os
import time
import uuid
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
from django.db import connection, transaction

from gateway_project.clock import from_ms, now
from keys_app.crypto import Unreadable, decrypt_bytes, encrypt_bytes
from usage_app.models import CapturedBody

log = logging.getLogger("gatehouse.bodies")

FOLDER = "bodies"
OPEN, WHOLE = ".part", ".lines"
SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENT_S = 2.0
#: A file that its worker has not touched for so long belongs to one that is gone.
ABANDONED_S = 60.0
#: More than this on the disk means that nobody takes them away: new ones are dropped.
MOST_BYTES = 256 * 1024 * 1024
ROWS_A_ROUND = 200
#: Endpoints whose kept calls are conversations, which can be asked again.
CONVERSATIONS = frozenset({"chat.completions", "responses", "messages", "generate_content"})


class Said(msgspec.Struct, frozen=True):
    """What is kept of one call. Texts are masked; '' where there was none."""

    request: str
    answer: str
    request_headers: dict[str, str] = {}
    answer_headers: dict[str, str] = {}
    is_cut: bool = False  # longer than what is kept


class _Line(msgspec.Struct, frozen=True):
    id: str
    service_id: str
    at_ms: int
    days: int
    data: str


_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(_Line).decode
_read_said = msgspec.json.Decoder(Said).decode


def sealed(call_id: str, said: Said) -> str:
    """Encrypted text; slow enough for a thread."""
    return encrypt_bytes(zlib.compress(_encode(said), 6), f"body:{call_id}")


class BodyWriter:
    """One worker's files. Its methods block and are called from one thread at a time."""

    def __init__(self, data: Path, worker_id: str) -> None:
        self._folder = data / FOLDER
        self._name = worker_id
        self._number = 0
        self._file: int | None = None
        self._path = self._folder
        self._size = 0
        self._began_s = 0.0
        self._full_until_s = 0.0

    def write(self, call_id: str, service_id: str, at_ms: int, days: int, said: Said) -> bool:
        """Append one call; False: there is no room for it."""
        if not self._has_room():
            return False
        line = _encode(_Line(call_id, service_id, at_ms, days, sealed(call_id, said))) + b"\n"
        if self._file is None:
            self._open()
        assert self._file is not None
        os.write(self._file, line)
        self._size += len(line)
        if self._size >= SEGMENT_BYTES:
            self.hand_over()
        return True

    def is_due(self) -> bool:
        """Whether what was written has waited long enough."""
        return self._file is not None and time.monotonic() - self._began_s >= SEGMENT_S

    def hand_over(self) -> None:
        """Give the file to the ledger process."""
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        with contextlib.suppress(FileNotFoundError):  # taken for abandoned
            self._path.rename(self._path.with_suffix(WHOLE))

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._number += 1
        self._path = self._folder / f"{self._name}-{self._number}{OPEN}"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size, self._began_s = 0, time.monotonic()

    def _has_room(self) -> bool:
        """Looked up once in a while: a folder that nobody empties, a disk nearly full."""
        at = time.monotonic()
        if at < self._full_until_s:
            return False
        if self._file is None:  # a new file is begun
            with contextlib.suppress(OSError):
                waiting = sum(entry.stat().st_size for entry in os.scandir(self._folder))
                free = os.statvfs(self._folder)
                if waiting > MOST_BYTES or free.f_bavail * free.f_frsize < 4 * MOST_BYTES:
                    self._full_until_s = at + SEGMENT_S
                    return False
        return True


def take_in(data: Path) -> int:
    """Bring what workers left to the database, some of it; how many calls that were."""
    folder = data / FOLDER
    if not folder.is_dir():
        return 0
    taken = 0
    for path in sorted(folder.iterdir()):
        if path.suffix == OPEN and time.time() - path.stat().st_mtime < ABANDONED_S:
            continue
        rows = list(_rows(path))
        for start in range(0, len(rows), ROWS_A_ROUND):
            with transaction.atomic():
                CapturedBody.objects.bulk_create(rows[start : start + ROWS_A_ROUND], ignore_conflicts=True)
        path.unlink(missing_ok=True)
        taken += len(rows)
        if taken >= ROWS_A_ROUND:
            break
    return taken


def _rows(path: Path) -> Iterator[CapturedBody]:
    for line in path.read_bytes().splitlines():
        try:
            record = _decode(line)
            at = from_ms(record.at_ms)
            yield CapturedBody(
                request_id=uuid.UUID(record.id),
                service_id=record.service_id[:36],
                data=record.data,
                captured_at=at,
                expires_at=at + timedelta(days=record.days),
            )
        except (msgspec.MsgspecError, ValueError, OverflowError, OSError):
            log.warning("A line of %s cannot be read and is left out.", path.name)


def read(request_id: uuid.UUID) -> Said | None:
    """What was said in a call; None where nothing is kept (any more). Raises Unreadable."""
    row = CapturedBody.objects.filter(pk=request_id, expires_at__gt=now()).first()
    if row is None:
        return None
    try:
        return _read_said(zlib.decompress(decrypt_bytes(row.data, f"body:{request_id}")))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise Unreadable("What was kept of this call is damaged.") from error


def is_kept(request_id: uuid.UUID) -> bool:
    return CapturedBody.objects.filter(pk=request_id, expires_at__gt=now()).exists()


def delete_expired(most: int = ROWS_A_ROUND) -> bool:
    """Delete what is past its time, some of it; True when there may be more."""
    ids = list(CapturedBody.objects.filter(expires_at__lte=now()).values_list("pk", flat=True)[:most])
    if ids:
        CapturedBody.objects.filter(pk__in=ids)._raw_delete(using=connection.alias)
    return len(ids) == most
