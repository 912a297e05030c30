"""The secret that proves for whom a key's calls are made, at rest: encrypted for its row, never shown."""

import logging
from secrets import token_hex
from typing import Any

from keys_app.crypto import Unreadable, decrypt, encrypt
from keys_app.models import VirtualKey

logger = logging.getLogger("gatehouse.keys")


def set_identity_secret(key: VirtualKey, secret: str) -> None:
    """Keep the secret that proves, encrypted for this row; '' forgets it."""
    key.identity_secret_encrypted = encrypt(secret, _context(key.pk)) if secret else ""


def read_identity_secret(key_id: Any, encrypted: str) -> str:
    """The secret, '' for none. One that cannot be read becomes one nobody knows: nothing is proven then."""
    if not encrypted:
        return ""
    try:
        return decrypt(encrypted, _context(key_id))
    except Unreadable as error:
        logger.warning("The identity secret of key %s cannot be read: %s", key_id, error)
        return token_hex(32)


def _context(key_id: Any) -> str:
    return f"key identity:{key_id}"
