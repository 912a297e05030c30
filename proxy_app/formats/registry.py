"""The wire formats there are: what callers may speak to us and what we speak to providers."""

from typing import Final

from proxy_app.formats.contract import Format
from proxy_app.formats.openai_chat import OPENAI_CHAT

INBOUND: Final[dict[str, Format]] = {
    "openai_chat": OPENAI_CHAT,
}

UPSTREAM: Final[dict[str, Format]] = {
    "openai_chat": OPENAI_CHAT,
}
