"""A keeper in a process of its own, over small programs that write down what happens to them.

`python -m tests.gateway_project.keeping FOLDER SERVER LEDGER` runs two of the programs below under the
keeper; each line they write goes to FOLDER/diary.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway_project import lifeline, programs
from gateway_project.conf import BASE_DIR
from gateway_project.programs import Keeper, Program

WAIT_S = 20.0


def note(folder: Path, line: str) -> None:
    """Append a line in one write, so that programs never write into one another's."""
    descriptor = os.open(folder / "diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def obedient(folder: Path, name: str) -> None:
    """Runs until SIGTERM, then takes a moment to end."""

    def stop(number: int, frame: object) -> None:
        note(folder, f"{name} asked to stop")
        time.sleep(0.1)
        note(folder, f"{name} ended")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    lifeline.watch()
    note(folder, f"{name} started {os.getpid()}")
    while True:
        signal.pause()


def stubborn(folder: Path, name: str) -> None:
    """Will not end when asked."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline.watch(grace_s=0.2)
    note(folder, f"{name} started {os.getpid()}")
    while True:
        signal.pause()


def broken(folder: Path, name: str) -> None:
    """Ends at once, every time."""
    note(folder, f"{name} started {os.getpid()}")
    sys.exit(7)


def fragile(folder: Path, name: str) -> None:
    """Ends at once the first time, then obeys."""
    if f"{name} started" not in (folder / "diary").read_text():
        broken(folder, name)
    obedient(folder, name)


def parent(folder: Path, name: str) -> None:
    """Has a child in its group, as gunicorn's arbiter has workers."""
    command = (sys.executable, "-m", __spec__.name, str(folder), "child", "obedient")
    descriptor = lifeline._descriptor()
    subprocess.Popen(command, pass_fds=() if descriptor is None else (descriptor,))
    obedient(folder, name)


KINDS: dict[str, Callable[[Path, str], None]] = {
    kind.__name__: kind for kind in (obedient, stubborn, broken, fragile, parent)
}


def main(folder: Path, server: str, ledger: str) -> int:
    if server in ("child", "server", "ledger"):
        KINDS[ledger](folder, server)
        return 0
    programs.SAME_STOP_S = 0.0
    reading, _writing = os.pipe()
    command = (sys.executable, "-m", __spec__.name, str(folder))
    return Keeper(
        (
            Program("server", (*command, "server", server), stop_within_s=1.0),
            Program("ledger", (*command, "ledger", ledger), stop_within_s=1.0),
        ),
        environment={**os.environ, lifeline.LIFELINE_VARIABLE: str(reading)},
        folder=BASE_DIR,
        inherited=(reading,),
        is_ready=lambda: "server started" in (folder / "diary").read_text() and "never" not in folder.name,
        on_ready=lambda: note(folder, "ready"),
        drain_s=1.0,
        first_delay_s=0.01,
    ).run()


class Kept:
    """The test's side: starts the keeper, reads its diary, sends it signals."""

    def __init__(self, folder: Path, server: str, ledger: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        (folder / "diary").touch()
        command = (sys.executable, "-m", "tests.gateway_project.keeping", str(folder), server, ledger)
        self.process = subprocess.Popen(
            command, cwd=BASE_DIR, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    @property
    def diary(self) -> list[str]:
        return (self.folder / "diary").read_text().splitlines()

    def pids(self, name: str) -> list[int]:
        return [int(line.rsplit(" ", 1)[1]) for line in self.diary if line.startswith(f"{name} started")]

    def until(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < limit, (self.diary, self.process.poll())
            time.sleep(0.01)

    def until_started(self, *names: str, times: int = 1) -> None:
        for name in names:
            self.until(lambda name=name: len(self.pids(name)) >= times)  # type: ignore[misc]

    def end(self) -> tuple[int, str]:
        """Wait for the keeper; its exit status and what it said."""
        _, said = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, said

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def is_alive(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
