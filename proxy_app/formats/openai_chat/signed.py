"""Signed thoughts in a caller's messages that are relayed: each family is sent its own alone.

The format has no field for them. Claude's stand in `thinking_blocks` and Gemini's in `extra_content.google`:
the fields of other gateways and of Google's own compatible endpoint, which no other model's server knows.
"""

from typing import Any

import msgspec

from proxy_app.formats.families import ANTHROPIC, GEMINI
from proxy_app.formats.reading import as_text
from proxy_app.formats.signing import is_foreign

#: What a body holds that has such fields.
MARKS = (b'"thinking_blocks"', b'"thought_signature"')
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_block = msgspec.json.Decoder(dict[str, Any]).decode


def own_words(message: msgspec.Raw, family: str) -> Any:
    """A message without what another family than the target's signed; as it is where that is nothing."""
    if not any(mark in bytes(message) for mark in MARKS):
        return message
    fields: dict[str, Any] = _decode_fields(message)
    changed = [_own_blocks(fields, family), family != GEMINI and _without_signature(fields)]
    if family != GEMINI and (calls := _items(fields.get("tool_calls"))):
        kept = [_unsigned(call) for call in calls]
        if kept != calls:
            fields["tool_calls"] = kept
            changed.append(True)
    return fields if any(changed) else message


def _own_blocks(fields: dict[str, Any], family: str) -> bool:
    """Take out blocks that Claude did not sign, before another model all. Gives whether there were any."""
    if "thinking_blocks" not in fields:
        return False
    blocks = _items(fields["thinking_blocks"])
    kept = [block for block in blocks if not _is_marked(block)] if family == ANTHROPIC else []
    if kept and len(kept) == len(blocks):
        return False
    fields["thinking_blocks"] = kept
    if not kept:
        del fields["thinking_blocks"]
    return True


def _is_marked(block: msgspec.Raw) -> bool:
    """Whether this gateway tagged it as another family's."""
    try:
        told = _decode_block(block)
    except msgspec.DecodeError:
        return False
    return any(is_foreign(as_text(told.get(name)), ANTHROPIC) for name in ("signature", "data"))


def _unsigned(call: msgspec.Raw) -> Any:
    try:
        fields: dict[str, Any] = _decode_fields(call)
    except msgspec.DecodeError:
        return call
    return fields if _without_signature(fields) else call


def _without_signature(fields: dict[str, Any]) -> bool:
    """Take Gemini's signature out, and what held nothing else. Gives whether it was there."""
    try:
        extra = _decode_fields(fields["extra_content"])
        google: Any = _decode_fields(extra["google"])
        del google["thought_signature"]
    except (msgspec.DecodeError, KeyError):
        return False
    fields["extra_content"] = extra = {**extra, "google": google}
    if not google:
        del extra["google"]
    if not extra:
        del fields["extra_content"]
    return True


def _items(value: msgspec.Raw | None) -> list[msgspec.Raw]:
    """The items of an array; none of anything else."""
    try:
        return _decode_items(value) if value is not None else []
    except msgspec.DecodeError:
        return []
