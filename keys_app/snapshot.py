"""The policy snapshot of one worker: kept current, kept through outages, kept on disk.

The event loop only swaps a reference; reading happens in one thread with its own connection.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from gateway_project.clock import now_ms
from gateway_project.conf import config
from keys_app.entries import Snapshot
from keys_app.snapshot_file import SavedSnapshot
from keys_app.snapshot_reading import EMPTY, Section, SnapshotReader
from keys_app.tasks import Tasks

__all__ = ["EMPTY", "Section", "SnapshotKeeper"]

logger = logging.getLogger("gatehouse.snapshot")

PACE_S = 0.05  # refreshes start at least this far apart: 20 a second at most
HUNG_S = 3.0  # a reading that takes longer means that the database cannot be asked
SAVE_EVERY_S = 60.0
CONFIRM_EVERY_S = 10.0
COMPLAIN_EVERY_S = 60.0


class SnapshotKeeper:
    """Keeps `current` at most a second behind the database; `poke` and misses make it look at once."""

    def __init__(
        self,
        sections: Sequence[Section] = (),
        *,
        poll_s: float = 1.0,
        full_compare_s: float = 600.0,
        folder: Path | None = None,
        max_age_s: int | None = None,
        executor: Executor | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._poll_s = poll_s
        self._full_compare_s = full_compare_s
        self._max_age_s = config().snapshot_max_age_s if max_age_s is None else max_age_s
        self._clock = clock
        self._executor = executor or ThreadPoolExecutor(1, "policy-snapshot")
        self._owns_executor = executor is None
        self._reader = SnapshotReader(sections, clock)
        self._saved = SavedSnapshot(folder or config().data / "snapshot")
        self._tasks = Tasks()
        self._current = EMPTY
        self._confirmed_ms = 0
        self._failing = True
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._tried = asyncio.Event()
        self._started_s = 0.0  # of the last reading, monotonic
        self._reading = False
        self._complained_s = self._confirmed_s = self._saved_s = float("-inf")
        self._keeping = False
        self._disk = threading.Lock()
        self._restores = True  # from disk, once
        self._running = False
        self.repairs = 0  # times that a full comparison found a difference

    # ------------------------------------------------------------ what callers see

    @property
    def current(self) -> Snapshot:
        return self._current

    @property
    def ready(self) -> bool:
        """Whether there is a picture to decide by, from the database or from disk."""
        return self._current is not EMPTY

    @property
    def age_s(self) -> float:
        """Seconds since the snapshot was last known to be what the database holds."""
        if not self.ready:
            return 0.0
        return max(0.0, (self._clock() - self._confirmed_ms) / 1000)

    @property
    def database_down(self) -> bool:
        """Whether an unknown key may only be unknown here."""
        return self._failing or (self._reading and time.monotonic() - self._started_s > HUNG_S)

    def poke(self) -> None:
        """Something changed: look now instead of at the next second."""
        self._wake.set()

    async def refresh_on_miss(self) -> Snapshot:
        """The snapshot after a reading that began after this call; all who miss meanwhile share it.

        While the database cannot be asked, the current one at once.
        """
        if self.database_down or not self._running:
            return self._current
        # A reading that is under way may have begun before the row was committed: only the next counts.
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._wake.set()
        await asyncio.wait([waiter], timeout=HUNG_S)
        return self._current

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """Begin to keep current; returns after the first attempt, from the database or else from disk."""
        if not self._running:
            self._running = True
            self._tasks.start(self._run(), "policy snapshot")
            self._tasks.start(self._compare_for_ever(), "policy snapshot comparison")
        await self._tried.wait()

    async def stop(self) -> None:
        """Save what changed since the last save, and close the thread's connection."""
        if not self._running:
            return
        self._running = False
        await self._tasks.stop()
        self._release(self._waiting)
        if self.ready and not self._failing:
            await asyncio.to_thread(self._keep_on_disk, True)
        if self._owns_executor:
            # A reading that hangs would hang this too; its connection ends with the process.
            closing = asyncio.get_running_loop().run_in_executor(self._executor, self._reader.close)
            await asyncio.wait([closing], timeout=HUNG_S)
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            pause_s = self._started_s + PACE_S - time.monotonic()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._look()
            finally:
                self._release(waiting)
                self._tried.set()
            try:
                await asyncio.wait_for(self._wake.wait(), self._poll_s)
            except TimeoutError:
                pass

    async def _look(self) -> None:
        """One reading, whatever comes of it."""
        began_ms = self._clock()
        self._started_s = time.monotonic()
        self._reading = True
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._executor, self._reader.read)
            if not self.ready:
                done, _ = await asyncio.wait([reading], timeout=HUNG_S)
                if not done:
                    await self._restore()
            snapshot = await reading
        except Exception as error:  # noqa: BLE001  the loop must not end; it is logged
            self._failed(error)
            await self._restore()
            return
        finally:
            self._reading = False
        if snapshot is not None:
            self._current = snapshot
        self._confirmed_ms = began_ms
        if self._failing:
            logger.info("The policy snapshot is current at version %d.", self._current.version)
        self._failing, self._complained_s = False, float("-inf")
        self._keep()

    def _failed(self, error: Exception) -> None:
        self._failing = True
        if time.monotonic() - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = time.monotonic()
            logger.error("The policy cannot be read; the last snapshot stays in use.", exc_info=error)

    @staticmethod
    def _release(waiting: list["asyncio.Future[None]"]) -> None:
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    # ------------------------------------------------------------ comparing

    async def _compare_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._full_compare_s)
            try:
                await self.compare()
            except Exception:
                logger.exception("The policy snapshot could not be compared with the database.")

    async def compare(self) -> list[str]:
        """Compare with everything in the database; what differs is alarmed and read again."""
        if self._owns_executor:
            astray = await asyncio.to_thread(self._compare_and_close)
        else:
            astray = await asyncio.get_running_loop().run_in_executor(self._executor, self._reader.astray)
        if astray:
            self.repairs += 1
            logger.error("The policy snapshot differed from the database: %s. Repaired.", ", ".join(astray))
            self.poke()
        return astray

    def _compare_and_close(self) -> list[str]:
        try:
            return self._reader.astray()
        finally:
            self._reader.close()

    # ------------------------------------------------------------ the copy on disk

    async def _restore(self) -> None:
        """Serve from disk until the database answers, if what is there is young enough."""
        if self.ready or not self._restores:
            return
        self._restores = False
        oldest_ms = self._clock() - self._max_age_s * 1000
        found = await asyncio.to_thread(self._saved.restore, oldest_ms)
        if found is not None and not self.ready:
            version, at_ms, data = found
            try:
                self._current = self._reader.adopt(version, data, at_ms)
            except KeyError:
                return
            self._confirmed_ms = at_ms
            logger.warning(
                "The database cannot be asked: serving by the policy saved %.0f s ago.", self.age_s
            )
        self._tried.set()

    def _keep(self) -> None:
        """Every few seconds, behind: note that the saved copy is current, or save a newer one."""
        now_s = time.monotonic()
        if self._keeping or now_s - self._confirmed_s < CONFIRM_EVERY_S:
            return
        self._confirmed_s, self._keeping = now_s, True
        saves = now_s - self._saved_s >= SAVE_EVERY_S
        self._tasks.start(asyncio.to_thread(self._keep_on_disk, saves), "policy snapshot on disk")

    def _keep_on_disk(self, saves: bool) -> None:
        try:
            with self._disk:  # the last save, at stop, may meet one that is under way
                self._write(saves)
        except Exception:
            logger.exception("The policy snapshot could not be saved on disk.")
        finally:
            self._keeping = False

    def _write(self, saves: bool) -> None:
        version, data = self._reader.state
        at_ms = self._confirmed_ms
        if self._saved.saved_version() == version:
            self._saved.confirm(version, at_ms)
        elif saves:
            self._saved.save(version, at_ms, data)
            self._saved_s = time.monotonic()
