"""Encryption at rest with GATEHOUSE_SECRET_KEYS, newest first.

Each text is bound to a context ('provider:<id>'), so a ciphertext copied into another row cannot be
read there, and carries its key's fingerprint, so a missing key is named instead of guessed.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway_project.conf import config

_FORMAT = "v1"


class Unreadable(ValueError):
    """A stored secret cannot be decrypted; the message says why and what to do, never what it is."""


def encrypt(secret: str, context: str, keys: Sequence[str] | None = None) -> str:
    """ASCII text 'v1.<key fingerprint>.<token>', made with the newest key (the configured ones if None)."""
    return encrypt_bytes(secret.encode(), context, keys)


def decrypt(text: str, context: str, keys: Sequence[str] | None = None) -> str:
    """What `encrypt` was given; raises Unreadable."""
    return decrypt_bytes(text, context, keys).decode()


def reencrypt(text: str, context: str, keys: Sequence[str] | None = None) -> str:
    """The same secret under the newest key; the same text when it is already."""
    keys = _configured(keys)
    if text.startswith(f"{_FORMAT}.{fingerprint(keys[0])}."):
        return text
    return encrypt(decrypt(text, context, keys), context, keys)


def encrypt_bytes(plain: bytes, context: str, keys: Sequence[str] | None = None) -> str:
    """As `encrypt`, for what is not text."""
    newest = _configured(keys)[0]
    token = _cipher(newest, context).encrypt(plain).decode("ascii")
    return f"{_FORMAT}.{fingerprint(newest)}.{token}"


def decrypt_bytes(text: str, context: str, keys: Sequence[str] | None = None) -> bytes:
    """What `encrypt_bytes` was given; raises Unreadable."""
    parts = text.split(".", 2)
    if len(parts) != 3 or parts[0] != _FORMAT:
        raise Unreadable("The stored secret is damaged: enter it again.")
    key = next((key for key in _configured(keys) if fingerprint(key) == parts[1]), None)
    if key is None:
        raise Unreadable(
            f"The stored secret was encrypted with the key {parts[1]}, which is not in "
            "GATEHOUSE_SECRET_KEYS: add that key again, or enter the secret again."
        )
    try:
        return _cipher(key, context).decrypt(parts[2])
    except InvalidToken:
        raise Unreadable("The stored secret was changed or belongs to another row: enter it again.") from None


def _configured(keys: Sequence[str] | None) -> Sequence[str]:
    keys = config().secret_keys if keys is None else keys
    if not keys:
        raise Unreadable("There is no encryption key: set GATEHOUSE_SECRET_KEYS.")
    return keys


@lru_cache(maxsize=64)
def fingerprint(key: str) -> str:
    """Eight hex characters that name a key without telling anything of it."""
    return _derive(key, "fingerprint")[:4].hex()


@lru_cache(maxsize=1024)
def _cipher(key: str, context: str) -> Fernet:
    return Fernet(urlsafe_b64encode(_derive(key, f"secret:{context}")))


def _derive(key: str, purpose: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"gatehouse:{purpose}".encode())
    return derivation.derive(key.encode())
