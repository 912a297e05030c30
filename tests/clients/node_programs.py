"""Programs from npm, run against a Gatehouse that a test serves."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "node"
PACKAGES = FOLDER / "node_modules"
NOWHERE = "http://127.0.0.1:9"  # discard: whatever asks another host than the gateway fails at once
PATIENCE_S = 120.0
START_S = 20.0


def node() -> str:
    """The Node.js that `.ci/test-clients` found."""
    return os.environ.get("GATEHOUSE_NODE", "node")


def run(
    *command: str, folder: Path = FOLDER, text: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """One program with this environment and nothing of ours besides; what it said, whatever its exit. `text`
    is its standard input."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, "NO_COLOR": "1", **environment},
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def run_agent(*command: str, folder: Path, text: str = "", **environment: str) -> tuple[int, list[Any], str]:
    """An agent at home in this folder, with no way to any host but this one: its exit, the events it told as
    lines of JSON, and all it said."""
    ways = {"HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1"}
    done = run(*command, folder=folder, text=text, HOME=str(folder), **ways, **environment)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, events, done.stdout + done.stderr


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
