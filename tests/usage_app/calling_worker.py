"""A worker for the kill tests: begins, tries, notes 'the provider saw it', ends. Until it is killed."""

import os
import sys
from pathlib import Path

from gateway_project.clock import now_ms, uuid7
from tests.usage_app.workload import a_begin, a_progress, an_attempt, an_end
from usage_app.journal import JournalWriter, new_worker_id


def main(directory: str, seen: str) -> None:
    writer = JournalWriter(Path(directory), new_worker_id(), segment_bytes=60_000)
    writer.open()
    log = os.open(seen, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    open_calls: list[str] = []
    while True:
        call_id, at_ms = str(uuid7()), now_ms()
        writer.append(a_begin(call_id, at_ms=at_ms))
        writer.append(an_attempt(call_id, at_ms=at_ms))
        os.write(log, f"{call_id}\n".encode())
        writer.append(a_progress(call_id, 5, at_ms=at_ms))
        open_calls.append(call_id)
        if len(open_calls) > 8:  # so many are in flight at any time
            ended = open_calls.pop(0)
            writer.append(an_end(ended, at_ms=at_ms, finished_at_ms=at_ms))
        if now_ms() % 97 == 0:
            writer.sync()


if __name__ == "__main__":
    main(*sys.argv[1:])
