"""The Gatehouse that most fault tests share: secrets that can be searched for, faults, short timeouts."""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.mocking import MockThread, OwnUpstream
from tests.serving import Serving

#: Canaries: none of them may be met outside the place it belongs to. No usual prefix helps to hide them.
CREDENTIALS = {
    "openai": "openaicanary4f1d0c9b7a",
    "anthropic": "anthropiccanary7be2a1",
    "gemini": "geminicanary93ac55d0e",
}
PROMPT = "promptcanary61d7 tell nobody"
ENCRYPTION_KEY = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTMyYnk="
FAMILIES = {"openai": "gpt", "anthropic": "claude", "gemini": "gemini"}
ECHOES = ("400", "401", "403", "404", "429", "500", "inband", "text")
FAULTS = ("500", "html", "connect", "cut", "reset", "inband", "badjson", "empty-body", "redirect")
FIRST_S, IDLE_S, TOTAL_S = 0.6, 0.9, 1.4


def config(up: MockThread, echo: OwnUpstream) -> str:
    providers, models = [], []
    for kind, family in FAMILIES.items():
        path = "/v1" if kind == "openai" else ""
        for name, base in ((kind, up.urls[kind]), (f"echo-{kind}", echo.base_url + path)):
            canary = CREDENTIALS[kind]
            providers.append({"name": name, "kind": kind, "base_url": base, "credential": canary})
        models += [_model(f"{kind}-mock", kind, f"{family}-mock")]
        models += [_model(f"{kind}-{fault}", kind, f"{family}-fault-{fault}") for fault in FAULTS]
        models += [_model(f"{kind}-echo-{each}", f"echo-{kind}", f"echo-{each}") for each in ECHOES]
        models += [
            _model(f"{kind}-headers", kind, f"{family}-fault-headers", first_content_timeout_s=FIRST_S),
            _model(
                f"{kind}-stall-first", kind, f"{family}-fault-stall-first", first_content_timeout_s=FIRST_S
            ),
            _model(f"{kind}-stall-mid", kind, f"{family}-fault-stall-mid-interval-5", idle_timeout_s=IDLE_S),
            _model(f"{kind}-total", kind, f"{family}-fault-headers", total_timeout_s=TOTAL_S),
        ]
    return json.dumps({"providers": providers, "models": models})


def _model(name: str, provider: str, upstream: str, **timeouts: float) -> dict[str, Any]:
    price = {"input": 1, "output": 4}
    deployment = {"provider": provider, "model": upstream, "price": price, **timeouts}
    return {"name": name, "deployments": [deployment]}


async def echoing(request: web.Request) -> web.StreamResponse:
    """Providers that repeat the credential they were shown, in every place they can."""
    shown = next(
        value.removeprefix("Bearer ")
        for name, value in request.headers.items()
        if name.lower() in ("authorization", "x-api-key", "x-goog-api-key")
    )
    raw = (await request.read()).decode()
    kind = next(each for each in ECHOES if f"echo-{each}" in raw + request.path)
    words = f"Incorrect API key provided: {shown}. Your key={shown}, header 'x-api-key: {shown}' or {shown}!"
    error = {"error": {"message": words, "type": shown, "code": shown, "param": shown, "status": shown}}
    headers = {"x-debug-credential": shown, "request-id": shown, "x-request-id": shown}
    if kind == "text":
        return web.Response(status=500, text=words, headers=headers)
    if kind != "inband":
        return web.json_response(error, status=int(kind), headers=headers)
    answer = web.StreamResponse(headers={"content-type": "text/event-stream", **headers})
    await answer.prepare(request)
    await answer.write(f"event: error\ndata: {json.dumps(error)}\n\n".encode())
    await answer.write_eof()
    return answer


@dataclass(frozen=True)
class Gate:
    """The running server, the scripted mock behind it, and a key."""

    server: Serving
    up: MockThread
    key: str

    def ask(
        self, model: str, stream: bool = False, key: str = "", **more: Any
    ) -> tuple[int, dict[str, str], Any]:
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": PROMPT}], **more}
        return self.server.call("POST", "/v1/chat/completions", body, key=key or self.key)
