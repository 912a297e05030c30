"""A worker's journal on the disk: its segments, the lock that tells whether it lives, the room that is left.

`lock` is held (flock) while the worker lives; segments are `00000001.jsonl`, ….
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

LOCK_PATIENCE_S = 5.0


class JournalInUse(RuntimeError):
    """This worker id's journal exists already: an id names one run of one process."""


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.jsonl"


def segment_numbers(folder: Path) -> list[int]:
    """Numbers of the segments there are, ascending."""
    return sorted(int(path.stem) for path in folder.glob("*.jsonl") if path.stem.isdigit())


def take_lock(folder: Path) -> int:
    """Make the folder and hold its lock: a descriptor to close later. JournalInUse if another process has it.

    A ledger that looks whether anyone lives may hold it for a moment.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_S
    path = folder / "lock"
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # the folder was swept away in between
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _lock_now(descriptor) and _is_still(path, descriptor):
                return descriptor
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise JournalInUse(f"Another process holds the journal {folder.name}.")
        time.sleep(0.01)


def probe_lock(folder: Path) -> int | None:
    """Take a journal's lock if its worker is gone: a descriptor to close later; None while it lives."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    if _lock_now(descriptor) and _is_still(folder / "lock", descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one at the path (it may have been swept away meanwhile)."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def free_bytes(directory: Path) -> int:
    """What an ordinary process may still write to the disk."""
    figures = os.statvfs(directory)
    return figures.f_bavail * figures.f_frsize


def set_aside(path: Path, size: int) -> None:
    """Occupy this much of the disk, to be given up when it is full. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
