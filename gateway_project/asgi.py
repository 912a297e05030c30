"""Where every connection enters: data plane | Django | websockets | lifespan."""

from urllib.parse import urlsplit

import django

from gateway_project.env import set_default

set_default("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # noqa: E402

from gateway_project.conf import config  # noqa: E402
from gateway_project.forwarded import client_address, client_scheme  # noqa: E402
from gateway_project.handler import DataPlaneHandler  # noqa: E402
from gateway_project.lifespan import Lifespan  # noqa: E402
from proxy_app.views.reply import Receive, Send  # noqa: E402
from proxy_app.views.request import Scope  # noqa: E402
from usage_app.routing import websocket_urlpatterns  # noqa: E402

#: First path segments that the control and observation plane serves. Everything else is a call.
CONTROL_PLANE = frozenset({"ui", "admin", "api", "static", "i18n", "key", "favicon.ico"})
#: How an address ends by which a model is called, wherever a wrong base address puts it.
CALLS = ("/completions", "/responses", "/messages", "/embeddings")
#: Closing codes for a websocket that has no business here.
REFUSED = 4404
#: What a client is told that tries a websocket where calls are made.
USE_HTTP = (
    b'{"error":{"message":"There is no websocket here: send the request by HTTP POST, streamed or not.",'
    b'"type":"invalid_request_error","param":null,"code":"use_http"}}'
)


class ControlPlaneHandler(ASGIHandler):
    """Django as it comes, but all its synchronous work in the one thread of the process.

    The stock handler gives every request a thread, and so a database connection, of its own; two
    busy threads beside the loop are felt by every stream.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        await self.handle(scope, receive, send)  # type: ignore[arg-type]


class Entrance:
    """The ASGI application. One table decides the plane, from the path alone."""

    def __init__(self) -> None:
        self._config = config()
        self._prefix = urlsplit(self._config.public_url).path.rstrip("/")
        self._trusted = self._config.trusted_networks
        self._lifespan = Lifespan(self._config)
        self._data_plane = DataPlaneHandler()
        self._control_plane = ControlPlaneHandler()
        self._sockets = OriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns)), allowed_origins(self._config.public_url)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if self._prefix and kind != "lifespan":
            scope = self._without_prefix(scope)
        if self._trusted and kind != "lifespan":
            scope = self._as_the_caller_saw_it(scope)
        if kind == "http":
            if self._is_control(scope):
                await self._control_plane(scope, receive, send)
            else:
                await self._data_plane(scope, receive, send)
        elif kind == "websocket":
            await self._socket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)

    def _as_the_caller_saw_it(self, scope: Scope) -> Scope:
        """Behind trusted proxies the caller's address and scheme are what they report."""
        client = scope.get("client")
        return {
            **scope,
            "client": (client_address(scope, self._trusted), client[1] if client else 0),
            "scheme": client_scheme(scope, self._trusted),
        }

    def _without_prefix(self, scope: Scope) -> Scope:
        """A proxy may keep the public address's path or take it off; here it is off."""
        path: str = scope["path"]
        if path == self._prefix or path.startswith(self._prefix + "/"):
            return {**scope, "path": path[len(self._prefix) :] or "/"}
        return scope

    def _is_control(self, scope: Scope) -> bool:
        path: str = scope["path"]
        first = path[1:].split("/", 1)[0]
        if first in CONTROL_PLANE and not path.endswith(CALLS):
            return self._config.serves_control_plane
        return path == "/" and scope["method"] == "GET" and _wants_page(scope)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_served(scope["path"]) and self._config.serves_control_plane:
            await self._sockets(scope, receive, send)
            return
        # Codex tries a websocket on /v1/responses first and falls back at once on 426 alone.
        if "websocket.http.response" in scope.get("extensions", {}):
            await receive()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(USE_HTTP)).encode()),
                (b"upgrade", b"HTTP/1.1"),
            ]
            await send({"type": "websocket.http.response.start", "status": 426, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": USE_HTTP})
            return
        await send({"type": "websocket.close", "code": REFUSED})


def _is_served(path: str) -> bool:
    """Whether the window has a websocket there; the router fails on any other path."""
    return any(route.pattern.match(path.lstrip("/")) for route in websocket_urlpatterns)


def allowed_origins(public_url: str) -> list[str]:
    """Where a page may open a websocket from: this server under its public and local names."""
    own = "/".join(public_url.split("/")[:3])
    local = [f"http://{host}:{config().port}" for host in ("localhost", "127.0.0.1", "[::1]")]
    return [own, *local]


def _wants_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


application = Entrance()
