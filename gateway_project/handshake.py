"""How a connection becomes a websocket, or is told in an HTTP answer that it does not."""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class HandshakeProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, for which an HTTP answer ends the handshake too: it logs an error after each, as though the
    application had said nothing (0.54, `run_asgi`)."""

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True
