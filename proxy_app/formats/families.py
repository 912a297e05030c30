"""Which family of models a target is of, and which signed a thought, as far as either can be known. Pure.

Only whoever signed a thought takes it back, and a signature bears no name. Its field tells who signed, where
that is the family's own; its beginning does, where other families share the field.
"""

import re

from proxy_app.wire import Conversation, Target, Thinking, ToolCall

ANTHROPIC, GEMINI, OPENAI = "anthropic", "gemini", "openai"
_NAMES = (
    (ANTHROPIC, re.compile(r"claude", re.IGNORECASE)),
    (GEMINI, re.compile(r"gemini", re.IGNORECASE)),
    (OPENAI, re.compile(r"(^|[/.:])(gpt-(?!oss)|o\d|chatgpt|codex)", re.IGNORECASE)),
    ("xai", re.compile(r"(^|[/.:])grok", re.IGNORECASE)),
)
#: OpenAI's are Fernet tokens: a version and a time, then what is encrypted.
_OPENAI_SEAL = re.compile(r"gAAAA[A-Za-z0-9_-]{20,}={0,2}")
#: Anthropic's are messages of protobuf whose first field is the second.
_ANTHROPIC_SEAL = re.compile(r"E[g-v][A-Za-z0-9+/]{40,}={0,2}")
_SEALS = {OPENAI: _OPENAI_SEAL, ANTHROPIC: _ANTHROPIC_SEAL}


def family_of(target: Target) -> str:
    """The quirk `family`, else what the model's name tells; empty when neither does."""
    if given := target.quirks.get("family"):
        return str(given)
    return next((family for family, name in _NAMES if name.search(target.upstream_model)), "")


def is_known_foreign(signature: str, field_of: str, family: str) -> bool:
    """Whether a signature in the field of the family `field_of` was made there, and `family` is another."""
    return family not in ("", field_of) and _SEALS[field_of].fullmatch(signature) is not None


def forget_foreign(conversation: Conversation, target: Target) -> None:
    """Leave out signatures of the format's own family that a target of another would be sent."""
    family = family_of(target)
    for part in (part for turn in conversation.turns for part in turn.parts):
        if isinstance(part, ToolCall) and family not in ("", GEMINI):
            part.signature = None
        elif isinstance(part, Thinking) and part.provider in _SEALS and family not in ("", part.provider):
            sealed = part.redacted or part.signature or ""
            if is_known_foreign(sealed, part.provider, family):
                part.signature = part.redacted = None
