"""Step 1: a caller's body as facts, with everything refused that no caller may say."""

from typing import Any

import msgspec
import orjson

from gateway_project import clock
from gateway_project.errors import BadRequest, ForbiddenParameter, GatehouseError, InvalidBody
from keys_app import policy
from keys_app.identity_proof import check_signature, name_in_token
from proxy_app.call import Call, caller_of
from proxy_app.formats import exchange
from proxy_app.formats.chat_mixtures import in_chat_words
from proxy_app.formats.own_places import in_own_places
from proxy_app.formats.reading import holds_any
from proxy_app.formats.shapes import read_facts, rewritten, shape_of
from proxy_app.identity import MAX_CLAIM, read_claims, shown_proof
from proxy_app.wire import JSON, CallFacts
from usage_app.usage import estimate_input_tokens

#: Where a request goes and with which credential is an admin's to say. Refused at any depth.
FORBIDDEN = frozenset({"api_base", "base_url", "api_key"})
_WRITTEN = 254  # levels that orjson writes
_ADDED = 16  # levels that a translation may put around a part of a body, and more
_MARKS = (b"api_base", b"base_url", b"api_key", b"\\u00")  # any of their letters may be written as \u00…
#: Schemas, and arguments that are an object.
_DATA = frozenset(
    {
        *("input_schema", "inputSchema", "schema", "parametersJsonSchema", "parameters_json_schema"),
        *("responseSchema", "response_schema", "responseJsonSchema", "response_json_schema"),
        *("properties", "arguments"),
    }
)
#: The same of a function, its call or its result, which bear a name.
_DATA_OF_THE_NAMED = frozenset({"parameters", "args", "response"})


async def read(call: Call) -> None:
    """Parse the body; from here on the caller, its claims and the model asked for are known."""
    try:
        body = parse(call)
        recognise(call)
        reads = exchange.read_call if call.body_format == call.format else read_facts
        call.facts = reads(call.body_format, call.body, call.address)
        if call.body_format != call.format:
            call.facts.wants_usage = wants_usage_chunk(body)
        know_caller(call, call.facts)
        call.input_estimate = estimate_input_tokens(len(call.raw))
        call.mark("parsed")
    except BadRequest:
        call.claims = read_claims(call.headers, None)
        raise
    finally:
        call.caller = caller_of(call.principal, call.claims)


def know_caller(call: Call, facts: CallFacts) -> None:
    """Whom the call is made for, as it says and, where its key can tell, as it proves.

    Raises IdentityNotProven, KeyBlocked.
    """
    claims, key, is_proven = read_claims(call.headers, facts), call.principal.key, False
    call.claims = claims
    if key.identity_secret:
        token, signature = shown_proof(call.headers)
        if token:
            claims = msgspec.structs.replace(
                claims, end_user=name_in_token(key.identity_secret, token)[:MAX_CLAIM]
            )
        elif signature:
            check_signature(key.identity_secret, signature, claims.end_user, clock.now_ms())
        call.claims, is_proven = claims, bool(token or signature)
    call.principal = policy.identify(call.snapshot, call.principal, claims.end_user, is_proven=is_proven)


def parse(call: Call) -> JSON:
    """The body, a JSON object free of what no caller may say. Raises InvalidBody, ForbiddenParameter."""
    try:
        body = orjson.loads(call.raw)
    except orjson.JSONDecodeError as error:
        raise InvalidBody(f"The body is not valid JSON: {error.msg} at position {error.pos}.") from None
    if not isinstance(body, dict):
        raise InvalidBody("The body is not a JSON object.")
    if is_too_deep(call.raw, body):
        raise InvalidBody("The body is nested too deeply.")
    call.body = body
    call.body_format = call.format
    name = call.address.model or body.get("model")
    if isinstance(name, str):
        call.facts.model = name[:200]
    if holds_any(call.raw, _MARKS):
        refuse_forbidden(body)
    return body


def is_too_deep(raw: bytes, body: Any) -> bool:
    """Whether a parsed body has more levels than may be written again: JSON is read to 1024 of them, and
    written to 254. Few brackets are few levels; of a body with many, whoever writes it is asked."""
    if raw.count(b"[") + raw.count(b"{") <= _WRITTEN - _ADDED:
        return False
    for _ in range(_ADDED):
        body = [body]
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        return True
    return False


def recognise(call: Call) -> None:
    """How the body is written: as its address says, but for agents that post every shape to one address."""
    if call.endpoint != "chat.completions":
        return
    shape = shape_of(call.body)
    if shape == call.format:
        call.body, call.raw = in_chat_words(call.body, call.raw)
    else:
        call.body_format = shape
        told, call.raw = rewritten(call.body, shape)
        call.sent, call.body = call.body, told


def in_callers_places(call: Call, error: GatehouseError) -> GatehouseError:
    """The error, and of a body that was rewritten its refusal by the places that the caller knows."""
    if call.sent is None or not isinstance(error, BadRequest):
        return error
    return in_own_places(error, call.sent, call.body_format)


def wants_usage_chunk(body: JSON) -> bool:
    """Whether a chat caller asked for the last chunk that carries the usage."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def refuse_forbidden(value: Any, path: str = "") -> None:
    """Raise ForbiddenParameter for a forbidden name at any depth, but for the caller's own data: what a tool
    takes, was given and gave back."""
    stack: list[tuple[Any, str]] = [(value, path)]
    while stack:
        item, where = stack.pop()
        if isinstance(item, dict):
            for name, child in item.items():
                place = f"{where}.{name}" if where else str(name)
                if name in FORBIDDEN:
                    raise ForbiddenParameter(
                        f"'{place}' is set by the gateway's administrator, never by a caller.", param=place
                    )
                if isinstance(child, dict | list) and not _is_data(item, name):
                    stack.append((child, place))
        elif isinstance(item, list):
            stack.extend(
                (child, f"{where}[{index}]")
                for index, child in enumerate(item)
                if isinstance(child, dict | list)
            )


def _is_data(item: JSON, name: str) -> bool:
    """Whether a field of an object holds the caller's own words: a schema, a call's arguments, its result."""
    if name in _DATA:
        return True
    if name == "input":
        return str(item.get("type", "")).endswith("tool_use")
    return name in _DATA_OF_THE_NAMED and isinstance(item.get("name"), str)
