"""The lean handler of the data plane: scope → view, without middleware, signals or a thread hop.

It is an `ASGIHandler` by name and place, so that tools that look for one find it; none of the stock
request cycle runs on a model call's way.
"""

import orjson
from django.core.handlers.asgi import ASGIHandler

from gateway_project.errors import NotReady
from proxy_app.call import Services
from proxy_app.formats import exchange
from proxy_app.urls import PATHS, PATTERNS
from proxy_app.views.base import APIView, Receive, Request, Scope, Send
from proxy_app.views.edge import NoSuchPath


class DataPlaneHandler(ASGIHandler):
    """Serves every path that the control plane does not own."""

    def __init__(self) -> None:
        """No middleware is loaded: `ASGIHandler.__init__` would."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        services: Services | None = scope["state"].get("services")
        if services is None or services.keeper.current is None:
            await _not_ready(send)
            return
        view, kwargs = find_view(scope["path"])
        await view(Request(scope, receive, send, services), **kwargs).dispatch()


def find_view(path: str) -> tuple[type[APIView], dict[str, str]]:
    """The view for a path, by the one table that also decides what a key may do."""
    if view := PATHS.get(path):
        return view, _NOTHING
    for start, end, view in PATTERNS:
        if path.startswith(start) and path.endswith(end):
            model = path[len(start) : len(path) - len(end)]
            if model.strip("/"):
                return view, {"model": model}
    trimmed = path.rstrip("/")
    if trimmed != path and trimmed in PATHS and trimmed != "":
        return PATHS[trimmed], _NOTHING
    return NoSuchPath, _NOTHING


_NOTHING: dict[str, str] = {}


async def _not_ready(send: Send) -> None:
    """This worker is alive and still opening its services."""
    rendered = exchange.render_error("openai_chat", NotReady(retry_after_s=2), "")
    body = orjson.dumps(rendered.body)
    headers = [(name.encode(), value.encode()) for name, value in rendered.headers.items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
