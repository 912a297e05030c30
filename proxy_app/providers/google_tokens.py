"""Access tokens of Google service accounts: bought with a signed assertion, renewed before they end.

However many calls want one at a time, one request is made; a failure is told to all who were waiting.
Source of the exchange: RFC 7523 as Google documents it for server-to-server applications.
"""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway_project.errors import CredentialRefused, UpstreamFailed, UpstreamInvalid, UpstreamRefused
from proxy_app.formats.failures import read_json, without_secrets
from proxy_app.formats.reading import as_object, as_text
from proxy_app.providers.accounts import ServiceAccount

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_S = 3600
EARLY_S = 300.0  # a token is renewed so long before it ends
SHORTEST_S = 60.0  # what is told to live less is asked for again at the next call
_MOST_KEPT = 200


class Post(Protocol):
    """Sends a form to an address outside and gives (status, body). Raises UpstreamFailed."""

    def __call__(self, url: str, form: bytes, *, may_be_private: bool) -> Awaitable[tuple[int, bytes]]: ...


@dataclass(slots=True)
class _Kept:
    """One account's token. `lock` is held by whoever buys the next."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = field(default="", repr=False)
    ends_s: float = 0.0
    failed_s: float = float("-inf")
    failure: UpstreamFailed | None = None


class GoogleTokens:
    """The tokens of one worker. Belongs to its event loop. `clock` tells seconds since the epoch."""

    def __init__(self, post: Post, clock: Callable[[], float] = time.time) -> None:
        self._post = post
        self._clock = clock
        self._kept: dict[ServiceAccount, _Kept] = {}

    async def token(self, account: ServiceAccount, *, may_be_private: bool) -> str:
        """A token good for a while. Raises CredentialRefused, or UpstreamFailed for Google's own fault."""
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        kept = self._kept.setdefault(account, _Kept())
        asked_s = self._clock()
        if asked_s < kept.ends_s - EARLY_S or (kept.lock.locked() and asked_s < kept.ends_s):
            return kept.token
        async with kept.lock:
            now_s = self._clock()
            if now_s < kept.ends_s - EARLY_S:
                return kept.token
            if kept.failure is not None and kept.failed_s >= asked_s:
                raise _copy(kept.failure)
            try:
                kept.token, lives_s = await self._buy(account, may_be_private)
            except UpstreamFailed as failure:
                kept.failure, kept.failed_s = failure, self._clock()
                if now_s < kept.ends_s:
                    return kept.token  # the old one still serves
                raise
            kept.ends_s, kept.failure = now_s + lives_s, None
            return kept.token

    async def _buy(self, account: ServiceAccount, may_be_private: bool) -> tuple[str, float]:
        if urlsplit(account.token_uri).scheme != "https" and not may_be_private:
            raise CredentialRefused("The service account's token_uri is not an encrypted address.")
        assertion = sign_assertion(account, int(self._clock()))
        form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        status, raw = await self._post(account.token_uri, form, may_be_private=may_be_private)
        body = as_object(read_json(raw))
        token, lives_s = as_text(body.get("access_token")), body.get("expires_in")
        if status != 200:
            raise _refusal(status, body)
        if not token or isinstance(lives_s, bool) or not isinstance(lives_s, int | float):
            raise UpstreamInvalid("Google's answer to the service account holds no token.")
        return token, max(float(lives_s), SHORTEST_S)


def sign_assertion(account: ServiceAccount, now_s: int) -> str:
    """A JWT (RS256) that says who asks. Raises CredentialRefused for a key that cannot sign."""
    header = {"alg": "RS256", "typ": "JWT"}
    if account.private_key_id:
        header["kid"] = account.private_key_id
    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now_s,
        "exp": now_s + ASSERTION_S,
    }
    signed = f"{_part(orjson.dumps(header))}.{_part(orjson.dumps(claims))}"
    try:
        key = load_pem_private_key(account.private_key.encode(), password=None)
    except (ValueError, TypeError):
        raise CredentialRefused("The service account's private key cannot be read.") from None
    if not isinstance(key, RSAPrivateKey):
        raise CredentialRefused("The service account's private key is not an RSA key.")
    return f"{signed}.{_part(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _refusal(status: int, body: dict[str, object]) -> UpstreamFailed:
    """400 and its like mean the account; the rest is Google's own trouble."""
    words = ": ".join(text for name in ("error", "error_description") if (text := as_text(body.get(name))))
    if status in (408, 429) or status >= 500:
        return UpstreamRefused(
            f"Google gave no token for the service account (status {status}).", status=status, can_retry=True
        )
    detail = f"Google gave no token for the service account: {without_secrets(words) or f'status {status}'}"
    return CredentialRefused(detail, upstream_status=status)


def _copy(failure: UpstreamFailed) -> UpstreamFailed:
    """The same error for another waiter: an exception carries the way it went."""
    if isinstance(failure, UpstreamRefused):
        return UpstreamRefused(failure.detail, status=failure.status, can_retry=failure.can_retry)
    return type(failure)(failure.detail, upstream_status=failure.upstream_status)
