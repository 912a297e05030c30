"""SIGKILL to workers and to the ledger process, at random: what a provider saw has exactly one row."""

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from gateway_project.conf import BASE_DIR

KILLS = 4


class House:
    """A data folder of its own, with processes that can be killed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.seen = data / "seen.txt"
        self.database = data / "gatehouse.sqlite3"
        self.running: list[subprocess.Popen[bytes]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
        self.environment = {
            **kept,
            "GATEHOUSE_DATA": str(data),
            "GATEHOUSE_TIME_ZONE": "Asia/Seoul",
            "PYTHONPATH": str(BASE_DIR),
        }

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command],
            cwd=BASE_DIR,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.running.append(process)
        return process

    def manage(self, *command: str) -> None:
        process = self.start("manage.py", *command)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start("-m", "tests.usage_app.calling_worker", str(self.data / "journal"), str(self.seen))

    def calls_seen(self) -> int:
        return self.seen.read_bytes().count(b"\n") if self.seen.exists() else 0

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.manage("migrate", "-v0")
    # The price list is another test's matter.
    house.manage("shell", "-c", PRICES_ARE_READ)
    yield house
    for process in house.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


PRICES_ARE_READ = """
import importlib.metadata
from usage_app.models import LedgerSettings
LedgerSettings.objects.create(pk=1, price_list_version=importlib.metadata.version("genai-prices"))
"""


def run_until_seen(house: House, worker: subprocess.Popen[bytes], calls: int) -> None:
    """Let a worker run until a provider saw so many calls more: how soon that is the machine decides."""
    wanted = house.calls_seen() + calls
    while house.calls_seen() < wanted:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(timeout=0.02)
            raise AssertionError(worker.stderr.read().decode() if worker.stderr else "it ended by itself")


def run_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Let a process run so long, then kill it where it stands."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
        raise AssertionError(process.stderr.read().decode() if process.stderr else "it ended by itself")
    process.kill()
    process.wait()


def test_every_call_a_provider_saw_has_one_row_however_often_everything_is_killed(house: House) -> None:
    dice = random.Random()
    ledger = house.start("manage.py", "run_ledger")
    for _ in range(KILLS):
        worker = house.worker()
        run_until_seen(house, worker, 30)
        run_for(worker, dice.uniform(0, 0.4))
        run_for(ledger, dice.uniform(0.05, 1.3))
        ledger = house.start("manage.py", "run_ledger")
    run_for(ledger, 0.5)
    house.manage("run_ledger", "--once")
    seen = [UUID(line).hex for line in house.seen.read_text().split()]
    rows = Counter(str(row[0]) for row in house.query("SELECT id FROM usage_app_request"))
    tries = Counter(str(row[0]) for row in house.query("SELECT request_id FROM usage_app_attempt"))
    assert len(seen) > 100
    assert set(seen) <= rows.keys()
    assert max(rows.values()) == max(tries.values()) == 1
    assert set(seen) <= tries.keys()
    unseen = rows.keys() - set(seen)
    assert len(unseen) <= KILLS  # begun, killed before it was sent
    ((interrupted,),) = house.query("SELECT COUNT(*) FROM usage_app_request WHERE status = 'interrupted'")
    assert 0 < int(str(interrupted)) <= KILLS * 10
    house.manage("audit_ledger")
    left = [entry.name for entry in (house.data / "journal").iterdir() if not entry.name.startswith("_")]
    assert left == []
    assert house.query("SELECT kind, subject, detail FROM usage_app_alert") == []


def test_a_wrong_sum_fails_the_audit(house: House) -> None:
    worker = house.worker()
    run_until_seen(house, worker, 10)
    run_for(worker, 0)
    house.manage("run_ledger", "--once")
    with contextlib.closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE usage_app_rollup SET cost_nanodollars = cost_nanodollars + 1")
    audit = house.start("manage.py", "audit_ledger")
    audit.communicate(timeout=60)
    assert audit.returncode == 1


def test_a_second_ledger_process_waits_for_the_first(house: House) -> None:
    first = house.start("manage.py", "run_ledger")
    status = house.data / "journal" / "_status.json"
    while not status.exists():
        assert first.poll() is None
        with contextlib.suppress(subprocess.TimeoutExpired):
            first.wait(timeout=0.05)
    second = house.start("manage.py", "run_ledger", "--once")
    _, errors = second.communicate(timeout=60)
    assert second.returncode != 0
    assert b"Another ledger process" in errors
    first.terminate()
    assert first.wait(timeout=25) == 0
