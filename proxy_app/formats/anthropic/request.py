"""Anthropic Messages requests: what the gateway reads of them, and how they are relayed unchanged."""

import re
from typing import Any

import msgspec
import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats.anthropic.blocks import MARK
from proxy_app.formats.claims import claimed_tags
from proxy_app.formats.claude import rules_of
from proxy_app.formats.claude_thinking import default_limit
from proxy_app.formats.families import ANTHROPIC, family_of, is_known_foreign
from proxy_app.formats.reading import Fields, as_count, as_object, as_text, holds_any, wrong_type
from proxy_app.wire import JSON, NOWHERE, Address, CallFacts, Outgoing, Reasoning, Target

PATH = "/v1/messages"
VERSION = "2026-10-21"
SAMPLING_VERSION = "2023-06-01"  # the last that takes temperature, top_p and top_k
SAMPLING = ("temperature", "top_p", "top_k")
#: Headers of a caller that a provider of this format is sent too.
FORWARDED = frozenset({"anthropic-version", "anthropic-beta"})
_ROLES = frozenset({"user", "assistant", "system"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
#: What a body with another family's thoughts holds: ours first, which is no model's.
_MARKS = (MARK.encode(), b'"signature"', b'"redacted_thinking"')
#: What Claude Code wrote before it wrote JSON: user_<hash>_account_<uuid>_session_<uuid>.
_CLAUDE_CODE_USER = re.compile(r"(user_.+?)_session_([0-9a-fA-F-]{8,64})")
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_call(body: JSON, address: Address = NOWHERE) -> CallFacts:
    """What the gateway needs of a body. Raises InvalidBody for wrong types and missing fields.

    A model in the address wins over the body's. `max_tokens` of 0 only warms the provider's cache.
    """
    fields = Fields(body)
    model = address.model or fields.text("model")
    if not model.strip():
        raise InvalidBody("'model' must not be empty.", param="model")
    check_messages(fields)
    limit = fields.maybe_count("max_tokens")
    if limit is None:
        raise InvalidBody("'max_tokens' is missing.", param="max_tokens")
    end_user, session = _who(fields)
    return CallFacts(
        model=model,
        stream=fields.maybe_flag("stream") or False,
        wants_usage=True,  # the format's streams always carry it
        max_output_tokens=limit,
        end_user=end_user,
        tags=claimed_tags(body.get("metadata")),
        session=session,
    )


def check_messages(fields: Fields) -> None:
    """Raises InvalidBody unless `messages` holds at least one message of a known role."""
    if fields.get("messages") is None:
        raise InvalidBody("'messages' is missing.", param="messages")
    count = 0
    for message in fields.objects("messages"):
        count += 1
        if message.text("role") not in _ROLES:
            raise wrong_type(message.at("role"), "user, assistant or system")
    if not count:
        raise InvalidBody("'messages' must not be empty.", param="messages")


def _who(fields: Fields) -> tuple[str | None, str | None]:
    """(end user, session) as `metadata.user_id` claims them. Claude Code puts both into it, as JSON or
    parted by underscores: the user's part stays the same from one session to the next."""
    metadata = fields.maybe_object("metadata")
    claim = metadata.maybe_text("user_id") if metadata is not None else None
    if not claim:
        return None, None
    if found := _CLAUDE_CODE_USER.fullmatch(claim):
        return found[1], found[2]
    if claim.startswith("{"):
        try:
            told = orjson.loads(claim)
        except orjson.JSONDecodeError:
            told = {}
        if session := as_text(told.get("session_id")):
            return as_text(told.get("account_uuid")) or as_text(told.get("device_id")) or None, session
    return claim, None


def headers_for(fields: Any) -> dict[str, str]:
    """Headers of a request: the newest version that takes what `fields` (of the body) names."""
    sampled = any(name in fields for name in SAMPLING)
    version = SAMPLING_VERSION if sampled else VERSION
    return {"content-type": "application/json", "anthropic-version": version}


def relay_request(raw: bytes, body: JSON, facts: CallFacts, target: Target) -> Outgoing:
    """The caller's own body with the model renamed; no value else is read, so numbers keep their digits
    and unknown fields their bytes. Only what this gateway itself wrote into earlier answers of other
    providers (their signatures, under our mark) is taken out, and Claude's thoughts before a model known to
    be another: the provider would refuse it.

    A limit of null, as of a body that came as Chat Completions without one, is made up: this format demands
    one. The caller's own `anthropic-version`, where it sent one, replaces the one given here.
    """
    fields: dict[str, Any] = _decode_fields(raw)
    fields["model"] = target.upstream_model
    if body.get("max_tokens", 0) is None:
        fields["max_tokens"] = int(target.quirks.get("default_max_tokens") or _default_limit(body, target))
    family = family_of(target)
    marks = _MARKS[:1] if family in ("", ANTHROPIC) else _MARKS
    if holds_any(raw, marks):
        messages = _decode_items(fields["messages"])
        kept = [mended for each in messages if (mended := _own_words(each, marks, family)) is not None]
        if kept != messages:
            fields["messages"] = kept
    return Outgoing(PATH, msgspec.json.encode(fields), headers_for(fields))


def _default_limit(body: JSON, target: Target) -> int:
    effort = as_text(as_object(body.get("output_config")).get("effort"))
    budget = as_count(as_object(body.get("thinking")).get("budget_tokens"))
    reasoning = Reasoning(effort or None, budget) if effort or budget else None
    return default_limit(reasoning, rules_of(target))


def _own_words(message: msgspec.Raw, marks: tuple[bytes, ...], family: str) -> Any:
    """A message without what its model did not sign and we made up; None when it held nothing else."""
    if not any(mark in bytes(message) for mark in marks):
        return message
    fields: dict[str, Any] = _decode_fields(message)
    try:
        blocks = _decode_items(fields["content"])
    except (msgspec.DecodeError, KeyError):
        return message  # a text that happens to speak of it
    kept = [mended for block in blocks if (mended := _own_block(block, family)) is not None]
    if not kept:
        return None
    return {**fields, "content": kept} if kept != blocks else message


def _own_block(block: msgspec.Raw, family: str) -> Any:
    """A block as it is; None for another family's thought; without citations that we made up."""
    told = orjson.loads(bytes(block))
    if not isinstance(told, dict):
        return block
    if as_text(told.get("type")) in _THOUGHTS:
        sealed = as_text(told.get("signature")) or as_text(told.get("data"))
        foreign = sealed.startswith(MARK) or is_known_foreign(sealed, ANTHROPIC, family)
        return None if foreign else block
    citations = told.get("citations")
    if told.get("type") != "text" or not isinstance(citations, list):
        return block
    true = [one for one in citations if not _is_ours(one)]
    if len(true) == len(citations):
        return block
    return told | {"citations": true or None}


def _is_ours(citation: Any) -> bool:
    return isinstance(citation, dict) and as_text(citation.get("encrypted_index")).startswith(MARK)
