"""Makes snapshots from the database: whole, by what changed, and by comparing. Sync, for one thread.

A section that cannot be read keeps its last data and is read whole at the next turn; only a database
that cannot be asked stops the reading.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

from django import db

from keys_app.connections import close_connections, renew_connections
from keys_app.entries import Snapshot
from keys_app.snapshot_changes import changes_between, current_version, prune_changes
from keys_app.snapshot_rows import PolicyRows, PolicySection
from keys_app.triggers import ALL_ROWS

logger = logging.getLogger("gatehouse.snapshot")

#: No key is known to it: what a worker has before its first reading.
EMPTY = Snapshot(-1, 0, {}, {}, {}, {}, {}, {})


class Section(Protocol):
    """What another app keeps in the snapshot. Called in the snapshot's thread; data is never mutated."""

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> frozenset[str]:
        """Whose changes, as triggers log them, concern it."""
        ...

    def load(self) -> Any:
        """Its data, read whole."""
        ...

    def refresh(self, previous: Any, changed: Mapping[str, frozenset[str]]) -> Any:
        """Its data after changes of these rows, by table."""
        ...


class SnapshotReader:
    """Holds the sections' data of the newest snapshot it made."""

    def __init__(self, sections: Sequence[Section], clock: Callable[[], int]) -> None:
        self._sections: dict[str, Section] = {"policy": PolicySection()}
        self._sections.update((section.name, section) for section in sections)
        self._clock = clock
        #: version and data, replaced as one: other threads may look at any time
        self._state: tuple[int, dict[str, Any]] = (-1, {})
        self._unread: set[str] = set()

    @property
    def state(self) -> tuple[int, dict[str, Any]]:
        """The version followed so far, and each section's data at it."""
        return self._state

    def adopt(self, version: int, data: Mapping[str, Any], at_ms: int) -> Snapshot:
        """Go on from data that were saved; KeyError when a section is not among them."""
        self._state = version, {name: data[name] for name in self._sections}
        return self._snapshot(at_ms)

    def read(self) -> Snapshot | None:
        """The newest snapshot, or None when nothing changed since the last one. Raises django.db.Error."""
        renew_connections()
        version = current_version()
        followed, data = self._state
        if version == followed and not self._unread:
            return None
        changed = None
        if 0 <= followed <= version:
            changed = {} if version == followed else changes_between(followed, version)
        data = dict(data)
        for name, section in self._sections.items():
            if changed is None or name in self._unread or name not in data:
                self._try(data, section, section.load)
            elif touched := section.tables & changed.keys():
                self._apply(data, section, {table: changed[table] for table in touched})
        # Assigned last: a failure on the way leaves the former picture and version whole.
        self._state = version, data
        return self._snapshot(self._clock())

    def astray(self) -> list[str]:
        """Reads everything beside the followed data; the sections that differ are read whole next time.

        For a thread of its own: `read` goes on meanwhile. Nothing can be said when a change came
        between, so the next comparison has to.
        """
        version = current_version()
        fresh = {name: section.load() for name, section in self._sections.items()}
        followed, data = self._state
        found: list[str] = []
        if current_version() == version == followed:
            found = [name for name in fresh if _differ(fresh[name], data[name])]
            self._unread.update(found)
        prune_changes(version)
        fresh["policy"].discard()
        return found

    @staticmethod
    def close() -> None:
        """Close this thread's connections."""
        close_connections()

    def _apply(self, data: dict[str, Any], section: Section, changed: dict[str, frozenset[str]]) -> None:
        if any(ALL_ROWS in keys for keys in changed.values()):
            self._try(data, section, section.load)
        else:
            previous = data[section.name]
            self._try(data, section, lambda: section.refresh(previous, changed))

    def _try(self, data: dict[str, Any], section: Section, read: Callable[[], Any]) -> None:
        try:
            data[section.name] = read()
            self._unread.discard(section.name)
        except db.Error:
            raise
        except Exception:
            if section.name not in data:
                raise
            if section.name not in self._unread:
                logger.exception("The snapshot's %s cannot be read; the last one stays.", section.name)
            self._unread.add(section.name)

    def _snapshot(self, at_ms: int) -> Snapshot:
        version, data = self._state
        rows: PolicyRows = data["policy"]
        others = {name: value for name, value in data.items() if name != "policy"}
        return Snapshot(
            version,
            at_ms,
            rows.keys,
            rows.users,
            rows.services,
            rows.budgets,
            rows.rate_limits,
            others,
            rows.people,
        )


def _differ(fresh: Any, followed: Any) -> bool:
    """Compares in small steps, because one comparison of 100,000 rows would hold up the event loop.

    Data that compare by identity only cannot be told apart: nothing is said of them.
    """
    if is_dataclass(fresh) and type(fresh) is type(followed):
        return any(_differ(getattr(fresh, each.name), getattr(followed, each.name)) for each in fields(fresh))
    if isinstance(fresh, Mapping) and isinstance(followed, Mapping):
        return len(fresh) != len(followed) or any(
            key not in followed or followed[key] != value for key, value in fresh.items()
        )
    if getattr(type(fresh), "__eq__", None) is object.__eq__:
        return False
    return bool(fresh != followed)
