"""`thoughtSignature`, both directions: Gemini's own as they are, other families' under our tag.

The field holds bytes in base64, and SDKs decode it and encode it again in the URL-safe alphabet, so a tagged
signature goes out as base64 of its text.
"""

import binascii
from base64 import b64encode, urlsafe_b64decode

from proxy_app.formats.signing import seal_of, sealed_thought, untag_signature
from proxy_app.wire import Thinking

PROVIDER = "gemini"
#: What every signature begins with that this gateway made: base64 of "gatehouse", in either alphabet.
MARK = "Z2F0ZWhvdXNl"
_UNSIGNED = "gatehouse.unsigned."
#: On a tool call that another family's model made: signed by nobody.
UNSIGNED = b64encode(_UNSIGNED.encode()).decode()
#: Google's documented stand-in for a signature that another model's call never had.
SKIP_SIGNATURE = "skip_thought_signature_validator"


def wire_signature(thought: Thinking) -> str | None:
    """The signature to show a caller for a thought; None for one that nobody signed."""
    seal = seal_of(thought, PROVIDER)
    if seal is None or (thought.provider in (None, PROVIDER) and thought.redacted is None):
        return seal
    return b64encode(seal.encode()).decode()


def read_seal(text: str | None) -> str | None:
    """What `seal_of` gave, from a caller's field; Gemini's own signatures stay as they came."""
    if not text or not text.startswith(MARK):
        return text or None
    try:
        seal = urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return text
    return None if seal == _UNSIGNED else seal


def read_thought(text: str, signature: str | None) -> Thinking:
    """The thought a caller sent back."""
    return sealed_thought(text, read_seal(signature), PROVIDER)


def own_signature(signature: str | None) -> str | None:
    """A signature Gemini made; None for another family's."""
    seal = read_seal(signature)
    if seal is None:
        return None
    text, provider = untag_signature(seal, PROVIDER)
    return text if provider == PROVIDER else None
