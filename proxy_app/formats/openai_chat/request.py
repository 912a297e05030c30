"""Chat Completions requests: what the gateway reads of them, and how they are relayed unchanged."""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats.claims import claimed_end_user, claimed_tags
from proxy_app.formats.families import family_of
from proxy_app.formats.openai_chat.signed import MARKS, own_words
from proxy_app.formats.reading import Fields, holds_any, wrong_type
from proxy_app.wire import JSON, NOWHERE, Address, CallFacts, Outgoing, Target

PATH = "/chat/completions"
HEADERS = {"content-type": "application/json"}
MAX_CANDIDATES = 128
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
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
    counts, as it did when the body was read. Only what another family signed is taken out: strict servers
    refuse what they do not know.

    Quirks: `no_stream_options` (the server refuses the option).
    """
    fields: dict[str, Any] = _decode_fields(raw)
    fields["model"] = target.upstream_model
    if facts.stream and not target.quirks.get("no_stream_options"):
        options = body.get("stream_options")
        wanted = {**options, "include_usage": True} if isinstance(options, dict) else {"include_usage": True}
        fields["stream_options"] = msgspec.Raw(orjson.dumps(wanted))
    if holds_any(raw, MARKS):
        messages, family = _decode_items(fields["messages"]), family_of(target)
        kept = [own_words(message, family) for message in messages]
        if kept != messages:
            fields["messages"] = kept
    return Outgoing(PATH, msgspec.json.encode(fields), dict(HEADERS))
