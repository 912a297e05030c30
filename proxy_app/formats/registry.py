"""The wire formats there are: what callers may speak to us and what we speak to providers."""

from typing import Final

from proxy_app.formats import (
    anthropic,
    bedrock_converse,
    cohere,
    gemini,
    openai_chat,
    openai_completions,
    openai_responses,
)
from proxy_app.formats.contract import InboundFormat, UpstreamFormat

INBOUND: Final[dict[str, InboundFormat]] = {
    "openai_chat": openai_chat.INBOUND,
    "anthropic": anthropic.INBOUND,
    "openai_responses": openai_responses.INBOUND,
    "openai_completions": openai_completions.INBOUND,
    "gemini": gemini.INBOUND,
}

UPSTREAM: Final[dict[str, UpstreamFormat]] = {
    "openai_chat": openai_chat.UPSTREAM,
    "openai_responses": openai_responses.UPSTREAM,
    "anthropic": anthropic.UPSTREAM,
    "gemini": gemini.UPSTREAM,
    "bedrock_converse": bedrock_converse.UPSTREAM,
    "cohere": cohere.UPSTREAM,
}
