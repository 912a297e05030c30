"""What converts to what, found by doing it: each feature said in a format, built for every other.

A feature is a fragment of a body with a mark in it. Built for another format it is carried (the mark is in
what would be sent), dropped (it is not), or refused (a 400 whose sentence is told).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from compatibility_features import CONTENT_AND_TOOLS, Feature, body_of
from compatibility_models import claude_table
from compatibility_options import ANSWER_AND_HOUSEKEEPING

from gateway_project.errors import BadRequest
from proxy_app.formats import exchange
from proxy_app.formats.knowing import Kinds, Shape
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.wire import Address, Target

NAMES = {
    "openai_chat": "OpenAI Chat Completions",
    "openai_responses": "OpenAI Responses",
    "anthropic": "Anthropic Messages",
    "gemini": "Gemini generateContent",
    "bedrock_converse": "Bedrock Converse",
    "cohere": "Cohere Chat v2",
}
#: What these take depends on the model's generation, told by its name.
MODELS = {"gemini": "gemini-3-pro", "anthropic": "claude-opus-5-5"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell: what became of a feature. `why` is the sentence of a refusal."""

    word: str
    why: str = ""


def outcome(feature: Feature, inbound: str, upstream: str) -> Outcome | None:
    """What happens to a feature on one way; None where the caller's format cannot say it."""
    fragment = feature.write(inbound)
    if fragment is None:
        return None
    body = body_of(inbound, fragment)
    raw = orjson.dumps(body)
    target = Target(upstream, MODELS.get(upstream, "m"))
    try:
        facts = exchange.read_call(inbound, body, Address(model="m"))
        outgoing = exchange.build_outgoing(inbound, target, raw, body, facts)
    except BadRequest as refused:
        return Outcome("refused", refused.detail)
    if inbound == upstream:
        return Outcome("as it is")
    sent = outgoing.body.decode()
    return Outcome("carried" if any(mark in sent for mark in feature.marks) else "dropped")


SIGNS = {"as it is": "=", "carried": "✓", "dropped": "–", "refused": "✗"}


def compatibility_tables() -> str:
    """One table a caller's format, and under it the sentences of what is refused; then what depends on the
    model."""
    tables = [_table(inbound) for inbound in INBOUND if inbound in NAMES]
    return "\n\n".join([*tables, claude_table()])


def _table(inbound: str) -> str:
    upstreams = [name for name in NAMES if name in UPSTREAM]
    lines = [
        f"## From {NAMES[inbound]}",
        "",
        "| | " + " | ".join(f"to {NAMES[name]}" for name in upstreams) + " |",
        "|---|" + ":-:|" * len(upstreams),
    ]
    reasons: dict[str, list[str]] = {}
    for feature in (*CONTENT_AND_TOOLS, *ANSWER_AND_HOUSEKEEPING):
        cells = [outcome(feature, inbound, upstream) for upstream in upstreams]
        if feature.group:
            lines.append(f"| **{feature.group}** |" + " |" * len(upstreams))
        if all(cell is None for cell in cells):
            continue
        lines.append(
            f"| {feature.name} | " + " | ".join(SIGNS[cell.word] if cell else "" for cell in cells) + " |"
        )
        for cell, upstream in zip(cells, upstreams, strict=True):
            if cell and cell.why:
                reasons.setdefault(f"{feature.name}: “{cell.why}”", []).append(NAMES[upstream])
    if reasons:
        lines += ["", "What is refused, and what the caller is told:", ""]
        lines += [f"- {said_} ({', '.join(names)})" for said_, names in reasons.items()]
    return "\n".join([*lines, "", *_left_out(inbound)])


def _left_out(inbound: str) -> list[str]:
    """What is dropped of each kind of object, by where it stands; in bold what the header tells."""
    found: dict[str, dict[str, str]] = {}
    for path, known in _places(INBOUND[inbound].known.body, ""):
        names = found.setdefault(path, {})
        names |= {name: f"`{name}`" for name in known.hints if name not in names}
        names |= {name: f"**`{name}`**" for name in known.told}
    places: dict[str, list[str]] = {}
    for path, names in found.items():
        if names:
            places.setdefault(", ".join(names[name] for name in sorted(names)), []).append(path)
    lines = ["What is dropped of a body that is translated (in bold: and told in the header):", ""]
    for names_told, paths in places.items():
        where = ", ".join(f"`{path}`" for path in paths if path)
        lines.append(f"- {f'in {where}' if where else 'at the top'}: {names_told}")
    return lines


def _places(kind: Shape | Kinds, path: str) -> Iterator[tuple[str, Shape]]:
    for known in kind.shapes.values() if isinstance(kind, Kinds) else [kind]:
        yield path, known
        for name, inner in known.inside.items():
            yield from _places(inner, f"{path}.{name}" if path else name)
