"""Responses requests: what the gateway reads of them, and how they are relayed unchanged."""

from typing import Any

import msgspec

from gateway_project.errors import InvalidBody
from proxy_app.formats.claims import claimed_end_user, claimed_tags
from proxy_app.formats.families import family_of, is_known_foreign
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.formats.signing import is_foreign
from proxy_app.wire import JSON, NOWHERE, Address, CallFacts, Outgoing, Target

PATH = "/responses"
HEADERS = {"content-type": "application/json"}
PROVIDER = "openai"  # the family whose signatures this format's reasoning items carry
#: Our mark of a tool's result that tells of a failure, as Messages have them: this format has no word for it.
FAILED = "gatehouse.is_error"
#: Where a body names what was said before by other means than `input`.
_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Item(msgspec.Struct, gc=False):
    encrypted_content: Any = None


_decode_item = msgspec.json.Decoder(_Item).decode


def read_call(body: JSON, address: Address = NOWHERE) -> CallFacts:
    """What the gateway needs of a body. Raises InvalidBody for wrong types and missing fields.

    A model in the address wins over the body's. The session is the conversation, else the key by which
    the caller wants its prompts cached: agents put their session's id there.
    """
    fields = Fields(body)
    model = address.model or fields.text("model")
    if not model.strip():
        raise InvalidBody("'model' must not be empty.", param="model")
    check_input(fields)
    return CallFacts(
        model=model,
        stream=fields.maybe_flag("stream") or False,
        wants_usage=True,
        max_output_tokens=fields.maybe_count("max_output_tokens", minimum=1),
        end_user=claimed_end_user(fields),
        tags=claimed_tags(body.get("metadata")),
        session=_session(fields),
        continues=fields.maybe_text("previous_response_id") or None,
        is_kept=fields.maybe_flag("store") is not False,
        background=fields.maybe_flag("background") or False,
    )


def check_input(fields: Fields) -> None:
    value = fields.get("input")
    if value is None:
        if not any(fields.get(name) for name in _ELSEWHERE):
            raise InvalidBody("'input' is missing.", param="input")
    elif isinstance(value, list):
        for _ in fields.objects("input"):
            pass
    elif not isinstance(value, str):
        raise wrong_type("input", "a string or an array of items")


def _session(fields: Fields) -> str | None:
    value = fields.get("conversation")
    if isinstance(value, dict):
        value = fields.object("conversation").maybe_text("id")
    elif value is not None and not isinstance(value, str):
        raise wrong_type("conversation", "a string or an object")
    return value or fields.maybe_text("prompt_cache_key") or None


def relay_request(raw: bytes, body: JSON, facts: CallFacts, target: Target) -> Outgoing:
    """The caller's own body with the model renamed; no value else is read, so numbers keep their digits
    and unknown fields their bytes. Of a repeated key the last counts, as it did when the body was read.

    Taken out are reasoning items that another family of providers signed: whoever did not sign them
    refuses them. So is our own mark of a result that tells of a failure.
    """
    fields: dict[str, Any] = _decode_fields(raw)
    fields["model"] = target.upstream_model
    if b'"encrypted_content"' in raw and isinstance(body.get("input"), list):
        family, items = family_of(target), _decode_items(fields["input"])
        kept = [item for item in items if not _is_foreign(item, family)]
        if len(kept) < len(items):
            fields["input"] = kept
    if f'"{FAILED}"'.encode() in raw and isinstance(body.get("input"), list):
        fields["input"] = [_unmarked(item) for item in _decode_items(msgspec.json.encode(fields["input"]))]
    return Outgoing(PATH, msgspec.json.encode(fields), dict(HEADERS))


def _unmarked(item: msgspec.Raw) -> Any:
    told: dict[str, Any] = _decode_fields(item)
    return item if told.pop(FAILED, None) is None else told


def _is_foreign(item: msgspec.Raw, family: str) -> bool:
    seal = _decode_item(item).encrypted_content
    return isinstance(seal, str) and (is_foreign(seal, PROVIDER) or is_known_foreign(seal, PROVIDER, family))
