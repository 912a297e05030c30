"""Tries a provider or a deployment out, from the control plane: its models, or one short real call.

Goes the data plane's own way out (formats, presets, guarded addresses) on an event loop of its own.
A real call is written to the ledger like any other: it costs money and reached a provider.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson

from gateway_project.errors import GatehouseError, UpstreamInvalid
from proxy_app.catalogue import DeploymentEntry, ProviderEntry, Timeouts
from proxy_app.catalogue_loading import deployment_entry, provider_entry
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.hiding import hide_credential
from proxy_app.models import Deployment, Provider
from proxy_app.planning import fill
from proxy_app.probe_recording import ProbeRecord
from proxy_app.probe_result import ProbeResult, failed
from proxy_app.providers.addressing import listing_url
from proxy_app.providers.listing import ListedModel, UnreadableListing, next_page, parse_listing
from proxy_app.providers.presets import PRESETS, Preset
from proxy_app.providers.readiness import PROBLEMS
from proxy_app.upstream import Upstream
from proxy_app.upstream_inprocess import SandboxSender
from proxy_app.upstream_network import AiohttpSender
from proxy_app.wire import NOWHERE, Outgoing, Target

PROBE_FORMAT = "openai_chat"
PROMPT = "Reply with the single word: ready"
OUTPUT_LIMIT = 256  # tokens; enough for a model that thinks before it says one word
MOST_PAGES = 10
_PATIENCE = Timeouts(connect_s=5.0, first_content_s=15.0, idle_s=15.0, total_s=30.0)

T = TypeVar("T")


def probe(deployment_id: UUID, asked: str = "", actor: str = "") -> ProbeResult:
    """Send one short question to a deployment. `asked` fills a wildcard's place."""
    row = Deployment.objects.select_related("provider", "model").get(pk=deployment_id)
    provider = provider_entry(row.provider)
    if provider is None:
        return ProbeResult(False, f"The kind {row.provider.kind} is not known here.", code="unknown_kind")
    public = asked or row.model.name
    upstream_model = fill(row.model.name, row.upstream_model, public)
    if "*" in upstream_model:
        return ProbeResult(
            False, "A deployment with a * needs a model's name to ask for.", code="needs_model"
        )
    deployment = deployment_entry(row, provider)
    if problem := _credential_problem(provider):
        return problem
    record = ProbeRecord(deployment, public, upstream_model, actor)
    return _run(_ask(deployment, upstream_model, public, record))


def try_provider(provider_id: UUID) -> ProbeResult:
    """Ask a provider for its models: proves address, network and credential at no cost."""
    row = Provider.objects.get(pk=provider_id)
    provider = provider_entry(row)
    if provider is None:
        return ProbeResult(False, f"The kind {row.kind} is not known here.", code="unknown_kind")
    if problem := _credential_problem(provider):
        return problem
    return _run(_list_models(provider))


def _credential_problem(provider: ProviderEntry) -> ProbeResult | None:
    problem = PROBLEMS.get(provider.credential_state)
    if problem is None:
        return None
    return ProbeResult(False, f"The provider {provider.name} {problem}.", code="credential")


def _run(work: Coroutine[Any, Any, T]) -> T:
    """On a loop of its own: an HTTP client belongs to one, and this is a thread of the control plane."""
    return asyncio.run(work)


async def _list_models(provider: ProviderEntry) -> ProbeResult:
    preset = PRESETS[provider.kind]
    asking = replace(provider, headers={**provider.headers, **preset.listing_headers})
    upstream = Upstream(AiohttpSender(), SandboxSender())
    began = time.monotonic()
    found: dict[str, ListedModel] = {}
    try:
        for path in preset.models_paths:
            async for body in _pages(upstream, asking, preset, path):
                listed = parse_listing(preset.format, body)
                found.update((model.id, model) for model in listed if preset.lists_only in model.id)
    except GatehouseError as error:
        return failed(error, _since(began))
    except UnreadableListing as error:
        return failed(UpstreamInvalid(str(error)), _since(began))
    finally:
        await upstream.aclose()
    count = len(found)
    detail = f"{provider.name} answered with {count} model{'' if count == 1 else 's'} to chat with."
    return ProbeResult(True, detail, duration_ms=_since(began), models=tuple(found.values()))


async def _pages(
    upstream: Upstream, provider: ProviderEntry, preset: Preset, path: str
) -> AsyncIterator[Any]:
    """One list of a provider, page by page."""
    first = url = listing_url(
        preset.addressing,
        provider.base_url,
        path,
        provider.settings,
        from_origin=preset.lists_from_origin,
    )
    for _page in range(MOST_PAGES):
        body = await _get_json(upstream, provider, url)
        yield body
        more = next_page(preset.format, body)
        if not more:
            return
        url = f"{first}{'&' if '?' in first else '?'}{urlencode(more)}"


async def _get_json(upstream: Upstream, provider: ProviderEntry, url: str) -> Any:
    answer = await upstream.get(provider, url, _PATIENCE)
    try:
        async with asyncio.timeout(_PATIENCE.total_s):
            raw = await answer.read()
    except TimeoutError:
        raise UpstreamInvalid("The provider's list of models did not end.") from None
    finally:
        answer.release()
    if answer.status != 200:
        target = Target(provider.format, "", provider.quirks)
        raise hide_credential(exchange.read_failure(target, answer.status, answer.headers, raw), provider)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise UpstreamInvalid from None


async def _ask(
    deployment: DeploymentEntry, upstream_model: str, public: str, record: ProbeRecord
) -> ProbeResult:
    provider = deployment.provider
    target = Target(provider.format, upstream_model, provider.quirks)
    body = {
        "model": public,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_completion_tokens": OUTPUT_LIMIT,
    }
    raw = orjson.dumps(body)
    facts = exchange.read_call(PROBE_FORMAT, body, NOWHERE)
    upstream = Upstream(AiohttpSender(), SandboxSender())
    began = time.monotonic()
    record.begin()
    try:
        outgoing = exchange.build_outgoing(PROBE_FORMAT, target, raw, body, facts)
        outgoing.headers["x-gatehouse-request-id"] = record.id
        outgoing.headers["x-gatehouse-attempt"] = "1"
        content = await _sent(upstream, deployment, target, outgoing)
        options = RenderOptions(model=public, answer_id=record.id, created=int(time.time()))
        shown, observed = exchange.convert_answer(PROBE_FORMAT, target, content, facts, options)
        return record.succeed(observed, _text(shown), _since(began))
    except TimeoutError:
        error: GatehouseError = UpstreamInvalid("The answer did not end in time.")
        return record.fail(error, _since(began))
    except GatehouseError as failure:
        return record.fail(failure, _since(began))
    finally:
        record.close()
        await upstream.aclose()


async def _sent(upstream: Upstream, deployment: DeploymentEntry, target: Target, outgoing: Outgoing) -> bytes:
    """What the provider answers, read to its end; raises TimeoutError, UpstreamFailed."""
    patience = replace(_PATIENCE, connect_s=deployment.timeouts.connect_s)
    async with asyncio.timeout(_PATIENCE.total_s):
        answer = await upstream.open(deployment.provider, outgoing, patience)
        try:
            content = await answer.read()
        finally:
            answer.release()
    if answer.status != 200:
        failure = exchange.read_failure(target, answer.status, answer.headers, content)
        raise hide_credential(failure, deployment.provider)
    return content


def _text(shown: bytes) -> str:
    """What the model said, shortened."""
    choices = orjson.loads(shown).get("choices") or [{}]
    content = (choices[0].get("message") or {}).get("content")
    return content[:200] if isinstance(content, str) else ""


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
