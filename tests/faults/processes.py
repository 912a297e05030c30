"""The processes of a running Gatehouse, found under its supervisor in /proc, and the mock as one."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.serving import ROOT
from tests.upstream.server import CREDENTIALS


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, …; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rsplit(")", 1)[1].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    fields = stat_of(pid)
    return bool(fields) and fields[0] != "Z"


def children(pid: int) -> list[int]:
    """Living children of a process."""
    everyone = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [each for each in everyone if is_alive(each) and stat_of(each)[1] == str(pid)]


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def workers(supervisor: int) -> list[int]:
    """gunicorn's workers: children of the child that runs gunicorn."""
    servers = [pid for pid in children(supervisor) if "gunicorn" in command(pid)]
    return [worker for server in servers for worker in children(server)]


def ledgers(supervisor: int) -> list[int]:
    return [pid for pid in children(supervisor) if "run_ledger" in command(pid)]


def until(condition: Callable[[], Any], patience_s: float = 20.0, what: str = "") -> Any:
    """The condition's value as soon as it is true."""
    give_up = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < give_up, what or condition
        time.sleep(0.02)
    return value


def is_free(port: int) -> bool:
    """Whether another program could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def rows(database: Path, query: str) -> list[Any]:
    """What a query finds in a SQLite file, past the server."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


class MockProcess:
    """The scripted mock in a process of its own, with a log of what it saw."""

    credentials = CREDENTIALS

    def __init__(self, folder: Path, interval_ms: int = 0) -> None:
        self.log = folder / "mock.log"
        self._interval_ms = interval_ms

    def __enter__(self) -> Self:
        words = ["--log", str(self.log), "--interval-ms", str(self._interval_ms)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.upstream", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it complains of every connection that a kill broke
            text=True,
        )
        assert self._process.stdout is not None
        base = self._process.stdout.readline().split()[-1]
        self.urls = {"openai": f"{base}/v1", "anthropic": base, "gemini": base}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)

    def seen(self) -> list[tuple[str, int]]:
        """(request id, attempt number) of everything that arrived."""
        lines = self.log.read_text("utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [(entry["request_id"], entry["attempt"]) for entry in entries]
