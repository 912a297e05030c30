"""A body that is kept on disk while it comes in and goes out: of a form, only short fields are in memory.

The file has no name: whatever ends the process or the call, it is gone. Disk work runs in threads, a
megabyte at a time.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proxy_app.multipart import Scan, boundary_of
from proxy_app.operations.contract import FilePart

IN_MEMORY = 1024 * 1024  # bytes; a larger body goes to disk
PIECE = 256 * 1024
FOLDER = "uploads"


class Spool:
    """Bytes in the order they came, in memory until they are many."""

    def __init__(self, data: Path) -> None:
        self.size = 0
        self._folder = data / FOLDER
        self._memory = bytearray()
        self._file: int | None = None
        self._hash = hashlib.blake2b(digest_size=16)

    @property
    def is_on_disk(self) -> bool:
        return self._file is not None

    @property
    def digest(self) -> bytes:
        """Of everything written so far: tells one body from another."""
        return self._hash.digest()

    async def write(self, piece: bytes) -> None:
        self._memory += piece
        self.size += len(piece)
        if len(self._memory) > IN_MEMORY:
            await asyncio.to_thread(self._flush)

    async def close_writing(self) -> None:
        """All has come: what is left goes where the rest is."""
        if self._file is not None:
            await asyncio.to_thread(self._flush)
        else:
            self._hash.update(self._memory)

    def _flush(self) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file, path = tempfile.mkstemp(dir=self._folder)
            Path(path).unlink()
        self._hash.update(self._memory)
        rest = memoryview(self._memory)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._memory = bytearray()

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, in pieces."""
        while start < end:
            stop = min(start + PIECE, end)
            yield (
                bytes(self._memory[start:stop])
                if self._file is None
                else await asyncio.to_thread(self._read, start, stop - start)
            )
            start = stop

    def _read(self, start: int, count: int) -> bytes:
        assert self._file is not None
        return os.pread(self._file, count, start)

    def close(self) -> None:
        self._memory = bytearray()
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self.size = 0


@dataclass(slots=True)
class SpooledForm:
    """A form that was read once. `with_model` gives its bytes with another model named in them."""

    spool: Spool
    scan: Scan
    content_type: str

    @property
    def fields(self) -> Mapping[str, Sequence[str]]:
        return self.scan.fields

    @property
    def files(self) -> Sequence[FilePart]:
        return self.scan.files

    @property
    def size(self) -> int:
        return self.spool.size

    def with_model(self, name: str) -> "Renamed":
        if self.scan.model_spans:
            return Renamed(self.spool, tuple(self.scan.model_spans), name.encode())
        start = self.scan.start or 0  # the address alone names the model: it gets a part of its own
        head = b'\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
        part = b"--" + boundary_of(self.content_type) + head + name.encode() + b"\r\n"
        return Renamed(self.spool, ((start, start),), part)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A spooled body with other bytes in some places. A BodySource."""

    spool: Spool
    spans: tuple[tuple[int, int], ...]
    put: bytes

    @property
    def size(self) -> int:
        return self.spool.size + sum(len(self.put) - (end - start) for start, end in self.spans)

    async def chunks(self) -> AsyncIterator[bytes]:
        at = 0
        for start, end in self.spans:
            async for piece in self.spool.read(at, start):
                yield piece
            yield self.put
            at = end
        async for piece in self.spool.read(at, self.spool.size):
            yield piece
