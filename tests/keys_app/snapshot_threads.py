"""The snapshot's thread for tests: it works on the test's own connection, and can be made to fail or hang."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import OperationalError, connections


class Thread(ThreadPoolExecutor):
    """One thread. While `down` the database is away; while `gate` is not set, work hangs."""

    def __init__(self) -> None:
        self._shared = connections["default"]
        self._shared.inc_thread_sharing()
        super().__init__(1, initializer=self._adopt)
        self.down = False
        self.gate = threading.Event()
        self.gate.set()
        self.readings = 0

    def _adopt(self) -> None:
        connections["default"] = self._shared

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(self._work, work, *args, **kwargs)

    def _work(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if getattr(work, "__name__", "") == "read":
            self.readings += 1
            self.gate.wait(10)
            if self.down:
                raise OperationalError("the database is away")
        return work(*args, **kwargs)

    def close(self) -> None:
        self.gate.set()
        self.shutdown(wait=True)
        self._shared.dec_thread_sharing()
