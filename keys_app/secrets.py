"""Secrets of virtual keys: made here, shown once by whoever asked, and known afterwards by hash only."""

import secrets
import string
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from gateway_project.conf import Config

PREFIX = "sk-gh-"
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 43  # 62 ** 43 is just over 2 ** 256


@dataclass(frozen=True, slots=True)
class Minted:
    """A new secret and what may be stored of it."""

    secret: str = field(repr=False)
    secret_hash: str
    prefix: str
    last_four: str


def mint() -> Minted:
    """A new secret of more than 256 random bits."""
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return Minted(secret, hash_secret(secret), PREFIX, secret[-4:])


def hash_secret(secret: str) -> str:
    """Hex SHA-256: enough for a secret this long, and one indexed look-up finds it."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_master(secret: str, config: Config) -> bool:
    """Whether this is the master key. False while none is set."""
    if not config.master_key:
        return False
    return compare_digest(hash_secret(secret), hash_secret(config.master_key))
