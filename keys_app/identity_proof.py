"""Signed identity: proof of for whom a call is made, by a secret that a key shares with its caller.

Two forms, both HMAC-SHA256: a JWT (HS256) in x-gatehouse-identity that names the person, or a signature
in x-gatehouse-end-user-signature, `t=<seconds since the epoch>,v1=<hex>`, over "<t>.<end user>".
"""

import hmac
from hashlib import sha256

import jwt

from gateway_project.errors import IdentityNotProven

SHORTEST_SECRET = 32  # characters; RFC 7518 section 3.2 asks for 256 bits
VALID_S = 300  # how far a signature's time may be from ours
_LEEWAY_S = 60
#: claims of a token that name the person, the first that is there
_NAMES = ("email", "preferred_username", "sub")


def name_in_token(secret: str, token: str) -> str:
    """The person a JWT names. Raises IdentityNotProven for one that is not ours, is over or names nobody."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            leeway=_LEEWAY_S,
            options={"require": ["exp"], "verify_aud": False},
        )
    except jwt.PyJWTError as error:
        raise IdentityNotProven(f"The signed identity is not valid: {_reason(error)}.") from None
    name = next((claims[one] for one in _NAMES if isinstance(claims.get(one), str) and claims[one]), "")
    if not name:
        raise IdentityNotProven(f"The signed identity names nobody: it has none of {', '.join(_NAMES)}.")
    return name


def check_signature(secret: str, signature: str, end_user: str, now_ms: int) -> None:
    """Raises IdentityNotProven unless the signature is of this name and of these minutes."""
    parts = dict(part.strip().partition("=")[::2] for part in signature.split(","))
    stamp = parts.get("t", "")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12 or "v1" not in parts:
        raise IdentityNotProven("The signature of the end user is not 't=<seconds>,v1=<hex>'.")
    if not hmac.compare_digest(sign(secret, end_user, int(stamp)).encode(), signature_bytes(parts["v1"])):
        raise IdentityNotProven("The signature of the end user does not fit the name.")
    if abs(int(stamp) - now_ms // 1000) > VALID_S:
        raise IdentityNotProven("The signature of the end user is over: sign each call anew.")


def sign(secret: str, end_user: str, at_s: int) -> str:
    """What a caller computes: hex HMAC-SHA256 of "<seconds>.<end user>"."""
    return hmac.new(secret.encode(), f"{at_s}.{end_user}".encode(), sha256).hexdigest()


def signature_bytes(text: str) -> bytes:
    """A signature as it was sent, whatever is in it."""
    return text.lower().encode("utf-8", "replace")


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it is over"
        case jwt.InvalidSignatureError():
            return "another secret signed it"
        case jwt.MissingRequiredClaimError():
            return "it says no end (exp)"
        case jwt.InvalidAlgorithmError():
            return "only HS256 is taken"
        case jwt.ImmatureSignatureError():
            return "its time has not come"
        case jwt.InvalidKeyError():
            return "the key's secret looks like a public key, which signs nothing"
    return "it is no JWT that can be read"
