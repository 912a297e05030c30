"""One JSON array that comes cut anywhere: its objects, each as soon as it is whole. How a stream is told that
was not asked for as server-sent events."""

import re

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'\\.|"', re.DOTALL)  # of a string


class Elements:
    """Gives the bytes of each object in the array; what stands between them is passed over."""

    __slots__ = ("_buffer", "_depth", "_in_string", "_scanned", "_start")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._start = -1  # of the object that is under way
        self._depth = 0
        self._in_string = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The objects completed by `chunk`, in order."""
        self._buffer += chunk
        found: list[bytes] = []
        while mark := (_INSIDE if self._in_string else _OUTSIDE).search(self._buffer, self._scanned):
            self._scanned = mark.end()
            if self._in_string:
                self._in_string = mark[0] != b'"'
            elif mark[0] == b'"':
                self._in_string = True
            else:
                self._nest(mark, found)
        self._scanned = len(self._buffer) - self._waits()
        if found:
            self._forget(self._start if self._start >= 0 else self._scanned)
        return found

    def take_rest(self) -> bytes:
        """The beginning of an object that never became whole."""
        return bytes(self._buffer[self._start :]) if self._start >= 0 else b""

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return len(self._buffer)

    def _waits(self) -> bool:
        """Whether the last byte is a backslash in a string, read only with what it escapes: no other is
        left unread."""
        return self._in_string and self._scanned < len(self._buffer) and self._buffer.endswith(b"\\")

    def _nest(self, mark: re.Match[bytes], found: list[bytes]) -> None:
        if mark[0] in b"{[":
            self._depth += 1
            if self._depth == 2:
                self._start = mark.start()
            return
        self._depth -= 1
        if self._depth == 1 and self._start >= 0:
            found.append(bytes(self._buffer[self._start : mark.end()]))
            self._start = -1

    def _forget(self, end: int) -> None:
        del self._buffer[:end]
        self._scanned -= end
        self._start = 0 if self._start >= 0 else -1
