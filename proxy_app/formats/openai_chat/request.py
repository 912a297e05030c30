"""Chat Completions requests: what the gateway reads of them, and how they are relayed unchanged."""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats.claims import claimed_end_user, claimed_tags
from proxy_app.formats.openai_chat.response import BLOCK_FAMILY
from proxy_app.formats.reading import Fields, as_object, as_text, wrong_type
from proxy_app.formats.signing import is_foreign
from proxy_app.wire import JSON, NOWHERE, Address, CallFacts, Outgoing, Target

PATH = "/chat/completions"
HEADERS = {"content-type": "application/json"}
MAX_CANDIDATES = 128
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_MARK = b'"gatehouse.'  # how a signature begins that was tagged here
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_call(body: JSON, address: Address = NOWHERE) -> CallFacts:
    """What the gateway needs of a body. Raises InvalidBody for wrong types and missing fields.

    A model in the address (deployments paths) wins over the body's.
    """
    fields = Fields(body)
    model = address.model or fields.text("model")
    if not model.strip():
        raise InvalidBody("'model' must not be empty.", param="model")
    check_messages(fields)
    options = fields.maybe_object("stream_options")
    limit = fields.maybe_count("max_completion_tokens", minimum=1)
    old_limit = fields.maybe_count("max_tokens", minimum=1)
    candidates = fields.maybe_count("n", minimum=1)
    if candidates is not None and candidates > MAX_CANDIDATES:
        raise wrong_type("n", f"at most {MAX_CANDIDATES}")
    return CallFacts(
        model=model,
        stream=fields.maybe_flag("stream") or False,
        wants_usage=bool(options and options.maybe_flag("include_usage")),
        max_output_tokens=limit if limit is not None else old_limit,
        candidates=candidates or 1,
        end_user=claimed_end_user(fields),
        tags=claimed_tags(body.get("metadata")),
    )


def check_messages(fields: Fields) -> None:
    if fields.get("messages") is None:
        raise InvalidBody("'messages' is missing.", param="messages")
    count = 0
    for message in fields.objects("messages"):
        count += 1
        role = message.text("role")
        if role not in _ROLES:
            raise wrong_type(message.at("role"), "system, developer, user, assistant or tool")
    if not count:
        raise InvalidBody("'messages' must not be empty.", param="messages")


def relay_request(raw: bytes, body: JSON, facts: CallFacts, target: Target) -> Outgoing:
    """The caller's own body with the model renamed and the stream's usage asked for; no value else is
    read, so numbers keep their digits and unknown fields their bytes. Of a repeated key the last
    counts, as it did when the body was read. Only thoughts under our mark are taken out: another family
    signed them, and strict servers refuse what they do not know.

    Quirks: `no_stream_options` (the server refuses the option).
    """
    fields: dict[str, Any] = _decode_fields(raw)
    fields["model"] = target.upstream_model
    if facts.stream and not target.quirks.get("no_stream_options"):
        options = body.get("stream_options")
        wanted = {**options, "include_usage": True} if isinstance(options, dict) else {"include_usage": True}
        fields["stream_options"] = msgspec.Raw(orjson.dumps(wanted))
    if _MARK in raw:
        fields["messages"] = [_own_words(message) for message in _decode_items(fields["messages"])]
    return Outgoing(PATH, msgspec.json.encode(fields), dict(HEADERS))


def _own_words(message: msgspec.Raw) -> Any:
    """A message without thoughts under our mark."""
    if _MARK not in bytes(message):
        return message
    fields: dict[str, Any] = _decode_fields(message)
    try:
        blocks = _decode_items(fields["thinking_blocks"])
    except (msgspec.DecodeError, KeyError):
        return message  # a text that happens to speak of it
    if kept := [block for block in blocks if not _is_marked(block)]:
        return {**fields, "thinking_blocks": kept}
    del fields["thinking_blocks"]
    return fields


def _is_marked(block: msgspec.Raw) -> bool:
    return is_foreign(as_text(as_object(orjson.loads(bytes(block))).get("signature")), BLOCK_FAMILY)
