"""Grants: for a minute, a signed-in person calls as a key they may use, without its secret. Not stored.

A grant is proof of who asked for it, when, and for which key; the data plane still looks whether key and
person may call now. It is never wider than the key.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from gateway_project.conf import config
from keys_app.entries import Claim

PREFIX = "gr-gh-"
VALID_S = 60
_CONTEXT = b"gatehouse grant"


def make_grant(key_id: str, user_id: str, username: str, now_ms: int) -> str:
    """A grant's text. Raises LookupError without GATEHOUSE_SECRET_KEYS."""
    until_ms = now_ms + VALID_S * 1000
    claim = json.dumps([key_id, user_id, username, until_ms]).encode()
    newest = config().secret_keys[0]
    return f"{PREFIX}{_text(claim)}.{_text(_signature(newest, claim))}"


def read_grant(text: str, now_ms: int, keys: Sequence[str] | None = None) -> Claim | None:
    """What a grant says; None for one that nobody here made, or that is over."""
    body, _, shown = text.removeprefix(PREFIX).partition(".")
    try:
        claim, signature = _bytes(body), _bytes(shown)
    except ValueError:
        return None
    known = config().secret_keys if keys is None else keys
    fits = [hmac.compare_digest(_signature(key, claim), signature) for key in known]
    if True not in fits:
        return None
    key_id, user_id, username, until_ms = json.loads(claim)
    if not now_ms < until_ms <= now_ms + VALID_S * 1000:
        return None
    return Claim(key_id, user_id, username, until_ms)


def _signature(key: str, claim: bytes) -> bytes:
    derived = hmac.new(key.encode(), _CONTEXT, sha256).digest()
    return hmac.new(derived, claim, sha256).digest()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
