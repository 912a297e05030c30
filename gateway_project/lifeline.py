"""How a process learns that it should end: the supervisor is gone, or it was told to drain.

The supervisor holds the write end of a pipe and hands its read end down; the kernel closes the pipe
when the supervisor ends, however it ends. Standard library only; anyone may import this.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable

from gateway_project.env import BadSetting, env_int

LIFELINE_VARIABLE = "GATEHOUSE_LIFELINE_FD"
GRACE_S = 1.0  # how long a process may take to end by itself once the supervisor is gone
ORPHANED = 70  # exit status of a process that had to be cut short

logger = logging.getLogger("gatehouse.lifeline")


def watch(on_gone: Callable[[], None] | None = None, grace_s: float = GRACE_S) -> threading.Thread | None:
    """End this process when the supervisor is gone; None where no supervisor started it.

    `on_gone` runs first, in the watching thread (by default SIGTERM is sent to this process); after
    `grace_s` the process ends at once, so that no orphan ever holds the port.
    """
    descriptor = _descriptor()
    if descriptor is None:
        return None
    arguments = (descriptor, on_gone or _terminate, grace_s)
    thread = threading.Thread(target=_wait, args=arguments, name="lifeline", daemon=True)
    thread.start()
    return thread


def _descriptor() -> int | None:
    try:
        descriptor = env_int(LIFELINE_VARIABLE, -1, minimum=-1)
        os.fstat(descriptor)
    except (BadSetting, OSError):
        return None
    return descriptor


def _wait(descriptor: int, on_gone: Callable[[], None], grace_s: float) -> None:
    try:
        while os.read(descriptor, 1):
            pass
    except OSError:
        logger.exception("The lifeline cannot be read; ending as if the supervisor were gone.")
    # The clock starts before on_gone: whatever it does or fails to do, the end is bounded.
    timer = threading.Timer(grace_s, os._exit, args=(ORPHANED,))
    timer.daemon = True
    timer.start()
    try:
        on_gone()
    except Exception:
        logger.exception("Ending after the supervisor was lost failed; the process is cut instead.")


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Drain:
    """Callbacks that run once, when this process is told to stop taking work and finish what it has."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._begun = False

    @property
    def begun(self) -> bool:
        return self._begun

    def on_drain(self, callback: Callable[[], None]) -> None:
        """Call `callback` when draining begins; at once if it has begun already."""
        if self._begun:
            callback()
        else:
            self._callbacks.append(callback)

    def begin_drain(self) -> None:
        """Run every callback, once for good; one that fails does not keep the others from running."""
        if self._begun:
            return
        self._begun = True
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                logger.exception("A drain callback failed.")
        self._callbacks.clear()


#: This process's own: the worker begins it on SIGTERM, inside its event loop.
drain = Drain()
on_drain = drain.on_drain
begin_drain = drain.begin_drain
