"""The mock's server: which provider is meant, may the caller in, and what goes over the wire."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tests.upstream import anthropic_wire, gemini_wire, openai_wire, responses_wire
from tests.upstream.faults import Manner, first_content, middle_content, on_the_wire, read_manner
from tests.upstream.filing import Filed
from tests.upstream.keeping import Kept
from tests.upstream.recording import Recorder, Seen
from tests.upstream.script import script_for
from tests.upstream.wire import Frame, ProviderWire, dump

#: provider -> the credential it accepts.
CREDENTIALS: dict[str, str] = {
    "openai": "sk-upstream-openai-credential",
    "anthropic": "sk-ant-upstream-credential",
    "gemini": "AIza-upstream-credential",
}
SILENCE_S = 600.0

#: Marks a request whose connection the mock itself has broken.
_BROKEN = web.RequestKey("broken", bool)


class MockUpstream:
    """`async with MockUpstream() as up:` serves on a free port of the running loop.

    `plans[model]` is a list of models whose manners the next requests of that model take on, one
    each: `plans["gpt-mock"] = ["fault-500"]` fails once, then answers.
    """

    def __init__(
        self,
        port: int = 0,
        log: Path | None = None,
        credentials: Mapping[str, str] | None = None,
        chunk_interval_s: float = 0.0,
    ) -> None:
        self.credentials = dict(CREDENTIALS if credentials is None else credentials)
        self.chunk_interval_s = chunk_interval_s
        self.plans: dict[str, list[str]] = {}
        self._port = port
        self._log = log
        self._count = 0
        self._kept = Kept()
        self._filed = {"anthropic": Filed(), "gemini": Filed()}

    async def __aenter__(self) -> Self:
        self.recorder = Recorder(self._log)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        for path, handler in self._routes().items():
            app.router.add_route("*", path, handler)
        # Cancellation tells at once that a client has gone, even while nothing is being written.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.urls = {
            "openai": f"{self.base_url}/v1",
            "openai_responses": f"{self.base_url}/v1",
            "anthropic": self.base_url,
            "gemini": self.base_url,
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        self.recorder.close()

    @property
    def seen(self) -> list[Seen]:
        return self.recorder.seen

    async def wait_for(self, count: int, timeout_s: float = 10.0) -> list[Seen]:
        return await self.recorder.wait_for(count, timeout_s)

    def _routes(self) -> dict[str, Any]:
        return {
            "/v1/chat/completions": self._openai,
            "/v1/responses": self._responses,
            "/v1/responses/{id}": self._stored,
            "/v1/responses/{id}/{verb:cancel|input_items}": self._stored,
            "/v1/messages": self._anthropic,
            "/{version:v1|v1beta}/models/{verb:.+:(generateContent|streamGenerateContent)}": self._gemini,
            "/v1/models": self._listing,
            "/v1beta/models": self._listing,
            "/v1/files": self._files,
            "/v1/files/{id}": self._files,
            "/v1/files/{id}/{verb:content}": self._files,
            "/v1beta/files": self._files,
            "/v1beta/files/{id}": self._files,
            "/upload/v1beta/files": self._files,
        }

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, openai_wire, "", None)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, responses_wire, "", None)

    async def _stored(self, request: web.Request) -> web.StreamResponse:
        seen = await self._record(request, responses_wire, None, "", False)
        seen.ended.set()
        if refusal := self._refusal(seen, responses_wire):
            return _failure(responses_wire, *refusal)
        verb = request.match_info.get("verb", "")
        found = self._kept.answer(request.method, request.match_info["id"], verb)
        return _failure(responses_wire, 404, "error") if found is None else web.json_response(found)

    async def _files(self, request: web.Request) -> web.StreamResponse:
        is_google = "beta" in request.path
        wire: ProviderWire = gemini_wire if is_google else anthropic_wire
        seen = await self._record(request, wire, None, "", False)
        seen.ended.set()
        if refusal := self._refusal(seen, wire):
            return _failure(wire, *refusal)
        filed = self._filed["gemini" if is_google else "anthropic"]
        answers = {"upload": filed.gemini_upload, "v1beta": filed.gemini, "v1": filed.anthropic}
        found = await answers[request.path.split("/")[1]](request)
        return found or _failure(wire, 403 if is_google else 404, "error")

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, anthropic_wire, "", None)

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        model, _, verb = request.match_info["verb"].rpartition(":")
        return await self._serve(request, gemini_wire, model, verb == "streamGenerateContent")

    async def _listing(self, request: web.Request) -> web.StreamResponse:
        wire: ProviderWire = openai_wire
        if "beta" in request.path or "x-goog-api-key" in request.headers:
            wire = gemini_wire
        elif "anthropic-version" in request.headers:
            wire = anthropic_wire
        seen = await self._record(request, wire, None, "", False)
        seen.ended.set()
        if refusal := self._refusal(seen, wire):
            return _failure(wire, *refusal)
        return web.json_response(wire.listing())

    async def _serve(
        self, request: web.Request, wire: ProviderWire, path_model: str, path_stream: bool | None
    ) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw)
            model = path_model or body["model"]
            stream = bool(body.get("stream")) if path_stream is None else path_stream
        except (ValueError, KeyError, TypeError, AttributeError):
            seen = await self._record(request, wire, raw, path_model, False)
            seen.ended.set()
            return _failure(wire, 400, "body")
        seen = await self._record(request, wire, body, model, stream)
        try:
            return await self._answer(request, wire, seen)
        except (asyncio.CancelledError, ConnectionResetError):
            seen.closed_early = _BROKEN not in request
            raise
        finally:
            seen.ended.set()

    async def _record(
        self, request: web.Request, wire: ProviderWire, body: Any, model: str, stream: bool
    ) -> Seen:
        self._count += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(
            self._count,
            wire.name,
            request.method,
            request.path,
            dict(request.query),
            headers,
            body,
            model,
            stream,
        )
        seen.authorised = self._refusal(seen, wire) is None
        await self.recorder.add(seen)
        return seen

    def _refusal(self, seen: Seen, wire: ProviderWire) -> tuple[int, str] | None:
        expected = self.credentials.get(wire.name)
        return wire.refuse_credential(seen.headers, seen.query, expected) if expected else None

    async def _answer(self, request: web.Request, wire: ProviderWire, seen: Seen) -> web.StreamResponse:
        if refusal := self._refusal(seen, wire):
            return _failure(wire, *refusal)
        planned = self.plans.get(seen.model)
        manner = read_manner(planned.pop(0) if planned else seen.model)
        if early := await self._early_fault(request, wire, manner):
            return early
        try:
            asked = wire.read(seen.body, seen.model, seen.stream)
        except (KeyError, TypeError, IndexError, AttributeError):
            return _failure(wire, 400, "body")
        script = script_for(asked)
        if not seen.stream:
            body = wire.plain(asked, script, seen.number, manner.quirks)
            if wire is responses_wire:
                body = self._kept.take(seen.body, body)
            return await _send_plain(request, body, manner, wire)
        if wire is responses_wire:
            self._kept.take(seen.body, wire.plain(asked, script, seen.number, manner.quirks))
        frames = wire.frames(asked, script, seen.number, manner.quirks)
        if wire is gemini_wire and seen.query.get("alt") != "sse":
            return web.Response(body=_as_array(frames), content_type="application/json")
        return await self._send_stream(request, frames, manner, wire)

    async def _early_fault(
        self, request: web.Request, wire: ProviderWire, manner: Manner
    ) -> web.StreamResponse | None:
        """The faults that come before any of the answer."""
        if manner.status is not None:
            return _failure(wire, manner.status, "error")
        if manner.fault in ("quota", "context"):
            return _failure(wire, 429 if manner.fault == "quota" else 400, manner.fault)
        if manner.fault == "html":
            return web.Response(
                status=502, text="<html><h1>Bad gateway</h1></html>", content_type="text/html"
            )
        if manner.fault == "redirect":
            return web.Response(status=307, headers={"location": f"{self.base_url}/elsewhere"})
        if manner.fault == "empty-body":
            return web.Response(status=200, content_type="application/json")
        if manner.fault == "connect":
            _break(request)
        if manner.fault in ("connect", "headers"):
            await asyncio.sleep(SILENCE_S)
        return None

    async def _send_stream(
        self, request: web.Request, frames: list[Frame], manner: Manner, wire: ProviderWire
    ) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        answer.headers["x-request-id" if wire.name == "openai" else "request-id"] = "req_mock"
        await answer.prepare(request)
        fault = manner.fault or ""
        until = first_content(frames) if fault.endswith("-first") else middle_content(frames)
        sent = frames[:until] if fault else frames
        if fault.startswith("inband"):
            sent = [*sent, Frame(wire.error_frame(529 if wire is anthropic_wire else 503))]
        if fault.startswith("badjson"):
            event = b"event: content_block_delta\n" if wire is anthropic_wire else b""
            sent = [*sent, Frame(event + b'data: {"broken": \n\n')]
        interval_s = self.chunk_interval_s if manner.interval_s is None else manner.interval_s
        for position, piece in enumerate(on_the_wire(sent, manner)):
            if position and interval_s:
                await asyncio.sleep(interval_s)
            await answer.write(piece)
        if fault.startswith("stall"):
            await asyncio.sleep(SILENCE_S)
        if fault == "reset":
            _break(request)
            return answer
        await answer.write_eof()
        return answer


async def _send_plain(
    request: web.Request, body: Any, manner: Manner, wire: ProviderWire
) -> web.StreamResponse:
    raw = dump(body)
    fault = manner.fault or ""
    if fault.startswith("inband"):
        return _failure(wire, 500, "error")
    if fault.startswith("badjson"):
        return web.Response(body=raw[: len(raw) // 2], content_type="application/json")
    if fault == "stall-first":
        await asyncio.sleep(SILENCE_S)
    if fault not in ("cut", "reset", "stall-mid"):
        name = "x-request-id" if wire.name == "openai" else "request-id"
        return web.Response(body=raw, content_type="application/json", headers={name: "req_mock"})
    answer = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(raw))})
    await answer.prepare(request)
    await answer.write(raw[: len(raw) // 2])
    if fault == "stall-mid":
        await asyncio.sleep(SILENCE_S)
    _break(request)
    return answer


def _failure(wire: ProviderWire, status: int, kind: str) -> web.Response:
    body, headers = wire.error(status, kind)
    return web.Response(status=status, body=dump(body), content_type="application/json", headers=headers)


def _as_array(frames: list[Frame]) -> bytes:
    """Gemini without alt=sse: one JSON array."""
    return b"[" + b",\r\n".join(frame.raw.removeprefix(b"data: ").strip() for frame in frames) + b"]"


def _break(request: web.Request) -> None:
    """Closes the connection as a failing network does: what was written goes out, no end follows."""
    request[_BROKEN] = True
    if request.transport is not None:
        request.transport.close()
