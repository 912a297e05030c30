"""Gemini requests: what the gateway reads of them, and how they are relayed unchanged.

The model and the kind of answer stand in the address: `models/{model}:generateContent`, or
`:streamGenerateContent`, which streams server-sent events with `alt=sse` and one JSON array without it.
"""

import re
from typing import Any
from urllib.parse import quote

import msgspec
import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats.gemini.signatures import MARK, SKIP_SIGNATURE
from proxy_app.formats.gemini.spelling import CamelFields, respelt
from proxy_app.formats.reading import Fields, as_text, wrong_type
from proxy_app.wire import JSON, NOWHERE, Address, CallFacts, Outgoing, Target

HEADERS = {"content-type": "application/json"}
MAX_CANDIDATES = 128
MAX_TAGS = 8
_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
#: Where a count of tokens may have the whole of what would be asked.
WHOLE_REQUESTS = ("generateContentRequest", "generate_content_request")
_CLAIMS = ("end_user", "user_id", "user")
_SESSIONS = ("session_id", "session")
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def request_path(target: Target, stream: bool) -> str:
    """The address of a model's verb. A name may come as `models/x` or `tunedModels/x`."""
    version = str(target.quirks.get("api_version") or "v1beta")
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/{version}/{quote(_resource(target), safe='/')}:{verb}"


def _resource(target: Target) -> str:
    name = target.upstream_model
    return name if name.startswith(("models/", "tunedModels/")) else f"models/{name}"


def read_call(body: JSON, address: Address = NOWHERE) -> CallFacts:
    """What the gateway needs of a body. Raises InvalidBody for wrong types and missing fields.

    `labels` are claims: `end_user` (or `user_id`, `user`), `session_id` (or `session`), the others tags.
    """
    fields = CamelFields(body)
    model = (address.model or fields.text("model")).removeprefix("models/")
    if not model.strip():
        raise InvalidBody("'model' must not be empty.", param="model")
    if fields.get("contents") in (None, [], "", {}):
        raise InvalidBody("'contents' must not be empty.", param="contents")
    config = fields.maybe_object("generationConfig") or CamelFields({}, "generationConfig")
    candidates = config.maybe_count("candidateCount") or 1  # 0 is this format's word for unset
    if candidates > MAX_CANDIDATES:
        raise wrong_type(config.at("candidateCount"), f"at most {MAX_CANDIDATES}")
    labels = _labels(fields)
    return CallFacts(
        model=model,
        stream=address.stream,
        wants_usage=True,  # the format's streams always carry it
        max_output_tokens=config.maybe_count("maxOutputTokens") or None,
        candidates=candidates,
        end_user=next((labels[name] for name in _CLAIMS if labels.get(name)), None),
        session=next((labels[name] for name in _SESSIONS if labels.get(name)), None),
        tags=_tags(labels),
        framing="sse" if address.query.get("alt") == "sse" or not address.stream else "array",
    )


def _labels(fields: Fields) -> dict[str, str]:
    labels = fields.maybe_json("labels") or {}
    return {name: value for name, value in labels.items() if isinstance(value, str)}


def _tags(labels: dict[str, str]) -> tuple[str, ...]:
    named = [f"{name}:{value}" for name, value in labels.items() if name not in _CLAIMS + _SESSIONS]
    return tuple(named[:MAX_TAGS])


def generation(target: Target) -> tuple[int, int] | None:
    """(3, 1) for `gemini-3.1-pro`; None where the name does not tell."""
    found = _GENERATION.search(target.upstream_model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def wants_signed_calls(target: Target) -> bool:
    """Since Gemini 3 the first call of a turn must be signed."""
    return (generation(target) or (0, 0)) >= (3, 0)


def relay_request(raw: bytes, body: JSON, facts: CallFacts, target: Target) -> Outgoing:
    """The caller's own body, byte for byte: the model stands in the address. Only what this gateway itself
    wrote into earlier answers of other providers (their signatures, under our mark) is taken out: the
    provider would refuse it. A stream is always asked for as server-sent events. Where a whole request is to
    be counted, the model in it is renamed.
    """
    if whole := next((name for name in WHOLE_REQUESTS if isinstance(body.get(name), dict)), None):
        return Outgoing(request_path(target, facts.stream), _renamed(raw, whole, target), dict(HEADERS))
    sent = _own_words(raw, target) if MARK.encode() in raw else raw
    return Outgoing(request_path(target, facts.stream), sent, dict(HEADERS))


def _renamed(raw: bytes, whole: str, target: Target) -> bytes:
    fields: dict[str, Any] = _decode_fields(raw)
    inner: dict[str, Any] = _decode_fields(_own_words(bytes(fields[whole]), target))
    fields[whole] = {**inner, "model": _resource(target)}
    return msgspec.json.encode(fields)


def _own_words(raw: bytes, target: Target) -> bytes:
    """The body without other families' thoughts; a turn that held nothing else goes with them."""
    fields: dict[str, Any] = _decode_fields(raw)
    try:
        contents = _decode_items(fields["contents"])
    except (msgspec.DecodeError, KeyError):
        return raw
    kept = [mended for content in contents if (mended := _own_content(content, target)) is not None]
    fields["contents"] = kept
    return msgspec.json.encode(fields) if kept and kept != contents else raw


def _own_content(content: msgspec.Raw, target: Target) -> Any:
    if MARK.encode() not in bytes(content):
        return content
    try:
        fields: dict[str, Any] = _decode_fields(content)
        parts = _decode_items(fields["parts"])
    except (msgspec.DecodeError, KeyError):
        return content
    kept = [mended for part in parts if (mended := _own_part(part, target)) is not None]
    if not kept:
        return None
    return {**fields, "parts": kept} if kept != parts else content


def _own_part(part: msgspec.Raw, target: Target) -> Any:
    """A part as it is; None for another family's thought. A call that another model made is marked as
    such in the provider's own word."""
    told = orjson.loads(bytes(part))
    known = respelt(told) if isinstance(told, dict) else {}
    if not as_text(known.get("thoughtSignature")).startswith(MARK):
        return part
    is_call = "functionCall" in known
    if known.get("thought") is True or not (is_call or as_text(known.get("text"))):
        return None
    rest: dict[str, Any] = _decode_fields(part)
    for name in ("thoughtSignature", "thought_signature"):
        rest.pop(name, None)
    if is_call and wants_signed_calls(target):
        rest["thoughtSignature"] = SKIP_SIGNATURE
    return rest
