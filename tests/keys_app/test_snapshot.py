"""The snapshot keeper: current, through outages, from disk."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from gateway_project.clock import now, now_ms
from gateway_project.errors import InvalidKey, KeyBlocked
from keys_app import policy
from keys_app.entries import Snapshot
from keys_app.models import PolicyChange, VirtualKey
from keys_app.secrets import hash_secret
from keys_app.snapshot import SnapshotKeeper
from tests.keys_app.people import make_key, make_service, make_user
from tests.keys_app.snapshot_threads import Thread

pytestmark = pytest.mark.django_db

Write = Callable[[Callable[[], Any]], Any]


class Notes:
    """Another app's section: the names of services, in capitals."""

    name = "notes"
    tables = frozenset({"keys_app_service"})

    def __init__(self) -> None:
        self.broken = False
        self.loads = 0

    def load(self) -> list[str]:
        self.loads += 1
        if self.broken:
            raise ValueError("a row that cannot be read")
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM keys_app_service ORDER BY name")
            return [name.upper() for (name,) in cursor.fetchall()]

    def refresh(self, previous: list[str], changed: Mapping[str, frozenset[str]]) -> list[str]:
        assert set(changed) == {"keys_app_service"}
        return self.load()


@pytest.fixture
def thread() -> Iterator[Thread]:
    thread = Thread()
    yield thread
    thread.close()


@pytest.fixture
def write(thread: Thread) -> Write:
    """Runs database work beside the loop."""
    return lambda work: asyncio.get_running_loop().run_in_executor(thread, work)


@pytest.fixture
def make_keeper(thread: Thread, tmp_path: Path) -> Callable[..., SnapshotKeeper]:
    def make(*sections: Any, **options: Any) -> SnapshotKeeper:
        options.setdefault("poll_s", 3600)
        return SnapshotKeeper(sections, folder=tmp_path / "snapshot", executor=thread, **options)

    return make


@pytest.fixture
async def keeper(make_keeper: Callable[..., SnapshotKeeper]) -> AsyncIterator[SnapshotKeeper]:
    keeper = make_keeper()
    await keeper.start()
    yield keeper
    await keeper.stop()


def who(snapshot: Snapshot, secret: str) -> str:
    return policy.authenticate(snapshot, hash_secret(secret), now_ms()).key.name


async def test_before_the_first_reading_nothing_is_known_and_nothing_is_ready(
    make_keeper: Callable[..., SnapshotKeeper],
) -> None:
    keeper = make_keeper()
    assert not keeper.ready
    assert keeper.database_down
    assert await keeper.refresh_on_miss() is keeper.current
    with pytest.raises(InvalidKey):
        who(keeper.current, "sk-gh-anything")


async def test_a_key_made_a_moment_ago_works_at_once(keeper: SnapshotKeeper, write: Write) -> None:
    _, secret = await write(make_key)
    with pytest.raises(InvalidKey):
        who(keeper.current, secret)
    assert who(await keeper.refresh_on_miss(), secret) == "key"
    assert keeper.ready
    assert not keeper.database_down
    assert keeper.age_s < 5


def _by_save(key: VirtualKey) -> None:
    key.blocked_at = now()
    key.save()


def _by_update(key: VirtualKey) -> None:
    VirtualKey.objects.filter(pk=key.pk).update(blocked_at=now())


def _by_sql(key: VirtualKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_app_virtualkey SET blocked_at = %s", [now()])


@pytest.mark.parametrize("block", [_by_save, _by_update, _by_sql])
async def test_a_blocked_key_is_refused_after_one_refresh(
    keeper: SnapshotKeeper, write: Write, block: Callable[[VirtualKey], None]
) -> None:
    key, secret = await write(make_key)
    assert who(await keeper.refresh_on_miss(), secret) == "key"
    await write(lambda: block(key))
    with pytest.raises(KeyBlocked):
        who(await keeper.refresh_on_miss(), secret)


async def test_a_deactivated_owner_stops_the_keys(keeper: SnapshotKeeper, write: Write) -> None:
    alice = await write(make_user)
    _, secret = await write(lambda: make_key(user=alice))
    assert who(await keeper.refresh_on_miss(), secret) == "key"
    await write(lambda: type(alice).objects.update(is_active=False))
    with pytest.raises(KeyBlocked):
        who(await keeper.refresh_on_miss(), secret)


async def test_a_poke_is_heard_without_waiting_for_the_next_second(
    keeper: SnapshotKeeper, write: Write, thread: Thread
) -> None:
    _, secret = await write(make_key)
    keeper.poke()
    async with asyncio.timeout(5):
        while hash_secret(secret) not in keeper.current.keys:
            await asyncio.sleep(0)


async def test_a_hundred_misses_share_a_reading(keeper: SnapshotKeeper, thread: Thread) -> None:
    before = thread.readings
    await asyncio.gather(*(keeper.refresh_on_miss() for _ in range(100)))
    assert thread.readings - before <= 2


async def test_misses_one_after_the_other_are_paced(keeper: SnapshotKeeper, thread: Thread) -> None:
    before, began = thread.readings, asyncio.get_running_loop().time()
    for _ in range(6):
        await keeper.refresh_on_miss()
    assert thread.readings - before == 6
    assert asyncio.get_running_loop().time() - began >= 5 * 0.05 - 0.01


async def test_a_miss_during_a_reading_waits_for_one_that_began_later(
    keeper: SnapshotKeeper, thread: Thread
) -> None:
    thread.gate.clear()
    before = thread.readings
    keeper.poke()
    async with asyncio.timeout(5):
        while thread.readings == before:
            await asyncio.sleep(0)
    miss = asyncio.ensure_future(keeper.refresh_on_miss())
    await asyncio.sleep(0)
    thread.gate.set()
    await miss
    assert thread.readings == before + 2


async def test_nothing_is_read_again_when_nothing_changed(
    make_keeper: Callable[..., SnapshotKeeper], write: Write
) -> None:
    notes = Notes()
    keeper = make_keeper(notes)
    await keeper.start()
    await write(make_key)
    first = await keeper.refresh_on_miss()
    assert await keeper.refresh_on_miss() is first
    assert notes.loads == 1  # keys are none of its tables
    await write(make_service)
    assert (await keeper.refresh_on_miss()).sections["notes"] == ["SEARCH"]
    await keeper.stop()


async def test_a_pruned_change_log_means_reading_everything(keeper: SnapshotKeeper, write: Write) -> None:
    def make_and_prune() -> str:
        _, first = make_key("first")
        make_key("second")
        oldest = PolicyChange.objects.order_by("-version").values_list("version", flat=True)[1]
        PolicyChange.objects.filter(version__lte=oldest).delete()
        return first

    secret = await write(make_and_prune)
    assert who(await keeper.refresh_on_miss(), secret) == "first"


async def test_a_section_that_cannot_be_read_does_not_hold_back_the_keys(
    make_keeper: Callable[..., SnapshotKeeper], write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    keeper = make_keeper(notes)
    await keeper.start()
    notes.broken = True
    await write(make_service)
    _, secret = await write(make_key)
    with caplog.at_level(logging.CRITICAL, "gatehouse.snapshot"):
        snapshot = await keeper.refresh_on_miss()
    assert who(snapshot, secret) == "key"
    assert snapshot.sections["notes"] == []
    notes.broken = False
    assert (await keeper.refresh_on_miss()).sections["notes"] == ["SEARCH"]  # without another change
    await keeper.stop()


async def test_without_the_database_known_keys_go_on_and_unknown_ones_cannot_be_judged(
    keeper: SnapshotKeeper, write: Write, thread: Thread, caplog: pytest.LogCaptureFixture
) -> None:
    _, secret = await write(make_key)
    await keeper.refresh_on_miss()
    thread.down = True
    await keeper.refresh_on_miss()
    assert keeper.database_down
    assert who(keeper.current, secret) == "key"
    assert [record.levelname for record in caplog.records if record.name == "gatehouse.snapshot"] == ["ERROR"]
    before = thread.readings
    assert await keeper.refresh_on_miss() is keeper.current  # at once: a flood costs nothing
    assert thread.readings == before
    thread.down = False
    keeper.poke()
    async with asyncio.timeout(5):
        while keeper.database_down:
            await asyncio.sleep(0)


async def test_a_comparison_repairs_what_went_astray(
    keeper: SnapshotKeeper, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    _, secret = await write(make_key)
    await keeper.refresh_on_miss()
    assert await keeper.compare() == []
    version, data = keeper._reader.state
    keeper._reader._state = version, {**data, "policy": type(data["policy"])()}
    assert await keeper.compare() == ["policy"]
    assert keeper.repairs == 1
    assert "policy" in caplog.text
    assert who(await keeper.refresh_on_miss(), secret) == "key"


async def test_a_restart_without_the_database_serves_from_disk(
    make_keeper: Callable[..., SnapshotKeeper], write: Write, thread: Thread
) -> None:
    _, secret = await write(make_key)
    first = make_keeper(Notes())
    await first.start()
    await first.stop()
    thread.down = True
    second = make_keeper(Notes())
    await second.start()
    assert second.ready
    assert second.database_down
    assert who(second.current, secret) == "key"
    assert second.current.sections == {"notes": []}
    thread.down = False
    _, later = await write(lambda: make_key("later"))
    second.poke()
    async with asyncio.timeout(5):
        while second.database_down:
            await asyncio.sleep(0)
    assert who(second.current, later) == "later"
    await second.stop()


async def test_a_hanging_database_does_not_hold_up_a_start_from_disk(
    make_keeper: Callable[..., SnapshotKeeper], write: Write, thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = await write(make_key)
    first = make_keeper()
    await first.start()
    await first.stop()
    monkeypatch.setattr("keys_app.snapshot.HUNG_S", 0.05)
    thread.gate.clear()
    second = make_keeper()
    await second.start()
    assert second.database_down
    assert who(await second.refresh_on_miss(), secret) == "key"
    thread.gate.set()
    await second.stop()


@pytest.mark.parametrize(("age_s", "serves"), [(3599, True), (3601, False)])
async def test_what_is_saved_serves_for_its_age_only(
    make_keeper: Callable[..., SnapshotKeeper], thread: Thread, age_s: int, serves: bool
) -> None:
    first = make_keeper()
    await first.start()
    await first.stop()
    thread.down = True
    second = make_keeper(max_age_s=3600, clock=lambda: now_ms() + age_s * 1000)
    await second.start()
    assert second.ready is serves
    await second.stop()


async def test_what_is_saved_cannot_be_read_without_the_key(
    make_keeper: Callable[..., SnapshotKeeper], write: Write, tmp_path: Path
) -> None:
    await write(lambda: make_key("a name that would be found"))
    keeper = make_keeper()
    await keeper.start()
    await keeper.stop()
    folder = tmp_path / "snapshot"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == ["policy.confirmed", "policy.snapshot"]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"a name that would be found" not in path.read_bytes()
