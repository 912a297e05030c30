"""Small questions to a provider about what it keeps: they cost nothing and make no row."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from gateway_project.errors import ClientGone, GatehouseError, UpstreamInvalid, UpstreamTimeout
from proxy_app.catalogue import ProviderEntry, Timeouts
from proxy_app.formats import exchange
from proxy_app.hiding import hide_credential
from proxy_app.upstream import Upstream, UpstreamAnswer
from proxy_app.wire import BodySource, Outgoing, Target

LOOK_S = 30.0


async def open_answer(
    upstream: Upstream,
    provider: ProviderEntry,
    path: str,
    method: str = "GET",
    *,
    body: bytes | BodySource = b"",
    content_type: str = "",
    patience_s: float = LOOK_S,
    headers: Mapping[str, str] | None = None,
    format: str = "openai_responses",
    from_host: bool = False,
) -> UpstreamAnswer:
    """A provider's answer from its headers on; the caller releases it. Raises UpstreamFailed for any but
    a 2xx, read as `format` tells of errors."""
    content_type = content_type or ("application/json" if method == "POST" else "")
    headers = {"accept": "*/*", **(headers or {}), **({"content-type": content_type} if content_type else {})}
    outgoing = Outgoing(path, body, headers, method=method, from_host=from_host)
    try:
        async with asyncio.timeout(patience_s):
            answer = await upstream.open(provider, outgoing, Timeouts())
            if 200 <= answer.status < 300:
                return answer
            try:
                raw = await answer.read()
            finally:
                answer.release()
    except TimeoutError:
        raise UpstreamTimeout(f"The provider sent nothing within {patience_s:g} s.") from None
    failure = exchange.read_failure(Target(format, ""), answer.status, answer.headers, raw)
    raise hide_credential(failure, provider)


async def pieces_of(answer: UpstreamAnswer) -> AsyncIterator[bytes]:
    """An answer's bytes as they come. Raises UpstreamFailed, UpstreamTimeout for one that falls silent."""
    while True:
        try:
            async with asyncio.timeout(LOOK_S):
                chunk = await answer.next_chunk()
        except TimeoutError:
            raise UpstreamTimeout(f"The provider sent nothing within {LOOK_S:g} s.") from None
        if not chunk:
            return
        yield chunk


@asynccontextmanager
async def while_read(answer: UpstreamAnswer, gone: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Pass an answer on within: when its reader has `gone`, it is ended too, with all that was to follow."""

    async def watch() -> None:
        await gone()
        answer.abort(ClientGone())

    failure: GatehouseError | None = None
    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(watch())
        try:
            yield
        except GatehouseError as error:  # not through the group, which would wrap it
            failure = error
        finally:
            watcher.cancel()
    if failure is not None and not isinstance(failure, ClientGone):
        raise failure


async def ask_json(
    upstream: Upstream,
    provider: ProviderEntry,
    path: str,
    method: str = "GET",
    **sent: Any,
) -> dict[str, Any]:
    """A provider's answer as an object; `sent` as `open_answer` takes it. Raises UpstreamFailed."""
    answer = await open_answer(upstream, provider, path, method, **sent)
    try:
        async with asyncio.timeout(LOOK_S):
            body = orjson.loads(await answer.read())
    except TimeoutError:
        raise UpstreamTimeout(f"The provider sent nothing within {LOOK_S:g} s.") from None
    except orjson.JSONDecodeError:
        body = None
    finally:
        answer.release()
    if not isinstance(body, dict):
        raise UpstreamInvalid("The provider's answer cannot be read.")
    return body
