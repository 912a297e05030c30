"""The change log and the snapshot on PostgreSQL, with real connections and real threads."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from gateway_project.clock import now, now_ms
from gateway_project.conf import config
from gateway_project.errors import KeyBlocked
from keys_app import policy
from keys_app.heartbeat import Heartbeat
from keys_app.models import VirtualKey, WorkerProcess
from keys_app.secrets import hash_secret
from keys_app.snapshot import SnapshotKeeper
from keys_app.snapshot_changes import changes_between, current_version
from keys_app.snapshot_reading import SnapshotReader
from keys_app.snapshot_rows import PolicySection
from tests.keys_app.people import make_key

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def own_pid() -> int:
    """The server's process for the test's own connection."""
    assert connection.vendor == "postgresql", "set GATEHOUSE_TEST_DATABASE_URL"
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(5)
    yield pool
    pool.shutdown(wait=True)


def alone(work: Any) -> Any:
    """Work in a thread with a connection of its own, closed at the end."""
    try:
        return work()
    finally:
        connections.close_all()


def change(key: VirtualKey, **values: Any) -> None:
    VirtualKey.objects.filter(pk=key.pk).update(**values)


def test_a_change_that_commits_late_is_not_skipped(threads: ThreadPoolExecutor) -> None:
    slow, _ = make_key("slow")
    quick, _ = make_key("quick")
    reader = SnapshotReader([], now_ms)
    reader.read()
    changed, may_commit = threading.Event(), threading.Event()

    def slowly() -> None:
        with transaction.atomic():
            change(slow, no_models=True)
            changed.set()
            assert may_commit.wait(10)

    first = threads.submit(alone, slowly)
    assert changed.wait(10)
    second = threads.submit(alone, lambda: change(quick, no_models=True))
    reader.read()  # neither is visible, and the quick one waits for the slow one's version
    assert not second.done()
    may_commit.set()
    first.result(10)
    second.result(10)
    reader.read()
    keys = reader.state[1]["policy"].keys
    assert keys[slow.secret_hash].no_models
    assert keys[quick.secret_hash].no_models


def test_a_reader_among_four_writers_misses_nothing(threads: ThreadPoolExecutor) -> None:
    keys = [make_key(f"key {number}")[0] for number in range(4)]
    reader = SnapshotReader([], now_ms)
    reader.read()

    def write(number: int) -> None:
        for turn in range(25):
            change(keys[number], name=f"{number}-{turn}")

    writers = [threads.submit(alone, lambda number=number: write(number)) for number in range(4)]
    versions = [reader.state[0]]
    while not all(writer.done() for writer in writers):
        reader.read()
        versions.append(reader.state[0])
    for writer in writers:
        writer.result()
    reader.read()
    assert reader.state[1]["policy"] == PolicySection().load()
    assert versions == sorted(versions)
    assert reader.state[0] - versions[0] == 100


def test_one_statement_over_many_rows_is_one_version() -> None:
    for number in range(20):
        make_key(f"key {number}")
    before = current_version()
    VirtualKey.objects.update(no_models=True)
    assert current_version() == before + 1
    changed = changes_between(before, before + 1)
    assert changed is not None
    assert len(changed["keys_app_virtualkey"]) == 20


def test_a_truncated_table_is_read_whole() -> None:
    make_key()
    reader = SnapshotReader([], now_ms)
    reader.read()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE keys_app_virtualkey CASCADE")
    reader.read()
    assert reader.state[1]["policy"].keys == {}


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[SnapshotKeeper]:
    keeper = SnapshotKeeper(folder=tmp_path)
    await keeper.start()
    yield keeper
    await keeper.stop()


async def test_a_block_is_seen_by_a_worker_that_only_polls(keeper: SnapshotKeeper) -> None:
    key, secret = await asyncio.to_thread(alone, make_key)
    digest = hash_secret(secret)
    assert policy.authenticate(await keeper.refresh_on_miss(), digest, now_ms()).key.name == "key"
    await asyncio.to_thread(alone, lambda: change(key, blocked_at=now()))
    async with asyncio.timeout(2):
        while not keeper.current.keys[digest].blocked:
            await asyncio.sleep(0.01)
    with pytest.raises(KeyBlocked):
        policy.authenticate(keeper.current, digest, now_ms())
    assert await keeper.compare() == []


async def test_a_connection_cut_by_the_server_is_replaced(keeper: SnapshotKeeper, own_pid: int) -> None:
    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
                [own_pid],
            )

    await asyncio.to_thread(alone, cut)
    _, secret = await asyncio.to_thread(alone, make_key)
    async with asyncio.timeout(5):
        while hash_secret(secret) not in keeper.current.keys:
            await keeper.refresh_on_miss()
            await asyncio.sleep(0.01)
    assert not keeper.database_down


def test_a_heartbeat_comes_and_goes_with_its_process() -> None:
    heartbeat = Heartbeat(config(), "journal-1", beat_s=0.01)
    heartbeat.start()
    while not WorkerProcess.objects.filter(journal="journal-1").exists():
        pass
    heartbeat.stop()
    assert not WorkerProcess.objects.exists()
