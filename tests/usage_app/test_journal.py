"""The journal keeps what it was given, or says that it cannot."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_project.errors import JournalFull
from tests.usage_app.workload import a_begin, a_progress, an_attempt, an_end
from usage_app.journal import LOOK_INTERVAL_S, JournalWriter, new_worker_id
from usage_app.journal_folder import JournalInUse, probe_lock, segment_numbers, segment_path
from usage_app.journal_lines import BadLine, read_records
from usage_app.records import Caller, End


def make(directory: Path, **changes: object) -> JournalWriter:
    settings = {"spare_bytes": 0, "minimum_free_bytes": 0, **changes}
    writer = JournalWriter(directory, "worker", **settings)
    writer.open()
    return writer


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    writer = make(tmp_path)
    begin = a_begin()
    records = [begin, an_attempt(begin.id), a_progress(begin.id, 7), an_end(begin.id)]
    for record in records:
        writer.append(record)
    found = list(read_records(segment_path(writer.folder, 1)))
    assert [record for record, _ in found] == records
    assert writer.open_calls == 0
    # From any of the offsets the rest follows.
    for number, (_, offset) in enumerate(found):
        rest = [record for record, _ in read_records(segment_path(writer.folder, 1), offset)]
        assert rest == records[number + 1 :]
    writer.close()


def test_a_line_cut_at_any_byte_is_not_yet_while_its_writer_lives_and_bad_when_it_is_gone(
    tmp_path: Path,
) -> None:
    writer = make(tmp_path)
    writer.append(a_progress("first", 1))
    writer.append(a_progress("second", 2))
    writer.close()
    path = segment_path(writer.folder, 1)
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    for cut in range(first_line + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert [r.id for r, _ in read_records(path)] == ["first"]
        (_, torn) = [record for record, _ in read_records(path, final=True)]
        assert isinstance(torn, BadLine)


@pytest.mark.parametrize("position", [0, 5, 10, 20, 40])
def test_a_flipped_byte_is_noticed_and_the_next_record_read(tmp_path: Path, position: int) -> None:
    writer = make(tmp_path)
    writer.append(a_progress("first", 1))
    writer.append(a_progress("second", 2))
    writer.close()
    path = segment_path(writer.folder, 1)
    data = bytearray(path.read_bytes())
    data[position] ^= 0x15
    path.write_bytes(bytes(data))
    bad, good = [record for record, _ in read_records(path)]
    assert isinstance(bad, BadLine)
    assert good == a_progress("second", 2)


def test_segments_rotate_and_nothing_is_lost(tmp_path: Path) -> None:
    writer = make(tmp_path, segment_bytes=2_000)
    ends = [an_end() for _ in range(20)]
    for end in ends:
        writer.append(end)
    writer.sync()
    writer.append(an_end(ends[0].id))
    writer.close()
    numbers = segment_numbers(writer.folder)
    assert len(numbers) > 5
    found = [record.id for n in numbers for record, _ in read_records(segment_path(writer.folder, n))]
    assert found == [end.id for end in ends] + [ends[0].id]


def test_a_short_write_leaves_no_trace(tmp_path: Path) -> None:
    shorts = [True]

    def write(descriptor: int, data: bytes) -> int:
        if shorts and shorts.pop():
            return os.write(descriptor, data[: len(data) // 2])
        return os.write(descriptor, data)

    writer = make(tmp_path, write=write)
    with pytest.raises(JournalFull):
        writer.append(a_begin())
    assert not writer.has_room()
    assert writer.open_calls == 0
    writer.sync()
    assert writer.has_room()
    end = an_end()
    writer.append(end)
    writer.close()
    assert [record for record, _ in read_records(segment_path(writer.folder, 1))] == [end]


def test_a_full_disk_refuses_new_calls_and_keeps_the_ends_of_open_ones(tmp_path: Path) -> None:
    full = [False]

    def write(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    writer = make(tmp_path, write=write)
    begin = a_begin()
    writer.append(begin)
    full[0] = True
    with pytest.raises(JournalFull):
        writer.append(a_begin())
    with pytest.raises(JournalFull):
        writer.append(an_attempt(begin.id))
    writer.append(a_progress(begin.id, 3))  # lost, and no harm
    writer.append(an_end(begin.id))
    assert not writer.has_room()
    full[0] = False
    writer.close()
    kinds = [type(record).__name__ for record, _ in read_records(segment_path(writer.folder, 1))]
    assert kinds == ["Begin", "End"]


def test_room_counts_the_ends_of_open_calls(tmp_path: Path) -> None:
    left = [100_000]
    writer = make(tmp_path, minimum_free_bytes=50_000, free=lambda _: left[0])
    begins = [a_begin() for _ in range(3)]
    for begin in begins:
        writer.append(begin)
    writer.sync()
    assert writer.has_room()
    writer.append(a_begin())
    writer.sync()
    assert not writer.has_room()
    with pytest.raises(JournalFull):
        writer.append(a_begin())
    for begin in begins:
        writer.append(an_end(begin.id))
    writer.sync()
    assert writer.has_room()
    writer.close()


def test_room_is_set_aside_on_the_disk(tmp_path: Path) -> None:
    writer = make(tmp_path, spare_bytes=1_000_000)
    assert (writer.folder / "spare").stat().st_blocks * 512 >= 1_000_000
    writer.close()
    assert not (writer.folder / "spare").exists()


def test_the_lock_tells_whether_a_worker_lives(tmp_path: Path) -> None:
    writer = make(tmp_path)
    assert probe_lock(writer.folder) is None
    writer.close()
    held = probe_lock(writer.folder)
    assert held is not None
    os.close(held)


def test_the_lock_is_not_inherited_by_children(tmp_path: Path) -> None:
    writer = make(tmp_path)
    program = [sys.executable, "-c", "print('up', flush=True); input()"]
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
        writer.close()
        held = probe_lock(writer.folder)
        assert held is not None
        os.close(held)
    finally:
        child.communicate(b"\n")


def test_a_worker_id_is_good_for_one_run(tmp_path: Path) -> None:
    make(tmp_path).close()
    with pytest.raises(JournalInUse):
        make(tmp_path)
    assert new_worker_id() != new_worker_id()
    assert len(new_worker_id()) <= 64


def test_text_that_is_no_unicode_is_still_recorded(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.append(an_end(caller=Caller(end_user="half a pair \ud83d")))
    writer.close()
    ((record, _),) = read_records(segment_path(writer.folder, 1))
    assert isinstance(record, End)
    assert record.caller.end_user.startswith("half a pair")


def test_an_idle_journal_has_nothing_to_sync_and_looks_at_its_disk_once_a_second(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.sync()
    assert not writer._is_sync_due()
    writer.append(a_progress("call", 1))
    assert writer._is_sync_due()
    writer.sync()
    writer._looked_s -= LOOK_INTERVAL_S
    assert writer._is_sync_due()
    writer.close()


async def test_the_sync_loop_syncs_once_more_when_it_is_stopped(tmp_path: Path) -> None:
    import asyncio

    writer = make(tmp_path)
    task = asyncio.create_task(writer.run_sync_loop(interval_s=0.001))
    await asyncio.sleep(0)
    writer.append(an_end())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not writer._unsynced
    writer.close()


def test_a_begin_and_its_first_attempt_are_written_together(tmp_path: Path) -> None:
    writer = make(tmp_path)
    begin = a_begin()
    attempt = an_attempt(begin.id)
    writer.begin(begin, attempt)
    assert writer.open_calls == 1
    writer.close()
    assert [record for record, _ in read_records(segment_path(writer.folder, 1))] == [begin, attempt]
