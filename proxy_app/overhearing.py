"""The words of an answer as they reach its caller, for who may read them while they come.

Only of streams that are kept (`capturing`): whoever lets nothing be kept is not overheard either. What may
still become a secret waits until it is known not to be one.
"""

import re

from proxy_app.call import Services
from proxy_app.capturing import CapturingReply
from proxy_app.masking import masked
from usage_app.transcript import transcript

#: Characters of one heading that are shown; of a longer one the end.
MOST_SHOWN = 20_000
#: Unmasked characters that are looked at again with each new piece.
MOST_OPEN = 32_000
#: Bytes that wait to be read; more are read as they come.
MOST_WAITING = 1024 * 1024
GAP = "\n[…]\n"
#: What may be the beginning of a secret: a run without a blank, at the end.
_UNFINISHED = re.compile(r"[A-Za-z0-9._~+/=:@_-]+\Z")
_KEY_BEGINS, _KEY_ENDS = "-----BEGIN ", "-----END "


class Heading:
    """The text under one heading, masked before anybody sees it."""

    __slots__ = ("_closed", "_open")

    def __init__(self) -> None:
        self._closed = ""  # masked for good
        self._open = ""  # as it came

    def add(self, piece: str) -> None:
        self._open += piece
        if len(self._open) > MOST_OPEN:
            self._close()

    def shown(self, *, is_over: bool) -> str:
        """What may be seen so far, its last `MOST_SHOWN` characters at least."""
        text = self._open
        if not is_over and (unfinished := _UNFINISHED.search(text)):
            text = text[: unfinished.start()]
        whole = self._closed + masked(text)
        # Cut in steps, so that most of it stays where it was for who is sent the difference.
        over = len(whole) - MOST_SHOWN
        return whole[over - over % MOST_SHOWN :] if over > MOST_SHOWN else whole

    def _close(self) -> None:
        """Mask for good what comes before the last blank, unless a key may be open there."""
        end = max(self._open.rfind(blank) for blank in " \n") + 1
        text = self._open[:end]
        if text.rfind(_KEY_BEGINS) > text.rfind(_KEY_ENDS) and len(self._open) < 2 * MOST_OPEN:
            return
        self._closed = (self._closed + masked(text))[-2 * MOST_SHOWN :]
        self._open = self._open[end:]


class Words:
    """What one call's caller was sent so far, read as far as it has come."""

    __slots__ = ("_call_id", "_headings", "_reply", "_rest", "_services", "_size", "_waiting")

    def __init__(self, services: Services, call_id: str, reply: CapturingReply) -> None:
        self._services = services
        self._call_id = call_id
        self._reply = reply
        self._rest = b""
        self._waiting: list[bytes] = []
        self._size = 0
        self._headings: dict[str, Heading] = {}
        for piece in reply.pieces:
            self._hear(piece)
        if reply.is_cut:  # longer than what is kept: what came since is lost
            self._take()
            self._rest = b""
            for heading in self._headings.values():
                heading.add(GAP)
        reply.listeners.append(self._hear)

    def close(self) -> None:
        """Listen no more."""
        if self._hear in self._reply.listeners:
            self._reply.listeners.remove(self._hear)

    def _hear(self, piece: bytes) -> None:
        if self._size + len(piece) > MOST_WAITING:
            self._take()
        self._waiting.append(piece)
        self._size += len(piece)

    @property
    def is_over(self) -> bool:
        return self._call_id not in self._services.calls

    def shown(self) -> dict[str, str]:
        """Heading (`thoughts`, `text`, `calls`) -> what may be seen of it."""
        self._take()
        is_over = self.is_over
        return {name: each.shown(is_over=is_over) for name, each in self._headings.items()}

    def _take(self) -> None:
        lines, mark, self._rest = (self._rest + b"".join(self._waiting)).rpartition(b"\n")
        self._waiting, self._size = [], 0
        for name, text in transcript((lines + mark).decode(errors="replace")).items():
            self._headings.setdefault(name, Heading()).add(text)


def words_of(services: Services, call_id: str) -> Words | None:
    """The words of a stream in flight whose service lets them be kept; None for any other call."""
    call = services.calls.get(call_id)
    if call is None or not isinstance(call.reply, CapturingReply) or not call.facts.stream:
        return None
    return Words(services, call_id, call.reply)
