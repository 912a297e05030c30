"""Programs from npm, run against a Gatehouse that a test serves."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent / "node"
PACKAGES = FOLDER / "node_modules"
PATIENCE_S = 120.0
START_S = 20.0


def node() -> str:
    """The Node.js that `.ci/test-clients` found."""
    return os.environ.get("GATEHOUSE_NODE", "node")


def run(*command: str, folder: Path = FOLDER, **environment: str) -> "subprocess.CompletedProcess[str]":
    """One program with this environment and nothing of ours besides; what it said, whatever its exit."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def serving(*command: str, port: int, folder: Path = FOLDER) -> Iterator[None]:
    """A server of somebody else's, on this port of loopback, while the block runs."""
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < give_up, f"{command[1]} did not start"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
