"""Calls in flight for tests of the live updates."""

from typing import Any

from gateway_project import clock
from usage_app.live import LiveCall, Registry


def live_call(**fields: Any) -> LiveCall:
    """A call as the data plane opens it."""
    values: dict[str, Any] = {
        "id": str(clock.uuid7()),
        "started_at_ms": clock.now_ms(),
        "model": "sandbox",
        "endpoint": "chat.completions",
        "stream": True,
        "key_id": "key-1",
        "key_name": "checkout-prod",
        "key_hint": "sk-gh-…9f2c",
        "user_id": "",
        "user_name": "",
        "service_id": "",
        "service_name": "",
        "environment": "production",
    }
    return LiveCall(**(values | fields))


def finish(registry: Registry, call: LiveCall, status: str = "ok") -> None:
    call.status = status
    call.finished_at_ms = clock.now_ms()
    registry.close(call)
