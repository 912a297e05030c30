"""Credentials that are more than a key: a Google service account, AWS access keys. Read here, never printed.

An admin pastes them as JSON; they are stored encrypted like any other credential.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy_app.providers.presets import Auth

GOOGLE_EXCHANGE = "https://oauth2.googleapis.com/token"


class NotAnAccount(ValueError):
    """The credential is not what its kind of provider needs; the message says what is."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A Google service account's key, as its JSON file tells it."""

    client_email: str
    private_key: str = field(repr=False)
    private_key_id: str = ""
    project_id: str = ""
    token_uri: str = GOOGLE_EXCHANGE

    @property
    def hint(self) -> str:
        return self.client_email

    def secrets(self) -> tuple[str, ...]:
        return (self.private_key,)


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """`session_token` for temporary credentials only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    @property
    def hint(self) -> str:
        return f"…{self.access_key_id[-4:]}"

    def secrets(self) -> tuple[str, ...]:
        return tuple(secret for secret in (self.secret_access_key, self.session_token) if secret)


Account = ServiceAccount | AwsKeys


def read_account(auth: Auth, secret: str) -> Account | None:
    """The account a credential holds; None for a plain key. Raises NotAnAccount."""
    if not secret:
        return None
    if auth == "google-service-account":
        return _service_account(_fields(secret))
    if auth == "aws-sigv4" and secret.lstrip().startswith("{"):
        return _aws_keys(_fields(secret))
    return None


def aws_credential(access_key_id: str, secret_access_key: str, session_token: str = "") -> str:
    """AWS access keys as the one text that is stored."""
    keys = {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
    return orjson.dumps(keys | ({"session_token": session_token} if session_token else {})).decode()


def hint_of(secret: str) -> str:
    """What may be shown of an account; '' for anything else."""
    if not secret.lstrip().startswith("{"):
        return ""
    for read in (_service_account, _aws_keys):
        try:
            return read(_fields(secret)).hint
        except NotAnAccount:
            continue
    return "…"


def _fields(secret: str) -> dict[str, Any]:
    try:
        found = orjson.loads(secret)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise NotAnAccount("Paste the whole JSON, from { to }.")
    return found


def _text(fields: dict[str, Any], *names: str) -> str:
    """The first of `names` that holds text; AWS's own tools write them in capitals."""
    for name in names:
        if isinstance(value := fields.get(name), str) and value.strip():
            return value.strip()
    return ""


def _service_account(fields: dict[str, Any]) -> ServiceAccount:
    email, key = _text(fields, "client_email"), _text(fields, "private_key")
    if not email or not key:
        raise NotAnAccount("The JSON key of a service account has a client_email and a private_key.")
    try:
        loaded = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        loaded = None
    if not isinstance(loaded, RSAPrivateKey):
        raise NotAnAccount("The private_key of the service account is not an RSA key in PEM.")
    return ServiceAccount(
        client_email=email,
        private_key=key,
        private_key_id=_text(fields, "private_key_id"),
        project_id=_text(fields, "project_id"),
        token_uri=_text(fields, "token_uri") or GOOGLE_EXCHANGE,
    )


def _aws_keys(fields: dict[str, Any]) -> AwsKeys:
    key_id = _text(fields, "access_key_id", "AccessKeyId", "aws_access_key_id")
    secret = _text(fields, "secret_access_key", "SecretAccessKey", "aws_secret_access_key")
    if not key_id or not secret:
        raise NotAnAccount("AWS access keys have an access_key_id and a secret_access_key.")
    return AwsKeys(key_id, secret, _text(fields, "session_token", "SessionToken", "aws_session_token"))
