"""The lean handler of the data plane: scope → view, without middleware, signals or a thread hop.

It is an `ASGIHandler` by name and place, so that tools that look for one find it; none of the stock
request cycle runs on a model call's way.
"""

import re
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIHandler

from gateway_project.errors import NotReady
from proxy_app.call import Services
from proxy_app.dialects import dialect_of
from proxy_app.formats import exchange
from proxy_app.urls import PATHS, PATTERNS
from proxy_app.views.base import APIView
from proxy_app.views.edge import NoSuchPath, meant_by
from proxy_app.views.passing import PassThrough, passed_to
from proxy_app.views.reply import ASGIReply, Receive, Send
from proxy_app.views.request import Request, Scope
from proxy_app.views.vitals import Live, Ready


class DataPlaneHandler(ASGIHandler):
    """Serves every path that the control plane does not own."""

    def __init__(self) -> None:
        """No middleware is loaded: `ASGIHandler.__init__` would."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        services: Services | None = scope["state"].get("services")
        if services is None:
            await _without_services(scope, send)
            return
        view, kwargs = find_view(scope["path"])
        if may_be_passed(view, kwargs, scope["path"]) and (sections := services.keeper.current.sections):
            passed = passed_to(sections["catalogue"], scope["path"])
            view, kwargs = (PassThrough, passed) if passed is not None else (view, kwargs)
        if view is NoSuchPath:
            kwargs = {"meant": meant_by(scope["path"], is_served)}
        await view(Request(scope, receive, send, services), **kwargs).dispatch()


def find_view(path: str) -> tuple[type[APIView], dict[str, str]]:
    """The view for a path, by the one table that also decides what a key may do."""
    if view := PATHS.get(path):
        return view, _NOTHING
    trimmed = path.rstrip("/")
    if trimmed not in (path, ""):
        return find_view(trimmed)
    for start, end, view in PATTERNS:
        if path.startswith(start) and path.endswith(end):
            model = path[len(start) : len(path) - len(end)]
            if model.strip("/") and not _BASE_WITHIN.search(model):
                return view, {"model": model}
    return NoSuchPath, _NOTHING


def is_served(path: str) -> bool:
    """Whether an endpoint is there."""
    return find_view(path)[0] is not NoSuchPath


def may_be_passed(view: type[APIView], kwargs: dict[str, str], path: str) -> bool:
    """Whether a path may be a provider's own: nobody's here, or taken for a name of a model that begins at
    the root and has a version in its second part (`/gemini-eu/v1beta/models/x:generateContent`)."""
    if view is NoSuchPath:
        return True
    named = kwargs.get("model", "")
    return bool(_VERSIONED.match(named)) and path.startswith("/" + named)


#: A version where a model's name stands: the base address had one already.
_BASE_WITHIN = re.compile(r"(?:^|/)v1(?:beta1?|alpha)?/models/")
_VERSIONED = re.compile(r"[^/]+/v\d")
_NOTHING: dict[str, str] = {}


async def _without_services(scope: Scope, send: Send) -> None:
    """This process serves pages only: it is alive, and takes no calls."""
    if PATHS.get(scope["path"]) in (Live, Ready):
        await ASGIReply(_never, send).whole(200, {}, b'{"status":"live"}')
        return
    format = dialect_of(scope["path"], dict(scope["headers"]), scope["query_string"])
    rendered = exchange.render_error(format, NotReady("This process serves the dashboard only."), "")
    await ASGIReply(_never, send).whole(rendered.status, rendered.headers, orjson.dumps(rendered.body))


async def _never() -> dict[str, Any]:
    return {"type": "http.disconnect"}
