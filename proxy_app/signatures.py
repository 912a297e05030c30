"""Signed thoughts between the turns of a conversation whose format has no field for them.

A provider that signs its thoughts wants them back with the calls they led to. They are kept a day by
(owner, provider, model, tool call id), encrypted, in memory or in Redis: so another owner cannot recall
them, and another provider is never sent them. A miss costs the thinking of one call, never an answer.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import msgspec

from gateway_project.conf import Config
from keys_app.crypto import Unreadable, decrypt_bytes, encrypt_bytes
from proxy_app.wire import Signed

KEPT_S = 24 * 3600
MOST_BYTES = 64 * 1024 * 1024  # of everything kept in one worker's memory
MOST_BYTES_ONE = 512 * 1024  # of one answer's thoughts
_CONTEXT = "signatures"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose thoughts, and which provider's model signed them."""

    owner: str  # 'service:<id>', 'user:<id>' or 'key:<id>'
    provider_id: str
    model: str

    def key(self, call_id: str) -> str:
        """The name under which a tool call's thoughts are kept; tells nothing of either."""
        parts = (self.owner, self.provider_id, self.model, call_id)
        return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class Signatures(Protocol):
    """Where signed thoughts are kept. Neither step ever fails a call."""

    async def recall(self, place: Place, call_ids: Sequence[str]) -> dict[str, Signed]:
        """What was kept of these tool calls, by id."""
        ...

    async def keep(self, place: Place, signed: Mapping[str, Signed]) -> None:
        """Keep an answer's signed thoughts, by tool call id."""
        ...

    async def close(self) -> None: ...


class _Kept(msgspec.Struct, array_like=True, gc=False):
    """One answer's thoughts under the digests of their calls."""

    signed: dict[str, Signed]


def seal(place: Place, signed: Mapping[str, Signed]) -> str | None:
    """One answer's thoughts encrypted; None when they are too large, or there is no key to do it with."""
    plain = msgspec.msgpack.encode(_Kept({place.key(call_id): one for call_id, one in signed.items()}))
    if len(plain) > MOST_BYTES_ONE:
        return None
    try:
        return encrypt_bytes(plain, _CONTEXT)
    except Unreadable:
        return None


def unseal(sealed: Iterable[str]) -> dict[str, Signed]:
    """What can be read of these, by the digests of the calls."""
    found: dict[str, Signed] = {}
    for text in sealed:
        try:
            found |= msgspec.msgpack.decode(decrypt_bytes(text, _CONTEXT), type=_Kept).signed
        except (Unreadable, msgspec.DecodeError):
            continue
    return found


class MemorySignatures:
    """One worker's own. The oldest go first, by age and when there are too many."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: dict[str, tuple[float, tuple[str, ...]]] = {}  # sealed -> (until, keys), oldest first
        self._by_key: dict[str, str] = {}

    async def recall(self, place: Place, call_ids: Sequence[str]) -> dict[str, Signed]:
        if not self._by_key:
            return {}
        keys = {call_id: place.key(call_id) for call_id in call_ids}
        self._drop_old()
        sealed = dict.fromkeys(self._by_key[key] for key in keys.values() if key in self._by_key)
        found = unseal(sealed)
        return {call_id: found[key] for call_id, key in keys.items() if key in found}

    async def keep(self, place: Place, signed: Mapping[str, Signed]) -> None:
        sealed = seal(place, signed)
        if sealed is None:
            return
        keys = tuple(place.key(call_id) for call_id in signed)
        self._answers[sealed] = (time.monotonic() + KEPT_S, keys)
        self._bytes += len(sealed)
        for key in keys:
            self._by_key[key] = sealed
        self._drop_old()

    async def close(self) -> None:
        self._answers.clear()
        self._by_key.clear()

    def _drop_old(self) -> None:
        now = time.monotonic()
        while self._answers:
            sealed, (until, keys) = next(iter(self._answers.items()))
            if until > now and self._bytes <= self._most_bytes:
                return
            del self._answers[sealed]
            self._bytes -= len(sealed)
            for key in keys:
                if self._by_key.get(key) is sealed:
                    del self._by_key[key]


def open_signatures(config: Config) -> Signatures:
    """The home these settings ask for. Connects at the first step."""
    if not config.redis_url:
        return MemorySignatures()
    from proxy_app.signatures_redis import RedisSignatures

    return RedisSignatures.connect(config.redis_url)
