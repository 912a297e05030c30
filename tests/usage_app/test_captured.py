"""Bodies from the workers' files to their rows and back, and how long they stay."""

import os
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from gateway_project.clock import now, now_ms, uuid7_text
from keys_app.crypto import Unreadable
from usage_app import captured
from usage_app.captured import OPEN, BodyWriter, Said
from usage_app.models import CapturedBody

pytestmark = pytest.mark.django_db
SAID = Said('{"question": 1}', '{"answer": 2}', {"user-agent": "x"}, {"x-request-id": "y"})


def written(data: Path, *ids: str, days: int = 7, worker: str = "worker-1") -> BodyWriter:
    writer = BodyWriter(data, worker)
    for call_id in ids:
        assert writer.write(call_id, "service-1", now_ms(), days, SAID)
    return writer


def test_what_a_worker_handed_over_is_taken_in_and_read_again(tmp_path: Path) -> None:
    first, second = uuid7_text(), uuid7_text()
    writer = written(tmp_path, first, second)
    assert captured.take_in(tmp_path) == 0  # the worker still writes
    writer.hand_over()
    assert captured.take_in(tmp_path) == 2
    assert captured.read(uuid.UUID(first)) == SAID
    assert captured.is_kept(uuid.UUID(second))
    assert list((tmp_path / captured.FOLDER).iterdir()) == []
    assert captured.take_in(tmp_path) == 0


def test_a_killed_workers_file_is_taken_in_once_it_is_old_and_its_torn_end_left_out(tmp_path: Path) -> None:
    whole, torn = uuid7_text(), uuid7_text()
    written(tmp_path, whole, torn)
    [path] = (tmp_path / captured.FOLDER).glob(f"*{OPEN}")
    path.write_bytes(path.read_bytes()[:-30])
    long_ago = time.time() - captured.ABANDONED_S - 1
    os.utime(path, (long_ago, long_ago))
    assert captured.take_in(tmp_path) == 1
    assert captured.read(uuid.UUID(whole)) == SAID
    assert captured.read(uuid.UUID(torn)) is None


def test_a_file_that_was_taken_in_already_changes_nothing(tmp_path: Path) -> None:
    call_id = uuid7_text()
    for worker in ("worker-1", "worker-2"):
        written(tmp_path, call_id, worker=worker).hand_over()
    captured.take_in(tmp_path)
    assert CapturedBody.objects.count() == 1


def test_it_stays_as_long_as_its_service_said_and_not_a_day_longer(tmp_path: Path) -> None:
    call_id = uuid7_text()
    written(tmp_path, call_id, days=3).hand_over()
    captured.take_in(tmp_path)
    row = CapturedBody.objects.get()
    assert timedelta(days=2, hours=23) < row.expires_at - now() <= timedelta(days=3)
    assert captured.delete_expired() is False
    CapturedBody.objects.update(expires_at=now() - timedelta(seconds=1))
    assert captured.read(uuid.UUID(call_id)) is None  # before anybody has deleted it
    captured.delete_expired()
    assert not CapturedBody.objects.exists()


def test_a_row_that_was_moved_or_changed_cannot_be_read(tmp_path: Path) -> None:
    first, second = uuid7_text(), uuid7_text()
    written(tmp_path, first, second).hand_over()
    captured.take_in(tmp_path)
    CapturedBody.objects.filter(pk=first).update(data=CapturedBody.objects.get(pk=second).data)
    with pytest.raises(Unreadable):
        captured.read(uuid.UUID(first))
