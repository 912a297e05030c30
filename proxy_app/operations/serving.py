"""One operation between a caller and a provider: all that the pipeline asks of operations."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway_project.errors import NotServed
from proxy_app.formats.contract import RenderOptions
from proxy_app.operations.contract import Asked, Converted, Operation, OperationPipe
from proxy_app.wire import Outgoing, Target

_KNOWN = ("application/json", "text/event-stream", "text/plain", "text/vtt", "application/x-subrip")
_PLAYED = ("audio/", "image/")


def target_of(
    operation: Operation, formats: Sequence[str], upstream_model: str, quirks: Mapping[str, Any]
) -> Target:
    """Where a call goes: the first of a provider's formats that serves it. Raises NotServed."""
    for format in formats:
        if format in operation.routes:
            return Target(format, upstream_model, quirks)
    raise NotServed


def build(operation: Operation, target: Target, asked: Asked) -> Outgoing:
    """The provider's request. Raises BadRequest for what cannot be carried."""
    return operation.routes[target.format].build(asked, target)


def convert(
    operation: Operation, target: Target, raw: bytes, content_type: str, asked: Asked, options: RenderOptions
) -> Converted:
    """A whole answer. Raises UpstreamFailed for one that is an error after all or cannot be read."""
    return operation.routes[target.format].convert(raw, content_type, asked, options)


def open_pipe(operation: Operation, target: Target, content_type: str, asked: Asked) -> OperationPipe | None:
    """How an answer goes through as it comes; None where it is whole."""
    return operation.routes[target.format].open_pipe(content_type, asked)


def told_content_type(content_type: str) -> str:
    """The provider's content type, if it is one that a browser does not run: pages are served from here."""
    name = content_type.partition(";")[0].strip().lower()
    if name in _KNOWN or (name.startswith(_PLAYED) and "svg" not in name):
        return content_type
    return "application/octet-stream"
