"""A JSON object with one long list in it, taken apart as it comes: never more than one item in memory. Pure.

What an item or the rest holds is for whoever parses them to judge; here only their ends are found.
"""

import re
from collections.abc import Iterator

from gateway_project.errors import InvalidBody

REST_LIMIT = 256 * 1024  # bytes of everything but the list
_BOM = b"\xef\xbb\xbf"
#: Inside a text: up to its end, or to a backslash whose letter has not come yet.
_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MARK = re.compile(rb'["{}\[\],]')
_DEEP_MARK = re.compile(rb'["{}\[\]]')
_OPENING, _CLOSING = b"{[", b"}]"


class ListSplitter:
    """Fed bytes cut anywhere, gives the items of the list under `name` as they end; `rest` is the object
    with that list empty. Raises InvalidBody for what is longer than it may be."""

    def __init__(self, name: str, item_limit: int) -> None:
        self.rest = bytearray()
        self._list_begins = re.compile(rb'(?<!\\)"' + re.escape(name.encode()) + rb'"[ \t\r\n]*:[ \t\r\n]*$')
        self._item_limit = item_limit
        self._item = bytearray()
        self._items = 0
        self._depth = 0
        self._is_text = False
        self._is_cut = False  # a backslash was the last byte of a piece
        self._is_listed = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The items that end in this piece."""
        at = 0
        while at < len(piece):
            if self._is_text:
                at = self._text(piece, at)
                continue
            is_deep = self._is_listed and self._depth > 2
            found = (_DEEP_MARK if is_deep else _MARK).search(piece, at)
            end = found.end() if found else len(piece)
            if found is None:
                self._take(piece[at:])
                return
            mark = piece[end - 1]
            if mark == 0x22:
                self._is_text = True
                self._take(piece[at:end])
            elif mark in _OPENING:
                self._open(piece[at:end], mark)
            elif mark in _CLOSING:
                yield from self._close(piece[at:end])
            elif self._is_listed:
                self._take(piece[at : end - 1])
                yield self._whole()
            else:
                self._take(piece[at:end])
            at = end

    def _text(self, piece: bytes, start: int) -> int:
        at = start
        if self._is_cut:
            self._is_cut = False
            at += 1
        match = _TEXT.match(piece, at)
        at = match.end() if match else at
        if at < len(piece):
            if piece[at] == 0x22:
                self._is_text = False
            else:
                self._is_cut = True
            at += 1
        self._take(piece[start:at])
        return at

    def _open(self, part: bytes, mark: int) -> None:
        begins = self._depth == 1 and mark == 0x5B and self._begins_list(part[:-1])
        self._take(part)
        self._depth += 1
        self._is_listed = self._is_listed or begins

    def _begins_list(self, part: bytes) -> bool:
        return self._list_begins.search(bytes(self.rest[-200:]) + part) is not None

    def _close(self, part: bytes) -> Iterator[bytes]:
        self._depth -= 1
        if self._is_listed and self._depth == 1:
            self._take(part[:-1])
            if self._items or bytes(self._item).strip():
                yield self._whole()
            self._item.clear()
            self._items = 0
            self._is_listed = False
            self.rest += part[-1:]
        else:
            self._take(part)

    def _take(self, part: bytes) -> None:
        target, limit = (self._item, self._item_limit) if self._is_listed else (self.rest, REST_LIMIT)
        target += part
        if len(target) > limit:
            what = f"Request {self._items + 1}" if self._is_listed else "What stands beside the list"
            raise InvalidBody(f"{what} is longer than {limit} bytes.")

    def _whole(self) -> bytes:
        item = bytes(self._item)
        self._item.clear()
        self._items += 1
        return item
