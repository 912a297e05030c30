"""The snapshot on disk, encrypted, so that a worker that restarts while the database is away can serve.

Two files: the snapshot itself, and a small note that says until when it was known to be current.
Only what this installation encrypted is ever unpickled.
"""

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from keys_app.crypto import Unreadable, decrypt_bytes, encrypt_bytes
from keys_app.snapshot_rows import PolicyRows

_CONTEXT = "snapshot"
_FRAME = 1 << 18
_PIECE = 2_000
_Shapes = dict[str, list[str]]


class SavedSnapshot:
    """The saved copy in one folder. All methods do I/O; call them from a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "policy.snapshot"
        self._note = folder / "policy.confirmed"

    def save(self, version: int, at_ms: int, sections: dict[str, Any]) -> None:
        """Write the sections, then the note. Other workers of this host may do the same at the same time."""
        frames, shapes = _Frames(), _Shapes()
        for piece in _pieces(sections):
            # A pickler for each: forgetting 100,000 rows at once would hold up the event loop.
            _ShapePickler(frames, shapes).dump(piece)
        trailer = {"version": version, "at_ms": at_ms, "frames": frames.count(), "shapes": shapes}
        self._replace(self._file, [*frames.lines, encrypt_bytes(json.dumps(trailer).encode(), _CONTEXT)])
        self.confirm(version, at_ms)

    def confirm(self, version: int, at_ms: int) -> None:
        """Note that the saved version was still the newest at this time."""
        note = json.dumps({"version": version, "at_ms": at_ms})
        self._replace(self._note, [encrypt_bytes(note.encode(), _CONTEXT)])

    def saved_version(self) -> int | None:
        note = self._read_note()
        return note["version"] if note is not None and self._file.exists() else None

    def restore(self, oldest_ms: int) -> tuple[int, int, dict[str, Any]] | None:
        """(version, confirmed at, sections); None when there is none, too old, damaged or of other code."""
        try:
            *lines, last = self._file.read_text("ascii").splitlines()
            trailer = json.loads(decrypt_bytes(last, _CONTEXT))
            version, at_ms = trailer["version"], trailer["at_ms"]
            note = self._read_note()
            if note is not None and note["version"] == version:
                at_ms = max(at_ms, note["at_ms"])
            if at_ms < oldest_ms or trailer["frames"] != len(lines):
                return None
            plain = BytesIO(b"".join(_unframe(line, index) for index, line in enumerate(lines)))
            return version, at_ms, _whole(plain, trailer["shapes"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, pickle.PickleError):
            return None

    def _read_note(self) -> dict[str, int] | None:
        try:
            note: dict[str, int] = json.loads(decrypt_bytes(self._note.read_text("ascii").strip(), _CONTEXT))
        except (OSError, ValueError):
            return None
        return note

    def _replace(self, path: Path, lines: list[str]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            for line in lines:
                file.write(line + "\n")
        draft.replace(path)


def _pieces(sections: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for name, data in sections.items():
        if isinstance(data, PolicyRows):
            for table, rows in data.pieces(_PIECE):
                yield name, table, rows
        else:
            yield name, "", data


def _whole(plain: BytesIO, shapes: _Shapes) -> dict[str, Any]:
    sections: dict[str, Any] = {}
    rows: list[tuple[str, dict[Any, Any]]] = []
    while plain.tell() < len(plain.getbuffer()):
        name, table, data = _ShapeUnpickler(plain, shapes).load()
        if table:
            rows.append((table, data))
        else:
            sections[name] = data
    sections["policy"] = PolicyRows.assemble(rows)
    return sections


class _Frames:
    """A file for the pickler: encrypted lines of a quarter of a megabyte, numbered inside."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._pending = bytearray()

    def write(self, data: Any) -> int:
        self._pending += data
        while len(self._pending) >= _FRAME:
            self._cut()
        return len(data)

    def count(self) -> int:
        while self._pending:
            self._cut()
        return len(self.lines)

    def _cut(self) -> None:
        plain = len(self.lines).to_bytes(4, "big") + bytes(self._pending[:_FRAME])
        del self._pending[:_FRAME]
        self.lines.append(encrypt_bytes(plain, _CONTEXT))


def _unframe(line: str, index: int) -> bytes:
    plain = decrypt_bytes(line, _CONTEXT)
    if int.from_bytes(plain[:4], "big") != index:
        raise Unreadable("The saved snapshot is not in order.")
    return plain[4:]


def _shape(kind: type) -> list[str]:
    if is_dataclass(kind):
        return [each.name for each in fields(kind)]
    return list(getattr(kind, "__struct_fields__", ()))


class _ShapePickler(pickle.Pickler):
    """Notes the fields of each class, because a pickle of slots fits them by position only."""

    def __init__(self, file: Any, shapes: _Shapes) -> None:
        super().__init__(file, protocol=5)
        self._shapes = shapes

    def reducer_override(self, obj: Any) -> Any:
        kind = obj if isinstance(obj, type) else type(obj)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name not in self._shapes:
            self._shapes[name] = _shape(kind)
        return NotImplemented


class _ShapeUnpickler(pickle.Unpickler):
    def __init__(self, file: BytesIO, shapes: _Shapes) -> None:
        super().__init__(file)
        self._shapes = shapes

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if isinstance(found, type) and self._shapes.get(f"{module}.{name}", []) != _shape(found):
            raise pickle.UnpicklingError(f"{module}.{name} has changed since the snapshot was saved")
        return found
