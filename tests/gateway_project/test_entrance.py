"""Where a connection goes, decided by its path alone."""

import json
from typing import Any

import pytest

from gateway_project.asgi import application


async def knock(path: str, **scope: Any) -> list[dict[str, Any]]:
    """What a websocket at a path is told."""
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    plain = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "state": {}, **scope}
    await application(plain, receive, send)
    return told


@pytest.mark.parametrize("path", ["/ui/nothing", "/ui/ws/live/more", "/admin/", "/"])
async def test_a_websocket_where_there_is_none_is_closed_without_a_fault(path: str) -> None:
    assert [message["type"] for message in await knock(path)] == ["websocket.close"]


async def test_codex_s_websocket_is_told_to_use_http() -> None:
    told = await knock("/v1/responses", extensions={"websocket.http.response": {}})
    assert told[0]["status"] == 426
    assert "HTTP POST" in json.loads(told[1]["body"])["error"]["message"]
