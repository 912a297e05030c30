"""How many input tokens a body has: asked of a provider of the caller's own format, else estimated.

A count is free: it passes the rate limits and leaves a row of no tokens and no cost, and holds no money.
"""

from typing import Any

import orjson

from gateway_project.errors import InvalidBody, UpstreamFailed, UpstreamRefused
from proxy_app.admission import admit_free, authorise_model
from proxy_app.answering import told_ids
from proxy_app.attempting import Relay, try_once
from proxy_app.call import Call, caller_of
from proxy_app.catalogue import ProviderEntry
from proxy_app.dialects import limits_in
from proxy_app.formats import exchange
from proxy_app.identity import read_claims
from proxy_app.keeping import find_former
from proxy_app.pipeline import begin, route
from proxy_app.planning import Step
from proxy_app.reading import parse
from proxy_app.settling import close_attempt, settle
from proxy_app.wire import JSON, Address, CallFacts
from usage_app.records import Tokens

MEDIA_TOKENS = 1500  # what an image or a page costs, more or less
_LONG_DATA = 2000  # characters from which on a text without a blank is data, not words
_NO_ENDPOINT = frozenset({404, 405, 501})


async def count(call: Call) -> None:
    """The story of a count, as `pipeline.run` tells that of a conversation."""
    _read(call)
    await authorise_model(call)
    await find_former(call)
    await admit_free(call)
    route(call)
    begin(call)
    relay = Relay(call)
    try:
        if not await _is_relayed(call, relay):
            _estimate(call, relay)
        await settle(call)
        await relay.finish()
    finally:
        relay.close()


def _read(call: Call) -> None:
    try:
        parse(call)
        model = call.address.model or call.body.get("model")
        if not isinstance(model, str) or not model.strip():
            raise InvalidBody("'model' is missing.", param="model")
        facts = exchange.read_call(call.format, _asked(call.body), Address(model=model))
        call.facts = CallFacts(model=facts.model, continues=facts.continues)
        call.mark("parsed")
    finally:
        call.claims = read_claims(call.headers, None)
        call.caller = caller_of(call.principal, call.claims)


def _asked(body: JSON) -> JSON:
    """The conversation that is to be counted: Gemini's may stand one level deeper, and no answer's limit
    needs to be named."""
    return {**(exchange.whole_request(body) or body), "max_tokens": 1}


async def _is_relayed(call: Call, relay: Relay) -> bool:
    """Whether a provider of the caller's format counted. Raises UpstreamRefused for the caller's mistakes."""
    step = _speaker(call)
    if step is None:
        return False
    try:
        await try_once(call, relay, step)
    except UpstreamFailed as error:
        close_attempt(call, error, (Tokens(), 0))
        mistaken = isinstance(error, UpstreamRefused) and not error.can_retry
        if call.client_gone_ms is not None or (mistaken and error.upstream_status not in _NO_ENDPOINT):
            raise
        return False
    return True


def _speaker(call: Call) -> Step | None:
    assert call.plan is not None
    is_whole = exchange.whole_request(call.body) is not None
    steps = call.plan.steps
    return next((step for step in steps if _counts(step.deployment.provider, call.format, is_whole)), None)


def _counts(provider: ProviderEntry, format: str, is_whole: bool) -> bool:
    if is_whole and provider.addressing == "vertex":
        return False  # knows the conversation alone
    return format in provider.formats and not provider.quirks.get("no_token_count")


def _estimate(call: Call, relay: Relay) -> None:
    tokens = max(tokens_in(call.body), 1)
    shapes: dict[str, JSON] = {
        "anthropic": {"input_tokens": tokens},
        "openai_responses": {"object": "response.input_tokens", "input_tokens": tokens},
        "gemini": {"totalTokens": tokens},
    }
    relay.body = orjson.dumps(shapes[call.format])
    relay.headers = {
        **told_ids(call.id),
        "x-gatehouse-model": call.facts.model,
        "x-gatehouse-estimated": "true",
        **limits_in(call.format, call.limit_headers, call.arrived_ms),
    }
    call.answered = True


def tokens_in(value: Any) -> int:
    """A fair guess from what a body says: a token for every four bytes of words, a flat count for media."""
    size = media = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            size += sum(len(name) for name in item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str):
            if item.startswith("data:") or (len(item) > _LONG_DATA and " " not in item):
                media += 1
            else:
                size += len(item.encode("utf-8", "surrogatepass"))
    return size // 4 + media * MEDIA_TOKENS
