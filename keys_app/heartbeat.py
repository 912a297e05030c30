"""Living worker processes, as rows that are touched every two seconds.

Limits in memory are right for exactly one admitting process, so a second one is refused at start.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django import db

from gateway_project.clock import now, uuid7
from gateway_project.conf import Config
from gateway_project.env import BadSetting
from keys_app.connections import close_connections, renew_connections
from keys_app.models import WorkerProcess

BEAT_S = 2.0
#: rows not touched for this long belong to the dead
LIVING_S = 10.0
#: a young row may be a dead process's last one: only one that is touched again is a living process's
WATCH_S = 2.5 * BEAT_S
FORGOTTEN_AFTER = timedelta(days=1)

logger = logging.getLogger("gatehouse.heartbeat")


class Heartbeat:
    """Registers this process and touches its row from a thread of its own, until `stop`."""

    def __init__(self, config: Config, journal: str, *, beat_s: float = BEAT_S) -> None:
        self._row = WorkerProcess(
            id=uuid7(),
            host=socket.gethostname(),
            pid=os.getpid(),
            role=config.role,
            admits=config.serves_data_plane,
            shares_limits=bool(config.redis_url),
            journal=journal,
            started_at=now(),
            seen_at=now(),
        )
        self._beat_s = beat_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take the row away. Waits a moment at most: a database that is away must not hold up the end."""
        self._ended.set()
        self._thread.join(timeout=2)

    def beat(self) -> None:
        """Touch the row, making it if need be."""
        renew_connections()
        self._row.seen_at = now()
        if not WorkerProcess.objects.filter(pk=self._row.pk).update(seen_at=self._row.seen_at):
            self._row.save(force_insert=True)
            WorkerProcess.objects.filter(seen_at__lt=now() - FORGOTTEN_AFTER).delete()

    def unregister(self) -> None:
        WorkerProcess.objects.filter(pk=self._row.pk).delete()

    def _run(self) -> None:
        answered = True
        while True:
            ending = self._ended.is_set()
            try:
                if ending:
                    self.unregister()
                else:
                    self.beat()
                answered = True
            except db.Error:
                if answered:
                    logger.warning("The heartbeat cannot be written; it goes on trying.")
                answered = False
            if ending:
                break
            self._ended.wait(self._beat_s)
        close_connections()


def refuse_second_admitter(
    config: Config,
    *,
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Raise BadSetting when another living process admits calls and the limits are not shared.

    Takes a few seconds only when there is a row that was touched just now.
    """
    if config.redis_url or not config.serves_data_plane:
        return
    first_seen = {row.pk: row.seen_at for row in _possibly_living()}
    until = monotonic() + WATCH_S
    while first_seen and monotonic() < until:
        wait(BEAT_S / 4)
        for row in WorkerProcess.objects.filter(pk__in=first_seen):
            if row.seen_at != first_seen[row.pk]:
                raise BadSetting(
                    f"Another Gatehouse process (pid {row.pid} on {row.host}) already serves calls from this "
                    "database, and limits in memory hold for one process only: stop it, or set REDIS_URL "
                    "for both."
                )
        first_seen = {row.pk: first_seen[row.pk] for row in _possibly_living() if row.pk in first_seen}


def _possibly_living() -> list[WorkerProcess]:
    recent = WorkerProcess.objects.filter(admits=True, seen_at__gt=now() - timedelta(seconds=LIVING_S))
    return [row for row in recent if not _is_dead_here(row)]


def _is_dead_here(row: WorkerProcess) -> bool:
    """Whether it ran on this host and has ended; of other hosts only their beat can tell."""
    if row.host != socket.gethostname():
        return False
    if row.pid == os.getpid():
        return True  # this process has not registered yet: an earlier one had its number
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
