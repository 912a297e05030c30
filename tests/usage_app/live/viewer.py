"""A browser's end of the live socket: Channels' own needs a server that is not installed."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Viewer(ApplicationCommunicator):
    """Speaks the ASGI websocket protocol with an application."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
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

    async def hear(self, wanted: str) -> dict[str, Any]:
        """The next frame that has something under a name."""
        while True:
            message = await self.receive_output(5)
            frame: dict[str, Any] = json.loads(message["text"])
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
