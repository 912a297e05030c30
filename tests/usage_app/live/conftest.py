"""The cast, and a worker whose calls in flight are published."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers, get_channel_layer

from tests.seeding import People, seed_people
from usage_app.live import Registry
from usage_app.live_publisher import LivePublisher


@pytest.fixture
async def people() -> People:
    return await sync_to_async(seed_people)()


@pytest.fixture
async def registry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Registry]:
    """A worker that publishes into a layer of this test's own."""
    monkeypatch.setattr(channel_layers, "backends", {})
    registry = Registry()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(LivePublisher(registry, get_channel_layer(), "worker-1").run())
        await asyncio.sleep(0)
        yield registry
        task.cancel()
