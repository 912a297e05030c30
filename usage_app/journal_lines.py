"""A journal's lines: one record each, written and read here. Length, CRC-32 and JSON, so that a torn or
flipped line is noticed.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec

from usage_app.records import Record

HEADER_BYTES = 18  # 'llllllll cccccccc '
READ_BYTES = 512 * 1024
#: Why a last line is bad that has no end: the kernel cuts a write between two pages when it kills the writer.
CUT_OFF = "cut off"

_encode: Callable[[object], bytes] = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode


def build_line(record: Record) -> bytes:
    """The record's line, its newline included."""
    try:
        data = _encode(record)
    except UnicodeEncodeError:
        data = _encode_anyhow(record)
    return b"%08x %08x %b\n" % (len(data), crc32(data), data)


def _encode_anyhow(record: Record) -> bytes:
    """A record with text that is no Unicode (half a surrogate pair): '?' stands in its place."""
    return json.dumps(msgspec.to_builtins(record), ensure_ascii=False).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a record: what is wrong with it, and its bytes."""

    reason: str
    data: bytes


def read_records(
    path: Path, offset: int = 0, *, final: bool = False
) -> Iterator[tuple[Record | BadLine, int]]:
    """Records of a segment from a byte offset on, each with the offset after it.

    A last line without its end is "not yet" while the writer lives; with `final` (the writer is
    gone, or the segment is followed by another) it is a bad line: CUT_OFF.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        rest = b""
        while block := file.read(READ_BYTES):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            for line in lines:
                offset += len(line) + 1
                yield parse_line(line), offset
    if final and rest:
        yield BadLine(CUT_OFF, rest), offset + len(rest)


def parse_line(line: bytes) -> Record | BadLine:
    """One line without its newline."""
    data = line[HEADER_BYTES:]
    try:
        length, checksum = int(line[:8], 16), int(line[9:17], 16)
    except ValueError:
        return BadLine("no header", line)
    if len(data) != length:
        return BadLine("wrong length", line)
    if crc32(data) != checksum:
        return BadLine("wrong checksum", line)
    try:
        return _decode(data)
    except msgspec.MsgspecError as problem:
        return BadLine(f"not a record: {problem}", line)
