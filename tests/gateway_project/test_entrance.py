"""Where a connection goes, decided by its path alone."""

import json
import logging
from typing import Any

import pytest

from gateway_project.asgi import application
from gateway_project.gunicorn import Worker
from gateway_project.handshake import HandshakeProtocol
from tests.gateway_project.doors import Knock, a_door

UPGRADE = (
    b"GET /v1/responses HTTP/1.1\r\nhost: here\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


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


async def test_codex_s_websocket_leaves_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with a_door(application) as port:
            codex = await Knock.at(port)
            codex.send(UPGRADE)
            status, body = await codex.answer()
            assert await codex.rest() == b""
            await codex.close()
    assert (status, json.loads(body)["error"]["code"]) == (426, "use_http")
    assert caplog.messages == []
    assert Worker.CONFIG_KWARGS["ws"] is HandshakeProtocol


async def test_an_application_that_answers_no_websocket_still_does(caplog: pytest.LogCaptureFixture) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async with a_door(silent) as port:
        client = await Knock.at(port)
        client.send(UPGRADE)
        assert (await client.answer())[0] == 500
        await client.close()
    assert "without completing handshake" in caplog.text


@pytest.mark.parametrize("path", ["/api/v1/chat/completions", "/ui/v1/messages", "/admin/responses"])
async def test_a_call_under_an_address_of_pages_is_answered_where_calls_are(path: str) -> None:
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is read where there is no endpoint")

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    plain = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b"", "state": {}}
    await application(plain, receive, send)
    assert told[0]["status"] in (503, 529)  # as a process without a data plane says it
    assert "error" in json.loads(told[1]["body"])
