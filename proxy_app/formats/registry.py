"""The wire formats there are: what callers may speak to us and what we speak to providers."""

from typing import Final

from proxy_app.formats import anthropic, gemini, openai_chat
from proxy_app.formats.contract import InboundFormat, UpstreamFormat

INBOUND: Final[dict[str, InboundFormat]] = {
    "openai_chat": openai_chat.INBOUND,
    "anthropic": anthropic.INBOUND,
}

UPSTREAM: Final[dict[str, UpstreamFormat]] = {
    "openai_chat": openai_chat.UPSTREAM,
    "anthropic": anthropic.UPSTREAM,
    "gemini": gemini.UPSTREAM,
}
