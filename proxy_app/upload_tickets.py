"""Where a file's upload to Google goes on, sealed: its sender asks there without its key. Pure but for keys.

A ticket says whose key began the upload, at which provider it lies and until when it may go on. The key must
work still when it is shown.
"""

import msgspec

from keys_app.crypto import Unreadable, decrypt_bytes, encrypt_bytes

#: Google keeps an upload that was begun for as long as a day; ours are shorter-lived than any that goes on.
VALID_MS = 6 * 3600 * 1000
_CONTEXT = "file upload"


class Ticket(msgspec.Struct, array_like=True, frozen=True):
    secret_hash: str
    provider_id: str
    path: str  # at the provider's host, with the query
    until_ms: int


_decode = msgspec.json.Decoder(Ticket).decode


def seal(ticket: Ticket) -> str:
    return encrypt_bytes(msgspec.json.encode(ticket), _CONTEXT)


def unseal(text: str, now_ms: int) -> Ticket | None:
    """None for what nobody here sealed, and for what is over."""
    try:
        ticket = _decode(decrypt_bytes(text, _CONTEXT))
    except (Unreadable, msgspec.DecodeError):
        return None
    return ticket if now_ms < ticket.until_ms else None
