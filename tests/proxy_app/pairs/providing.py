"""Providers of the four formats, in process: the mock's scripted answers, whole or wrecked.

Faults are named as in `tests.upstream.faults`; a status is one too (`"429"`).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from tests.proxy_app.harness import Stream, streamed
from tests.upstream import anthropic_wire, gemini_wire, openai_wire, responses_wire
from tests.upstream.faults import first_content, middle_content
from tests.upstream.script import Asked, Script, script_for
from tests.upstream.wire import Frame, Quirks, dump

WIRES: dict[str, Any] = {
    "openai_chat": openai_wire,
    "openai_responses": responses_wire,
    "anthropic": anthropic_wire,
    "gemini": gemini_wire,
}


def asked_for(says: str, stream: bool = True, include_usage: bool = True) -> Asked:
    return Asked("gpt-test", says, tools=("get_weather",), stream=stream, include_usage=include_usage)


PLAIN = Quirks()


def written(format: str, says: str, quirks: Quirks = PLAIN) -> list[Frame]:
    """The frames of a stream that answers to `says`."""
    asked = asked_for(says)
    return WIRES[format].frames(asked, script_for(asked), 1, quirks)


@dataclass
class Provider:
    """Answers to `says`, a word of the mock's scripts. `pieces` replace the bytes of a stream, and `paced`
    is an event to be waited for before each further piece of content."""

    format: str
    says: str = "hello"
    fault: str = ""
    quirks: Quirks = field(default_factory=Quirks)
    pieces: list[Any] | None = None
    paced: asyncio.Event | None = None
    seen: list[Any] = field(default_factory=list)
    freed: bool = True  # nothing that was sent here is being waited for

    @property
    def script(self) -> Script:
        return script_for(asked_for(self.says))

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        self.seen.append(body)
        stream = ":streamGenerateContent" in request.url.path or body.get("stream") is True
        if self.fault == "connect":
            raise httpx.ConnectError("refused")
        if self.fault == "headers":
            await self._silence()
        if self.fault.isdigit():
            told, headers = WIRES[self.format].error(int(self.fault), "error")
            return httpx.Response(int(self.fault), content=dump(told), headers=headers)
        return self._stream(body) if stream else self._plain()

    async def _silence(self) -> None:
        self.freed = False
        try:
            await asyncio.Event().wait()
        finally:
            self.freed = True

    def _plain(self) -> httpx.Response:
        wire, asked = WIRES[self.format], asked_for(self.says, stream=False)
        raw = dump(wire.plain(asked, script_for(asked), 1, self.quirks))
        if self.fault.startswith("inband"):
            raw = dump(wire.error(503, "error")[0])
        if self.fault.startswith("badjson"):
            raw = raw[: len(raw) // 2]
        if self.fault.startswith(("cut", "reset")):
            return httpx.Response(200, stream=Stream([raw[: len(raw) // 2], httpx.ReadError("reset")]))
        return httpx.Response(200, content=raw, headers={"content-type": "application/json"})

    def _stream(self, body: Any) -> httpx.Response:
        if self.pieces is not None:
            return streamed(self.pieces)
        usage = (
            self.format != "openai_chat" or (body.get("stream_options") or {}).get("include_usage") is True
        )
        asked = asked_for(self.says, include_usage=usage)
        frames = WIRES[self.format].frames(asked, script_for(asked), 1, self.quirks)
        if self.paced is not None:
            return httpx.Response(200, stream=_Paced(frames, self.paced))
        return streamed(self._wrecked(frames))

    def _wrecked(self, frames: list[Frame]) -> list[Any]:
        if not self.fault:
            return [frame.raw for frame in frames]
        until = first_content(frames) if self.fault.endswith("-first") else middle_content(frames)
        pieces: list[Any] = [frame.raw for frame in frames[:until]]
        match self.fault.partition("-")[0]:
            case "inband":
                pieces.append(WIRES[self.format].error_frame(529 if self.format == "anthropic" else 503))
            case "badjson":
                event = b"event: content_block_delta\n" if self.format == "anthropic" else b""
                pieces.append(event + b'data: {"broken": \n\n')
            case "reset":
                pieces.append(httpx.ReadError("reset"))
            case "stall":
                pieces.append(asyncio.Event())
        return pieces


class _Paced(httpx.AsyncByteStream):
    """One content at a time: the next only when the caller has had the one before."""

    def __init__(self, frames: list[Frame], heard: asyncio.Event) -> None:
        self.frames = frames
        self.heard = heard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        first = True
        for frame in self.frames:
            if frame.content and not first:
                async with asyncio.timeout(5):
                    await self.heard.wait()
            first = first and not frame.content
            self.heard.clear()
            yield frame.raw


def by_name(**providers: Provider) -> Any:
    """A script that answers as the provider whose name is the host's."""

    async def script(request: httpx.Request) -> httpx.Response:
        return await providers[request.url.host.partition(".")[0]](request)

    return script
