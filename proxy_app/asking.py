"""Small questions to a provider about what it keeps: they cost nothing and make no row."""

import asyncio
from typing import Any

import orjson

from gateway_project.errors import UpstreamInvalid, UpstreamTimeout
from proxy_app.catalogue import ProviderEntry, Timeouts
from proxy_app.formats import exchange
from proxy_app.hiding import hide_credential
from proxy_app.upstream import Upstream, UpstreamAnswer
from proxy_app.wire import Outgoing, Target

LOOK_S = 30.0


async def open_answer(
    upstream: Upstream, provider: ProviderEntry, path: str, method: str = "GET"
) -> UpstreamAnswer:
    """A provider's answer from its headers on; the caller releases it. Raises UpstreamFailed for any but
    a 2xx."""
    outgoing = Outgoing(path, b"", {"accept": "*/*"}, method=method)
    try:
        async with asyncio.timeout(LOOK_S):
            answer = await upstream.open(provider, outgoing, Timeouts())
            if 200 <= answer.status < 300:
                return answer
            try:
                raw = await answer.read()
            finally:
                answer.release()
    except TimeoutError:
        raise UpstreamTimeout(f"The provider sent nothing within {LOOK_S:g} s.") from None
    failure = exchange.read_failure(Target("openai_responses", ""), answer.status, answer.headers, raw)
    raise hide_credential(failure, provider)


async def ask_json(
    upstream: Upstream, provider: ProviderEntry, path: str, method: str = "GET"
) -> dict[str, Any]:
    """A provider's answer as an object. Raises UpstreamFailed."""
    answer = await open_answer(upstream, provider, path, method)
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
