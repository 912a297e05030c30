"""The counters of all workers of a machine, for a scrape that reaches any one of them.

Each worker writes its own beside the others', in a file of its name; whoever is scraped adds them up. The
file of a worker that has ended stays, so that no counter falls; the supervisor begins with none.
"""

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from proxy_app.metrics import Metrics, Series

WRITE_S = 1.0
SILENT_S = 15.0  # a worker that wrote nothing for so long has ended: nothing of it is in flight
_Labels = tuple[str, str, str]

log = logging.getLogger("gatehouse.calls")


class _Told(msgspec.Struct):
    """A worker's counters as its file tells them."""

    series: list[tuple[_Labels, Series]]
    in_flight: int
    refused_before_a_key: int
    bodies_dropped: int


_decode = msgspec.msgpack.Decoder(_Told).decode


class MetricsSharing:
    """One worker's part in it."""

    def __init__(self, metrics: Metrics, folder: Path, worker: str) -> None:
        self._metrics = metrics
        self._folder = folder
        self._file = folder / f"{worker}.metrics"

    async def run(self) -> None:
        """Write until cancelled. A disk that takes nothing is asked again."""
        complains = True
        while True:
            try:
                await asyncio.to_thread(self._write, self._told())
                complains = True
            except OSError as error:
                if complains:
                    log.warning("metrics are not shared between workers: %s", error.strerror)
                complains = False
            await asyncio.sleep(WRITE_S)

    def close(self) -> None:
        """The last word: what was counted to the end stays counted, and nothing is in flight."""
        with suppress(OSError):
            self._write(self._told(in_flight=0))

    def whole(self) -> Metrics:
        """Its own counters, as they are now, and the others' as they last wrote them. Reads files."""
        whole = Metrics()
        _add(whole, _decode(self._told()), is_alive=True)
        for path in sorted(self._folder.glob("*.metrics")):
            if path == self._file:
                continue
            try:
                told, written_s = _decode(path.read_bytes()), path.stat().st_mtime
            except (OSError, msgspec.DecodeError):
                continue
            _add(whole, told, is_alive=time.time() - written_s < SILENT_S)
        return whole

    def _told(self, in_flight: int | None = None) -> bytes:
        own = self._metrics
        flying = own.in_flight if in_flight is None else in_flight
        told = _Told(list(own.series.items()), flying, own.refused_before_a_key, own.bodies_dropped)
        return msgspec.msgpack.encode(told)

    def _write(self, raw: bytes) -> None:
        """Whole or not at all."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(raw)
        fresh.replace(self._file)


def _add(whole: Metrics, told: _Told, *, is_alive: bool) -> None:
    whole.in_flight += told.in_flight if is_alive else 0
    whole.refused_before_a_key += told.refused_before_a_key
    whole.bodies_dropped += told.bodies_dropped
    for labels, series in told.series:
        entry = whole.series.setdefault(labels, Series())
        entry.calls += series.calls
        entry.input_tokens += series.input_tokens
        entry.output_tokens += series.output_tokens
        entry.cost_nanodollars += series.cost_nanodollars
        entry.latency_s += series.latency_s
        entry.overhead_s += series.overhead_s
        entry.buckets = [sum(pair) for pair in zip(entry.buckets, series.buckets, strict=True)]
