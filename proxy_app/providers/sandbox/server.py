"""The sandbox's front: a request's method, path, headers and body to a `SandboxReply`."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from proxy_app.providers.sandbox import message_shelf
from proxy_app.providers.sandbox.composing import compose
from proxy_app.providers.sandbox.models import BEHAVIOURS, SANDBOX_MODELS, STALL_S, Behaviour
from proxy_app.providers.sandbox.operations import ROUTES, operate, read_sent
from proxy_app.providers.sandbox.reading import Ask, read_ask
from proxy_app.providers.sandbox.reply import (
    Refused,
    SandboxCut,
    SandboxReply,
    digest,
    json_reply,
    scripted_error,
)
from proxy_app.providers.sandbox.sending import Sleep, plain_body, plain_chunks, plain_wait_s, stream_chunks
from proxy_app.providers.sandbox.shelf import Shelf
from proxy_app.wire import BodySource

JSON = dict[str, Any]

#: One prompt in this many makes `sandbox/flaky` fail.
FLAKY_SHARE = 3
#: When the sandbox's models came to be: 2026-11-23, in seconds since the epoch.
BORN = 1795392000


async def answer(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | BodySource,
    sleep: Sleep = asyncio.sleep,
    clock: Callable[[], float] = time.time,
    shelf: Shelf | None = None,
) -> SandboxReply:
    """Answers like an OpenAI-compatible server. `path` may carry the base address's own `/v1`.

    A wrong request is a reply, not an exception; only `chunks` may raise, and only SandboxCut.
    """
    told = body.decode("latin-1") if isinstance(body, bytes) else body.size
    request_id = {"x-request-id": f"req_sandbox_{digest(path, told)[:16]}"}
    try:
        route = path.split("?", 1)[0].strip("/").removeprefix("v1").strip("/")
        if shelf is not None and route.startswith(message_shelf.ROUTE):
            kept = message_shelf.MessageShelf(shelf)
            reply = await kept.answer(method.upper(), route, body, int(clock()), _answer_line)
        elif shelf is not None and route.partition("/")[0] in ("files", "batches"):
            kind = headers.get("content-type", "")
            reply = await shelf.answer(method.upper(), route, kind, body, int(clock()), _answer_line)
        else:
            reply = await _dispatch(method.upper(), route, headers, body, sleep, int(clock()))
    except Refused as refused:
        reply = json_reply(refused.status, refused.body(), refused.headers)
    reply.headers.update(request_id)
    return reply


async def _answer_line(url: str, body: JSON) -> tuple[int, JSON]:
    """One line of a batch, at no pace."""
    headers = {"content-type": "application/json"}
    reply = await answer("POST", url, headers, orjson.dumps(body), _no_sleep)
    try:
        return reply.status, orjson.loads(b"".join([chunk async for chunk in reply.chunks]))
    except (SandboxCut, orjson.JSONDecodeError):
        return scripted_error(500).status, scripted_error(500).body()


async def _no_sleep(_seconds: float) -> None:
    return None


async def _dispatch(
    method: str, route: str, headers: Mapping[str, str], body: bytes | BodySource, sleep: Sleep, now: int
) -> SandboxReply:
    if route == "models" or route.startswith("models/"):
        _expect(method, "GET")
        return json_reply(200, _models(route.removeprefix("models").strip("/")))
    if route == "chat/completions":
        _expect(method, "POST")
        return await _chat((await read_sent("application/json", body)).body, sleep, now)
    if route in ROUTES:
        _expect(method, "POST")
        sent = await read_sent(headers.get("content-type", ""), body)
        behaviour = _behaviour(sent.body)
        if behaviour.status is not None:
            raise scripted_error(behaviour.status)
        if behaviour.fault == "flaky" and int(sent.mark[:8], 16) % FLAKY_SHARE == 0:
            raise scripted_error(503)
        return await operate(route, sent, behaviour, now, sleep)
    raise Refused(404, f"The sandbox has no {method} /{route}.", code="unknown_url")


async def _chat(request: JSON, sleep: Sleep, now: int) -> SandboxReply:
    behaviour = _behaviour(request)
    if behaviour.status is not None:
        raise scripted_error(behaviour.status)
    ask = read_ask(request)
    if behaviour.fault == "flaky" and int(digest(ask.last_text)[:8], 16) % FLAKY_SHARE == 0:
        raise scripted_error(503)
    made = compose(ask, behaviour)
    if ask.stream:
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        return SandboxReply(200, headers, stream_chunks(ask, made, behaviour, now, sleep))
    return await _plain(ask, plain_body(ask, made, now), behaviour, plain_wait_s(made, behaviour), sleep)


async def _plain(ask: Ask, raw: bytes, behaviour: Behaviour, wait_s: float, sleep: Sleep) -> SandboxReply:
    """A whole answer's headers come when it has been written, as with any provider."""
    if behaviour.fault == "error_midway":
        raise scripted_error(500)
    if behaviour.fault == "stall":
        await sleep(STALL_S)
    elif wait_s:
        await sleep(wait_s)
    headers = {"content-type": "application/json", "content-length": str(len(raw))}
    return SandboxReply(200, headers, plain_chunks(raw, behaviour, sleep))


def _expect(method: str, allowed: str) -> None:
    if method != allowed:
        raise Refused(405, f"Use {allowed} here.", code="method_not_allowed", headers={"allow": allowed})


def _behaviour(request: JSON) -> Behaviour:
    name = request.get("model")
    if not isinstance(name, str):
        raise Refused(400, "'model' must be a text.", param="model")
    if name not in BEHAVIOURS:
        known = ", ".join(SANDBOX_MODELS)
        raise Refused(
            404, f"The sandbox has no model {name!r}. It has: {known}.", code="model_not_found", param="model"
        )
    return BEHAVIOURS[name]


def _models(name: str) -> JSON:
    if name:
        _behaviour({"model": name})
        return _model(name)
    return {"object": "list", "data": [_model(each) for each in SANDBOX_MODELS]}


def _model(name: str) -> JSON:
    return {
        "id": name,
        "object": "model",
        "created": BORN,
        "owned_by": "gatehouse-sandbox",
        "description": SANDBOX_MODELS[name],
    }
