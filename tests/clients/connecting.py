"""An SDK pointed at the Gatehouse under test and at one kind of provider behind it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.gateway import KINDS, Gate
from tests.clients.speaking import SPEAKERS, Said, Speaker, Turn, Wish

PLAIN = Wish()
every_kind = pytest.mark.parametrize("kind", KINDS)
every_speaker = pytest.mark.parametrize("speaks", SPEAKERS)
#: google-genai subclasses aiohttp's session, which aiohttp frowns upon.
quiet = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@dataclass(frozen=True)
class Caller:
    """`word` is what the model's name goes on with: what the mock is to do."""

    gate: Gate
    speaker: Speaker
    client: Any
    kind: str
    word: str = "mock"

    @property
    def model(self) -> str:
        return f"{self.kind}-{self.word}"

    async def say(self, *turns: Turn, wish: Wish = PLAIN, stream: bool = False) -> Said:
        return await self.speaker.say(self.client, self.model, turns, wish, stream)

    async def both(self, *turns: Turn, wish: Wish = PLAIN) -> tuple[Said, Said]:
        """The same call, whole and streamed."""
        plain, streamed = await asyncio.gather(
            self.say(*turns, wish=wish), self.say(*turns, wish=wish, stream=True)
        )
        return plain, streamed

    def sent_with(self, mark: str) -> str:
        """What the provider was sent with this in it, as text; empty when it was not."""
        bodies = [json.dumps(seen.body, ensure_ascii=False) for seen in self.gate.up.mock.seen]
        return next((body for body in reversed(bodies) if mark in body), "")
