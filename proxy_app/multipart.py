"""An incremental reader of multipart/form-data, fed bytes cut anywhere. Pure: it keeps no file.

It remembers short fields, what files there are, and where the value of `model` stands, so that whoever
keeps the bytes can put another name there. Grammar: RFC 7578 over RFC 2046.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from gateway_project.errors import InvalidBody
from proxy_app.operations.contract import FilePart

MAX_PARTS = 200
MAX_HEAD_BYTES = 16 * 1024
MAX_FIELD_BYTES = 1024 * 1024
HEAD_KEPT = 64  # first bytes of a file
_BOUNDARY = re.compile(r"[0-9A-Za-z_'()+,./:=? -]{1,70}")
_PARAMETER = re.compile(r';\s*([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_PREAMBLE, _HEAD, _VALUE, _AFTER, _END = range(5)


def boundary_of(content_type: str) -> bytes:
    """The boundary that a content type names. Raises InvalidBody."""
    kind, _, _ = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise InvalidBody("This endpoint takes multipart/form-data.")
    boundary = _parameters(content_type).get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary) or boundary.endswith(" "):
        raise InvalidBody("The content type names no boundary that can be read.")
    return boundary.encode("ascii", "replace")


@dataclass(slots=True)
class Scan:
    """What a form held. Offsets count from the body's first byte."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[FilePart] = field(default_factory=list)
    model_spans: list[tuple[int, int]] = field(default_factory=list)
    start: int | None = None  # where the first part's boundary stands


@dataclass(slots=True)
class _Part:
    name: str
    filename: str | None
    media_type: str
    start: int
    size: int = 0
    kept: bytearray = field(default_factory=bytearray)


class Scanner:
    """`feed` until the body ends, then `finish`. Raises InvalidBody for what is no such form."""

    def __init__(self, boundary: bytes) -> None:
        self.scan = Scan()
        self._delimiter = b"\r\n--" + boundary
        # As though a line had ended before the body: the first delimiter is like any other.
        self._buffer = bytearray(b"\r\n")
        self._at = -2  # of the buffer's first byte in the body
        self._state = _PREAMBLE
        self._part: _Part | None = None
        self._count = 0

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        while self._step():
            pass

    def finish(self) -> Scan:
        if self._state != _END:
            raise InvalidBody("The form breaks off before its end.")
        return self.scan

    def _step(self) -> bool:
        """Whether there may be more to do before more bytes come."""
        if self._state in (_PREAMBLE, _VALUE):
            return self._to_delimiter()
        if self._state == _AFTER:
            return self._after_delimiter()
        if self._state == _HEAD:
            return self._read_head()
        self._drop(len(self._buffer))
        return False

    def _to_delimiter(self) -> bool:
        buffer = self._buffer
        found = buffer.find(self._delimiter)
        if found < 0:
            keep = len(self._delimiter) - 1
            if len(buffer) > keep:
                self._take(len(buffer) - keep)
            return False
        self._take(found)
        if self.scan.start is None:
            self.scan.start = self._at + 2
        self._end_part()
        self._drop(len(self._delimiter))
        self._state = _AFTER
        return True

    def _after_delimiter(self) -> bool:
        """`--` ends the form; a line's end, after blanks, begins a part."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        if buffer.startswith(b"--"):
            self._state = _END
            return True
        end = buffer.find(b"\r\n")
        if end < 0:
            if len(buffer) > 256:
                raise InvalidBody("The form's boundary is followed by something else.")
            return False
        if bytes(buffer[:end]).strip(b" \t"):
            raise InvalidBody("The form's boundary is followed by something else.")
        self._drop(end)  # the line's end stays: a part without a head begins with another
        self._state = _HEAD
        return True

    def _read_head(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise InvalidBody("A part of the form has too long a head.")
            return False
        self._count += 1
        if self._count > MAX_PARTS:
            raise InvalidBody(f"A form may have {MAX_PARTS} parts.")
        head = bytes(buffer[:end]).decode("utf-8", "replace")
        self._drop(end + 4)
        self._part = _part_of(head, self._at)
        # A value may be empty: its delimiter then begins with the head's own line end.
        self._buffer[:0] = b"\r\n"
        self._at -= 2
        self._part.size -= 2
        self._state = _VALUE
        return True

    def _take(self, count: int) -> None:
        """Bytes that belong to the value that is being read, or to nothing."""
        part = self._part
        if part is not None and count:
            part.size += count
            limit = MAX_FIELD_BYTES if part.filename is None else HEAD_KEPT
            if part.filename is None and part.size > limit:
                raise InvalidBody(f"The field '{part.name}' is longer than {MAX_FIELD_BYTES} bytes.")
            if len(part.kept) < limit + 2:
                part.kept += self._buffer[: min(count, limit + 2 - len(part.kept))]
        self._drop(count)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at += count

    def _end_part(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        kept = bytes(part.kept[2:])
        size = max(part.size, 0)
        if part.filename is not None:
            file = FilePart(part.name, part.filename, part.media_type, size, kept, part.start)
            self.scan.files.append(file)
            return
        self.scan.fields.setdefault(part.name, []).append(kept.decode("utf-8", "replace"))
        if part.name == "model":
            self.scan.model_spans.append((part.start, part.start + size))


def _part_of(head: str, start: int) -> _Part:
    headers = {}
    for line in head.strip("\r\n").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    found = _parameters(disposition)
    named = found.get("name")
    if not disposition.lower().startswith("form-data") or named is None:
        raise InvalidBody("A part of the form has no name.")
    filename: str | None = found.get("filename")
    if filename is None and "filename*" in found:
        filename = unquote(found["filename*"].rpartition("'")[2])
    return _Part(named, filename, headers.get("content-type", ""), start)


def _parameters(header: str) -> dict[str, str]:
    """A header's parameters, names in lower case."""
    found: list[tuple[str, str, str]] = _PARAMETER.findall(header)
    return {name.lower(): quoted or bare for name, quoted, bare in found}
