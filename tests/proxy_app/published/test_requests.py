"""What is sent to providers is as they describe it: built from any conversation, for every kind of provider
that is known, and translated between every two formats."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_project.errors import BadRequest
from proxy_app.formats import exchange
from proxy_app.formats.registry import UPSTREAM
from proxy_app.providers.presets import PRESETS, STARTER_MODELS
from proxy_app.wire import NOWHERE, Address, Conversation, Target
from tests.proxy_app.formats import test_anthropic_properties, test_gemini_properties
from tests.proxy_app.formats.asking import BY_BUDGET, requests
from tests.proxy_app.formats.test_pairs_requests import PROBES
from tests.proxy_app.pairs.pairing import PAIRS
from tests.proxy_app.pairs.speaking import FORMATS, called, media, question, results, user
from tests.proxy_app.published.documents import DOCUMENTS, faults

#: What each format's document calls a call.
CALLS = {
    "openai_chat": "CreateChatCompletionRequest",
    "openai_responses": "CreateResponse",
    "anthropic": "CreateMessageParams",
    "gemini": "GenerateContentRequest",
}
MODELS = {"anthropic": "claude-opus-5", "gemini": "gemini-3-pro"}
#: What is relayed in the caller's own format is the caller's own writing.
translated = pytest.mark.parametrize(
    ("inbound", "upstream"),
    [pair for pair in PAIRS if pair[0] != pair[1]],
    ids=[" to ".join(pair) for pair in PAIRS if pair[0] != pair[1]],
)


def targets(format: str) -> list[Target]:
    """Every way in which a provider that we know wants to be spoken to in this format."""
    found: dict[str, Target] = {}
    for preset in PRESETS.values():
        if format in (preset.format, *preset.other_formats):
            starters = STARTER_MODELS.get(preset.kind, ())
            for model, quirks in [("model-1", {}), *((one.upstream_model, one.quirks) for one in starters)]:
                target = Target(format, model, {**preset.quirks, **quirks})
                found.setdefault(repr(sorted(target.quirks.items(), key=str)) + model[:8], target)
    return list(found.values())


TARGETS = {format: targets(format) for format in FORMATS}
#: Words of the official SDK's types that the documents are too old for -> what they know.
NEWER = {"fast": "auto", "ultrafast": "auto", "max": "high"}
FEW = settings(max_examples=25)  # for each of many pairs


def as_described(format: str, raw: Any) -> None:
    body = orjson.loads(raw)
    if "random_seed" in body:  # Mistral's word for OpenAI's
        body["seed"] = body.pop("random_seed")
    if format == "openai_chat":
        body.pop("thinking", None)  # DeepSeek's switch
    if format == "openai_responses":
        body.pop("response_format", None)  # Perplexity's place for a schema
    if body.get("thinking") == {"type": "between_tools"}:  # of the official SDK; the document is older
        body["thinking"] = {"type": "disabled"}
    found = faults(DOCUMENTS[format], "asked", CALLS[format], body)
    assert not found, (found, body)


def in_older_words(asked: Conversation) -> Conversation:
    tier, thinks = asked.service_tier, asked.reasoning
    if thinks is not None and thinks.effort in NEWER:
        thinks = replace(thinks, effort=NEWER[thinks.effort])
    return replace(asked, service_tier=NEWER.get(tier or "", tier), reasoning=thinks)


@pytest.mark.parametrize("format", FORMATS)
def test_whatever_is_asked_for_of_every_kind_of_provider(format: str) -> None:
    """Also what a format has no field for: left out, told in other words, or refused."""
    sent = 0
    for made in PROBES.values():
        asked = in_older_words(made(format) if callable(made) else made)
        for target in TARGETS[format]:
            try:
                outgoing = UPSTREAM[format].build_request(asked, target)
            except BadRequest:  # said to the caller: the format has no word for it
                continue
            as_described(format, outgoing.body)
            sent += 1
    assert sent


@pytest.mark.parametrize("format", FORMATS)
@FEW
@given(st.data())
def test_a_request_that_a_format_can_say(format: str, data: st.DataObject) -> None:
    """None of these is refused, so each is held to the description; and for every kind of provider."""
    conversation = in_older_words(data.draw(requests((format, format))))
    style = {"thinking_style": "budget"} if conversation.model == BY_BUDGET else {}
    target = Target(format, conversation.model, style)
    as_described(format, UPSTREAM[format].build_request(conversation, target).body)
    try:
        outgoing = UPSTREAM[format].build_request(conversation, data.draw(st.sampled_from(TARGETS[format])))
    except BadRequest:  # this kind of provider takes less
        return
    as_described(format, outgoing.body)


def sent(inbound: str, upstream: str, body: dict[str, Any]) -> bytes:
    address = Address("gpt") if inbound == "gemini" else NOWHERE
    facts = exchange.read_call(inbound, body, address)
    target = Target(upstream, MODELS.get(upstream, "upstream-model"))
    outgoing = exchange.build_outgoing(inbound, target, orjson.dumps(body), body, facts)
    assert isinstance(outgoing.body, bytes)
    return outgoing.body


@translated
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_loop_of_tools_between_two_formats(inbound: str, upstream: str, stream: bool) -> None:
    turns = [user(inbound, "Weather?"), *called(inbound), *results(inbound, ["call_1"])]
    for more in ({}, {"tools": True}, {"thinks": True}, {"turns": turns, "tools": True}):
        as_described(upstream, sent(inbound, upstream, question(inbound, stream, **more)))


@translated
@pytest.mark.parametrize("kind", ["image", "pdf", "audio"])
def test_media_between_two_formats(inbound: str, upstream: str, kind: str) -> None:
    part = media(inbound, kind, "aGVsbG8gdGhlcmU=")
    if part is None or (kind == "audio" and upstream == "anthropic"):
        return
    body = question(inbound, turns=[user(inbound, [part])])
    as_described(upstream, sent(inbound, upstream, body))


@pytest.mark.parametrize("upstream", FORMATS)
@FEW
@given(st.data())
def test_what_callers_of_claude_and_gemini_write(upstream: str, data: st.DataObject) -> None:
    inbound = data.draw(st.sampled_from(["anthropic", "gemini"]))
    written = test_anthropic_properties if inbound == "anthropic" else test_gemini_properties
    try:
        raw = sent(inbound, upstream, data.draw(written.bodies()))
    except BadRequest:
        return
    as_described(upstream, raw)
