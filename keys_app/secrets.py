"""Secrets of virtual keys: made here, shown once by whoever asked, and known afterwards by hash only."""

import secrets
import string
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from gateway_project.conf import Config

PREFIX = "sk-gh-"
MANAGEMENT_PREFIX = "mk-gh-"
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 43  # 62 ** 43 is just over 2 ** 256


@dataclass(frozen=True, slots=True)
class Minted:
    """A new secret and what may be stored of it."""

    secret: str = field(repr=False)
    secret_hash: str
    prefix: str
    last_four: str


def mint(prefix: str = PREFIX) -> Minted:
    """A new secret of more than 256 random bits."""
    secret = prefix + random_text()
    return Minted(secret, hash_secret(secret), prefix, secret[-4:])


def random_text() -> str:
    """Letters and digits, more than 256 random bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def hash_secret(secret: str) -> str:
    """Hex SHA-256: enough for a secret this long, and one indexed look-up finds it."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_master(secret: str, config: Config) -> bool:
    """Whether this is the master key. False while none is set."""
    if not config.master_key:
        return False
    return compare_digest(hash_secret(secret), hash_secret(config.master_key))
