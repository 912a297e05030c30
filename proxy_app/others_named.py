"""Models that a body names beside its own: to fall back to, to choose among, to advise it, to draw for it.

Its provider asks them without coming by here, so a key that is narrowed to models must be allowed each.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from gateway_project.errors import ModelNotAllowed
from keys_app import policy
from keys_app.entries import Principal
from proxy_app.wire import JSON


def refuse_others(principal: Principal, body: JSON) -> None:
    """Raises ModelNotAllowed for the first that the principal may not use."""
    if not policy.is_narrowed(principal):
        return
    for field, name in others_named(body):
        if not policy.may_use_model(principal, name):
            raise ModelNotAllowed(
                f"This key may not use the model '{name[:200]}', which '{field}' names.", param=field
            )


def others_named(body: JSON) -> Iterator[tuple[str, str]]:
    """(field, model): `fallbacks` of Anthropic's Messages, `models` of OpenRouter, models of tools."""
    for field in ("fallbacks", "models"):
        for each in _listed(body.get(field)):
            yield from ((field, name) for name in _names(each))
    for tool in _listed(body.get("tools")):
        if isinstance(tool, dict) and isinstance(tool.get("model"), str):
            yield "tools", tool["model"]


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _names(each: Any) -> Iterator[str]:
    name = each.get("model") if isinstance(each, dict) else each
    if isinstance(name, str):
        yield name
