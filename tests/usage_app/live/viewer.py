"""A browser's end of the live socket: Channels' own needs a server that is not installed."""

import json
from typing import Any

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.test import Client

from keys_app.models import User
from usage_app.routing import websocket_urlpatterns

ADDRESS = "/ui/ws/live/"


class Viewer(ApplicationCommunicator):
    """Speaks the ASGI websocket protocol with an application."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        path, _, query = path.partition("?")
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(application, scope)

    async def connect(self) -> tuple[bool, int | None]:
        """Whether the socket was accepted, and the code it was closed with otherwise."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(5)
        return answer["type"] == "websocket.accept", answer.get("code")

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        message = await self.receive_output(5)
        frame: dict[str, Any] = json.loads(message["text"])
        return frame

    async def hear(self, wanted: str) -> dict[str, Any]:
        """The next frame that has something under a name."""
        while True:
            frame = await self.next()
            if frame.get(wanted):
                return frame

    async def closing_code(self) -> int:
        """The code the socket is closed with."""
        while True:
            message = await self.receive_output(5)
            if message["type"] == "websocket.close":
                return int(message["code"])

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


async def connect(user: User | None, address: str = ADDRESS) -> tuple[Viewer, bool, int | None]:
    """A socket with the session of somebody who just signed in, or without one."""
    client, headers = Client(), []
    if user is not None:
        await sync_to_async(client.force_login)(user)
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        headers = [(b"cookie", cookie.encode())]
    application = SessionMiddlewareStack(URLRouter(websocket_urlpatterns))
    viewer = Viewer(application, address, headers)
    connected, code = await viewer.connect()
    return viewer, connected, code
