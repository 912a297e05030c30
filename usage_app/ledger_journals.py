"""The journals of a data folder as the ledger reads them: how far, which calls are open, who is gone.

Reading never moves a journal's position: `settle` does, after the batch's commit.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from usage_app.journal_folder import probe_lock, segment_numbers, segment_path
from usage_app.journal_lines import CUT_OFF, BadLine, read_records
from usage_app.ledger_rows import OpenCall
from usage_app.models import JournalOffset
from usage_app.records import AttemptBegun, Begin, End, Progress, Record

logger = logging.getLogger("gatehouse.ledger")

Position = tuple[int, int]  # segment, byte offset
EMPTY_FOLDER_AGE_S = 60.0  # a folder without segments may be a writer that is just starting
QUARANTINE = "_quarantine"


@dataclass
class Chunk:
    """What was read of a journal in one go, and where it would stand after it."""

    tail: "JournalTail"
    items: list[tuple[Record | BadLine, Position]]  # each with where it starts
    after: Position
    resolves: bool = False  # the worker is gone and everything is read: open calls are interrupted

    @property
    def ends(self) -> set[str]:
        return {record.id for record, _ in self.items if isinstance(record, End)}

    def open_after(self) -> tuple[Position, int]:
        """Where to read from to find the calls still open after this chunk, and how many they are."""
        if self.resolves:
            return self.after, 0
        ended = self.ends
        still = [call.position for call in self.tail.open.values() if call.begin.id not in ended]
        still += [at for record, at in self.items if isinstance(record, Begin) and record.id not in ended]
        return (min(still) if still else self.after), len(still)


@dataclass
class JournalTail:
    """One worker's journal, read from where the database says."""

    folder: Path
    position: Position = (1, 0)
    open: dict[str, OpenCall] = field(default_factory=dict)
    lock: int | None = None  # held once the worker is gone
    oldest_segment: int = 0

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_dead(self) -> bool:
        return self.lock is not None

    def recall(self, row: JournalOffset) -> None:
        """Stand where the database says, and find the open calls again."""
        self.position = (row.segment, row.offset)
        self.open = {}
        if not row.open_calls:
            return
        calls: dict[str, OpenCall] = {}
        start = (row.open_from_segment, row.open_from_offset)
        for record, at, _ in self._walk(start, until=self.position):
            if isinstance(record, Begin):
                calls[record.id] = OpenCall(record, at)
            elif isinstance(record, End):
                calls.pop(record.id, None)
            elif isinstance(record, AttemptBegun | Progress) and record.id in calls:
                calls[record.id].note(record)
        self.open = calls

    def has_more(self) -> bool:
        """Whether something may be unread: one stat call when there is not."""
        segment, offset = self.position
        try:
            if segment_path(self.folder, segment).stat().st_size > offset:
                return True
        except FileNotFoundError:
            pass
        return segment_path(self.folder, segment + 1).exists()

    def unread_bytes(self) -> int:
        """How much there is still to read."""
        segment, offset = self.position
        total = 0
        for number in segment_numbers(self.folder):
            if number >= segment:
                size = segment_path(self.folder, number).stat().st_size
                total += size - offset if number == segment else size
        return max(total, 0)

    def read(self, most: int) -> Chunk:
        """The next records, at most so many. A dead worker's journal ends in resolving its open calls."""
        items: list[tuple[Record | BadLine, Position]] = []
        after = self.position
        for record, at, next_position in self._walk(self.position):
            if record is not None:
                items.append((record, at))
            after = next_position
            if len(items) >= most:
                return Chunk(self, items, after)
        return Chunk(self, items, after, resolves=self.is_dead)

    def settle(self, chunk: Chunk) -> None:
        """The chunk is committed: move on."""
        self.position = chunk.after
        for record, at in chunk.items:
            if isinstance(record, Begin):
                self.open[record.id] = OpenCall(record, at)
            elif isinstance(record, End):
                self.open.pop(record.id, None)
            elif isinstance(record, AttemptBegun | Progress) and record.id in self.open:
                self.open[record.id].note(record)
        if chunk.resolves:
            self.open = {}
        self._delete_covered()

    def take_if_dead(self) -> bool:
        """Take the worker's lock if it is gone: whatever it wrote is complete from then on."""
        if self.lock is None:
            self.lock = probe_lock(self.folder)
        return self.lock is not None

    def release(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def sweep(self) -> None:
        """Remove the folder of a finished journal; its lock is held until the end."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def is_starting(self) -> bool:
        """A folder without segments that is young: its writer is about to begin."""
        try:
            age_s = time.time() - self.folder.stat().st_mtime
        except FileNotFoundError:
            return True
        return not segment_numbers(self.folder) and age_s < EMPTY_FOLDER_AGE_S

    # ------------------------------------------------------------ inside

    def _walk(
        self, start: Position, until: Position | None = None
    ) -> Iterator[tuple[Record | BadLine | None, Position, Position]]:
        """(record, where it starts, where the next one does); no record when only a segment ends."""
        segment, offset = start
        while True:
            # Asked before reading: once the next segment exists this one is complete.
            has_next = segment_path(self.folder, segment + 1).exists()
            path = segment_path(self.folder, segment)
            if path.exists():
                for record, next_offset in read_records(path, offset, final=has_next or self.is_dead):
                    if has_next and isinstance(record, BadLine) and record.reason == CUT_OFF:
                        record = BadLine("torn, and its writer went on", record.data)
                    yield record, (segment, offset), (segment, next_offset)
                    offset = next_offset
                    if until is not None and (segment, offset) >= until:
                        return
            if not has_next:
                return
            segment, offset = segment + 1, 0
            yield None, (segment, 0), (segment, 0)
            if until is not None and (segment, offset) >= until:
                return

    def _delete_covered(self) -> None:
        """Delete segments that are in the database for good: read, committed, holding no open begin."""
        first_needed = min([self.position[0], *(call.position[0] for call in self.open.values())])
        for number in range(max(self.oldest_segment, 1), first_needed):
            segment_path(self.folder, number).unlink(missing_ok=True)
        self.oldest_segment = first_needed


class JournalShelf:
    """All journals of one data folder."""

    def __init__(self, directory: Path, host: str) -> None:
        self.directory = directory
        self.host = host
        self.tails: dict[str, JournalTail] = {}

    def discover(self) -> None:
        """Take up journals that are new here; adopt what was mounted again where it was left."""
        found = {
            entry.name
            for entry in os.scandir(self.directory)
            if entry.is_dir() and not entry.name.startswith("_")
        }
        for name in found - self.tails.keys():
            tail = JournalTail(self.directory / name)
            if row := JournalOffset.objects.filter(journal=name).first():
                tail.recall(row)
            elif numbers := segment_numbers(tail.folder):
                tail.position = (numbers[0], 0)
            numbers = segment_numbers(tail.folder)
            tail.oldest_segment = numbers[0] if numbers else 1
            self.tails[name] = tail
        for name in self.tails.keys() - found:
            self.tails.pop(name).release()

    def missing(self) -> list[str]:
        """Journals of this host that the database knows unfinished and the disk does not have."""
        rows = JournalOffset.objects.filter(host=self.host, finished_at=None)
        return sorted(set(rows.values_list("journal", flat=True)) - self.tails.keys())

    def forget(self) -> None:
        """Stand where the database says again: after a failure nothing in memory is believed."""
        for tail in self.tails.values():
            tail.release()
        self.tails.clear()

    def bury(self) -> None:
        """Look which workers are gone, and remove finished journals."""
        for tail in list(self.tails.values()):
            if tail.is_starting() or not tail.take_if_dead():
                continue
            row = JournalOffset.objects.filter(journal=tail.name).first()
            if row and row.finished_at and not tail.has_more():
                tail.sweep()
                del self.tails[tail.name]

    def quarantine(self, name: str, position: Position, problem: str, data: bytes) -> None:
        """Keep what cannot be read, for a person to look at."""
        folder = self.directory / QUARANTINE
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / f"{name}.txt").open("ab") as file:
            file.write(b"%d:%d %s\n%s\n" % (*position, problem.encode(), data))

    def unread_bytes(self) -> int:
        return sum(tail.unread_bytes() for tail in self.tails.values())

    def with_more(self) -> list[JournalTail]:
        """Journals that have something to write, or a dead worker's that is not resolved yet."""
        return [tail for tail in self.tails.values() if tail.has_more() or tail.is_dead]
