"""A journal folder, a writer and a ledger for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger


@pytest.fixture
def journal_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "journal"
    folder.mkdir()
    return folder


@pytest.fixture
def writer(journal_dir: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(journal_dir, "worker-1", spare_bytes=0, minimum_free_bytes=0)
    writer.open()
    yield writer
    writer.close()


@pytest.fixture
def ledger(journal_dir: Path) -> Iterator[Ledger]:
    ledger = Ledger(journal_dir, "here")
    ledger.lock()
    yield ledger
    ledger.unlock()


def read_all(ledger: Ledger) -> None:
    """Steps until nothing is left, workers that are gone included."""
    ledger._due.pop("dead", None)
    while ledger.step():
        pass
