"""Keeps programs running: restart with back-off, stop in order, each within its own bound.

Every program leads a process group of its own, so that a Ctrl-C in the terminal reaches the keeper
alone and what a dead leader left behind can still be found. Standard library only.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0
SETTLED_S = 10.0  # a program that lived so long starts again without having to wait
START_ATTEMPTS = 5
POLL_S = 0.05
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_STOP_S = 0.5  # a terminal and make may both pass one Ctrl-C on
CHILD_SUBREAPER = 36  # Linux's prctl option


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how long it may take to stop once it was asked to."""

    name: str
    command: tuple[str, ...]
    stop_within_s: float


@dataclass(slots=True)
class Child:
    """One program's present process, and what is known of its former ones."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    stop_by: float | None = None
    #: groups whose leader died, with the time at which what is left of them is killed
    leftovers: dict[int, float] = field(default_factory=dict)


class Keeper:
    """Owns the children of one supervisor. `run` returns the supervisor's exit status."""

    def __init__(
        self,
        programs: tuple[Program, ...],
        *,
        environment: Mapping[str, str],
        folder: Path,
        inherited: tuple[int, ...] = (),
        is_ready: Callable[[], bool],
        on_ready: Callable[[], None],
        drain_s: float,
        first_delay_s: float = FIRST_DELAY_S,
    ) -> None:
        self._children = [Child(program) for program in programs]
        self._environment = environment
        self._folder = folder
        self._inherited = inherited
        self._is_ready = is_ready
        self._on_ready = on_ready
        self._drain_s = drain_s
        self._first_delay_s = first_delay_s
        self._ready = False
        self._stop_asked_at: float | None = None
        self._at_once = False
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Start everything and keep it until a stop signal, or until a start fails for good."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        adopt_orphans()
        former = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)}
        former_wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number, handler in former.items():
            # nohup: a hang-up that was ignored when we started stays so. (A shell's background job
            # starts with SIGINT ignored too, but whoever sends one to us by name means it.)
            if number != signal.SIGHUP or handler is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            while self._step():
                select.select([reading], [], [], self._patience())
                with suppress(BlockingIOError):
                    os.read(reading, 4096)
        finally:
            self._kill_everything()
            signal.set_wakeup_fd(former_wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)
        return self._status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number not in STOP_SIGNALS:
            return
        now = time.monotonic()
        if self._stop_asked_at is None:
            self._stop_asked_at = now
        elif number != signal.SIGHUP and now - self._stop_asked_at > SAME_STOP_S:
            self._at_once = True

    def _patience(self) -> float:
        """How long nothing needs doing unless a signal comes."""
        waiting = any(child.process is None or child.leftovers for child in self._children)
        return POLL_S if waiting or self._stopping or not self._ready else 1.0

    # One step of the loop

    def _step(self) -> bool:
        """Look after everything once; False when all has ended."""
        now = time.monotonic()
        self._reap(now)
        self._clear_leftovers(now)
        if self._stop_asked_at is not None and not self._stopping:
            self._begin_stop()
        if self._at_once:
            self._status = 128 + signal.SIGINT
            return False
        if self._stopping:
            return self._stop_next(now)
        for child in self._children:
            if child.process is None and now >= child.start_at:
                self._start(child, now)
        if not self._ready and self._is_ready():
            self._ready = True
            self._on_ready()
        return True

    def _start(self, child: Child, now: float) -> None:
        child.started_at = now
        child.process = subprocess.Popen(
            child.program.command,
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            pass_fds=self._inherited,
            start_new_session=True,
        )

    def _reap(self, now: float) -> None:
        """Collect every process that ended, also strangers we inherited as a container's first one."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.process is not None and child.process.pid == pid:
                    child.process.returncode = os.waitstatus_to_exitcode(status)
                    self._ended(child, child.process, now)

    def _ended(self, child: Child, process: subprocess.Popen[bytes], now: float) -> None:
        child.process = None
        if send_group(process.pid, signal.SIGTERM):
            child.leftovers[process.pid] = now + self._drain_s + 5.0
        if self._stopping and child.stop_by is not None:
            if process.returncode not in (0, -signal.SIGTERM):
                say(f"The {child.program.name} {how_it_ended(process.returncode)} while stopping.")
            return
        child.failures = 1 if now - child.started_at > SETTLED_S else child.failures + 1
        delay = min(self._first_delay_s * 2 ** (child.failures - 1), LONGEST_DELAY_S)
        child.start_at = now + delay
        say(f"The {child.program.name} {how_it_ended(process.returncode)}; starting it again.")
        if not self._ready and child.failures >= START_ATTEMPTS:
            # Later on it is tried for ever: calls may still be served, and journals wait.
            say(
                f"The {child.program.name} could not be started in {START_ATTEMPTS} attempts; "
                "the lines above say why."
            )
            self._status = 1
            self._begin_stop()

    def _clear_leftovers(self, now: float) -> None:
        for child in self._children:
            for group, kill_at in list(child.leftovers.items()):
                over = now >= kill_at
                alive = send_group(group, signal.SIGKILL if over else 0)
                if over or not alive:
                    del child.leftovers[group]

    # Stopping, in order

    def _begin_stop(self) -> None:
        self._stopping = True
        if self._status == 0:
            say(
                f"Stopping: open calls may finish (up to {self._drain_s:g} s), then the ledger is written. "
                "Ctrl-C again ends everything at once."
            )

    def _stop_next(self, now: float) -> bool:
        """Ask the first child that still lives to end; False when none lives."""
        for position, child in enumerate(self._children):
            if child.process is None and not child.leftovers:
                continue
            for later in self._children[position + 1 :]:
                # The ledger writes what the draining server still does: it is kept until its turn.
                if self._ready and later.process is None and now >= later.start_at:
                    self._start(later, now)
            if child.stop_by is None:
                child.stop_by = now + child.program.stop_within_s
                if child.process is not None:
                    child.process.terminate()
            elif now >= child.stop_by and child.process is not None:
                name, bound = child.program.name, child.program.stop_within_s
                say(f"The {name} did not stop in {bound:g} s and is ended.")
                send_group(child.process.pid, signal.SIGKILL)
                self._status = self._status or 1
            return True
        return False

    def _kill_everything(self) -> None:
        for child in self._children:
            groups = [*child.leftovers, *([child.process.pid] if child.process is not None else [])]
            for group in groups:
                send_group(group, signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
                child.process = None


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind, so that it is reaped and seen to end."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0)


def send_group(group: int, number: int) -> bool:
    """Signal what is left of a process group (0 only asks); False when nobody is."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS, for a group of zombies
        return False
    return True


def how_it_ended(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def say(sentence: str) -> None:
    """One line for whoever watches the terminal."""
    with suppress(OSError):
        print(f"gatehouse: {sentence}", file=sys.stderr, flush=True)
