"""What operators and machines ask: is it alive, is it ready, how is it doing."""

import asyncio
import time
from hmac import compare_digest
from ipaddress import ip_address

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway_project.errors import InvalidKey
from keys_app.secrets import hash_secret
from proxy_app.identity import shown_secret
from proxy_app.views.base import APIView


class Live(APIView):
    """GET: this process answers."""

    endpoint = "health.live"
    methods = ("GET", "HEAD")
    needs_key = False

    async def initial(self) -> None:
        return

    async def get(self) -> None:
        await self.request.reply.whole(200, {}, b'{"status":"live"}')

    head = get


class Ready(Live):
    """GET: calls are taken; 503 with the reason when they are not."""

    endpoint = "health.ready"

    async def get(self) -> None:
        services = self.request.services
        keeper = services.keeper
        reasons = []
        if not keeper.ready:
            reasons.append("the policy snapshot is not loaded")
        if keeper.database_down:
            reasons.append("the database cannot be reached")
        if not services.journal.has_room():
            reasons.append("the journal's disk is nearly full")
        if services.draining:
            reasons.append("the worker is shutting down")
        body = {
            "status": "ready" if not reasons else "not_ready",
            "reasons": reasons,
            "snapshot_age_s": round(keeper.age_s, 1) if keeper.ready else None,
            "limits_loaded": not services.limits.needs_load,
            "in_flight": services.metrics.in_flight,
        }
        await self.request.reply.whole(503 if reasons else 200, {}, orjson.dumps(body))

    head = get


class Metrics(APIView):
    """GET: Prometheus text. From this machine as it is, from elsewhere with the master key."""

    endpoint = "metrics"
    methods = ("GET",)
    needs_key = False

    async def initial(self) -> None:
        client = self.request.scope.get("client")
        if client and ip_address(client[0]).is_loopback and b"x-forwarded-for" not in self.request.headers:
            return
        services = self.request.services
        secret = shown_secret(self.request.headers, self.request.scope["query_string"])
        if not services.master_hash or not compare_digest(hash_secret(secret), services.master_hash):
            raise InvalidKey("Metrics are read with the master key from other machines.")

    async def get(self) -> None:
        services = self.request.services
        registry = CollectorRegistry()
        shared = services.shared_metrics
        registry.register(services.metrics if shared is None else await asyncio.to_thread(shared.whole))
        body = generate_latest(registry)
        age = services.keeper.age_s if services.keeper.ready else -1.0
        body += (
            "# HELP gatehouse_snapshot_age_seconds Age of the policy picture.\n"
            "# TYPE gatehouse_snapshot_age_seconds gauge\n"
            f"gatehouse_snapshot_age_seconds {age:.3f}\n"
            "# HELP gatehouse_worker_time_seconds The worker's clock.\n"
            "# TYPE gatehouse_worker_time_seconds gauge\n"
            f"gatehouse_worker_time_seconds {time.time():.3f}\n"
        ).encode()
        await self.request.reply.whole(200, {"content-type": CONTENT_TYPE_LATEST}, body)
