"""Opens and closes what a worker's calls share, in order, and hands it over in scope["state"].

A worker's start never fails because of a service: it is live, not ready, answers 503 and goes on
trying. (A failed lifespan start would make gunicorn halt every worker.)
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from channels.layers import get_channel_layer
from django.template.loader import get_template
from django.urls import reverse

from gateway_project import lifeline
from gateway_project.clock import uuid7
from gateway_project.conf import Config
from gateway_project.errors import CallStopped, Draining
from keys_app.heartbeat import Heartbeat
from keys_app.limits import open_store
from keys_app.secrets import hash_secret
from keys_app.snapshot import SnapshotKeeper
from keys_app.tasks import Tasks
from proxy_app import refusals
from proxy_app.batch_settling import keep_looking
from proxy_app.call import Services
from proxy_app.capturing import Capturer
from proxy_app.catalogue_loading import CatalogueSection
from proxy_app.following import let_go
from proxy_app.health import Health
from proxy_app.health_sharing import HealthSharing
from proxy_app.metrics import Metrics
from proxy_app.metrics_sharing import MetricsSharing
from proxy_app.overhearing import words_of
from proxy_app.signatures import open_signatures
from proxy_app.stored import StoredObjects
from proxy_app.upstream import Upstream
from proxy_app.upstream_inprocess import SandboxSender
from proxy_app.upstream_network import AiohttpSender
from usage_app.captured import BodyWriter
from usage_app.journal import JournalWriter
from usage_app.limit_loading import keep_loaded
from usage_app.live import LiveCall, Registry
from usage_app.live_publisher import LivePublisher
from usage_app.live_stopping import Wish, stop_calls
from usage_app.pricebook import PriceSection

PAGES = (
    *("ui/overview.html", "ui/requests.html", "ui/request.html", "ui/live.html"),
    *("admin/change_list.html", "admin/change_form.html"),
)
PATIENCE_S = 5.0
END_STREAMS_BEFORE_DEADLINE_S = 2.0


class Lifespan:
    """The lifespan protocol of one worker."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tasks = Tasks()
        self._services: Services | None = None
        self._heartbeat: Heartbeat | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self._config.serves_data_plane:
                    services = scope["state"]["services"] = self._open()
                    await self._first_picture(services)
                if self._config.serves_control_plane:
                    self._tasks.start(asyncio.to_thread(_read_pages), "pages")
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _open(self) -> Services:
        """Make everything without waiting for anything; what needs a service opens behind."""
        config = self._config
        worker_id = str(uuid7())
        metrics = Metrics()
        capturer = Capturer(BodyWriter(config.data, worker_id), metrics)
        services = self._services = _services(config, worker_id, metrics, capturer)
        services.journal.open()
        if config.workers > 1:
            services.shared_metrics = MetricsSharing(metrics, config.metrics_dir, worker_id)
            self._tasks.start(services.shared_metrics.run(), "metrics")
        publisher = LivePublisher(
            services.registry, get_channel_layer(), worker_id, _stopper(services), partial(words_of, services)
        )
        alone = not config.redis_url
        limits = keep_loaded(services.limits, config.journal_dir, worker_id, alone=alone)
        self._tasks.start(limits, "limits")
        self._tasks.start(services.journal.run_sync_loop(), "journal sync")
        self._tasks.start(publisher.run(), "live publisher")
        self._tasks.start(capturer.run(), "bodies")
        self._tasks.start(keep_looking(services), "batches")
        if config.redis_url:
            self._tasks.start(HealthSharing.connect(config.redis_url, services.health).run(), "cooldowns")
        self._heartbeat = Heartbeat(config, worker_id)
        self._heartbeat.start()
        lifeline.on_drain(self._begin_drain)
        return services

    async def _first_picture(self, services: Services) -> None:
        """Take no connection before the policy is known, as long as that is a matter of seconds."""
        first = self._tasks.start(services.keeper.start(), "snapshot")
        await asyncio.wait([first], timeout=PATIENCE_S)

    def _begin_drain(self) -> None:
        """The worker is to stop: take no new call, and end streams shortly before the deadline."""
        services = self._services
        if services is None or services.draining:
            return
        services.draining = True
        patience = max(self._config.drain_s - END_STREAMS_BEFORE_DEADLINE_S, 0.0)
        asyncio.get_running_loop().call_later(patience, _end_calls, services)

    async def _close(self) -> None:
        services = self._services
        await self._tasks.stop()
        if services is None:
            return
        if self._heartbeat is not None:
            await asyncio.to_thread(self._heartbeat.stop)
        let_go(list(services.calls.values()))
        await services.followed.finish()
        refusals.flush(services)
        await services.keeper.stop()
        await services.upstream.aclose()
        await services.limits.close()
        await services.signatures.close()
        services.journal.sync()
        services.journal.close()
        if services.shared_metrics is not None:
            services.shared_metrics.close()


def _services(config: Config, worker_id: str, metrics: Metrics, capturer: Capturer) -> Services:
    """What calls share, made but not opened."""
    journal = JournalWriter(config.journal_dir, worker_id)
    return Services(
        config=config,
        upstream=Upstream(AiohttpSender(), SandboxSender(config.data)),
        keeper=SnapshotKeeper([CatalogueSection(), PriceSection()]),
        limits=open_store(config),
        journal=journal,
        stored=StoredObjects(journal.append),
        capturer=capturer,
        registry=Registry(),
        health=Health(),
        metrics=metrics,
        signatures=open_signatures(config),
        master_hash=hash_secret(config.master_key) if config.master_key else "",
    )


def _read_pages() -> None:
    """What the first page would wait for, half a second: the addresses of all pages, the large templates."""
    reverse("ui:overview")
    for name in PAGES:
        get_template(name)


def _stopper(services: Services) -> Callable[[dict[str, Any]], int]:
    """Ends calls of this worker by a wish from the dashboard or the API."""

    def stop(call: LiveCall) -> bool:
        held = services.calls.get(call.id)
        if held is not None and held.following is not None:
            return held.following.cancel()
        if held is None or held.guard is None:
            return False
        held.guard.fire(CallStopped())
        return True

    return lambda wish: stop_calls(Wish(**wish), services.registry.calls.values(), stop)


def _end_calls(services: Services) -> None:
    for call in list(services.calls.values()):
        if call.guard is not None:
            call.guard.fire(Draining())
