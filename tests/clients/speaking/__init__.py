"""One conversation in the words of every official Python SDK: what a test says once, each SDK asks for.

A speaker asks with its SDK's own types and rebuilds the answer with its accumulator, so that a test over all
of them compares what an application would see.
"""

from tests.clients.speaking import chat, generate, messages, responses
from tests.clients.speaking.contract import (
    Assistant,
    Media,
    Results,
    Said,
    Speaker,
    Turn,
    User,
    Wish,
    user,
)

SPEAKERS: dict[str, Speaker] = {
    "chat": chat.SPEAKER,
    "responses": responses.SPEAKER,
    "messages": messages.SPEAKER,
    "generate": generate.SPEAKER,
}

__all__ = ["SPEAKERS", "Assistant", "Media", "Results", "Said", "Speaker", "Turn", "User", "Wish", "user"]
