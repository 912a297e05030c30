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
from proxy_app.wire import NOWHERE, Address, Conversation, Target
from tests.proxy_app.formats import test_anthropic_properties, test_gemini_properties
from tests.proxy_app.formats.asking import BY_BUDGET, requests
from tests.proxy_app.pairs.pairing import PAIRS
from tests.proxy_app.pairs.speaking import FORMATS, called, media, question, results, user
from tests.proxy_app.published.asking import conversations, targets
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
TARGETS = {format: targets(format) for format in FORMATS}
#: Words of the official SDK's types that the documents are too old for -> what they know.
NEWER = {"fast": "auto", "ultrafast": "auto", "max": "high"}
FEW = settings(max_examples=25)  # for each of many pairs


def as_described(format: str, raw: Any) -> None:
    body = orjson.loads(raw)
    found = faults(DOCUMENTS[format], "asked", CALLS[format], body)
    assert not found, (found, body)


@pytest.mark.parametrize("format", FORMATS)
@FEW
@given(st.data())
def test_a_request_built_from_any_conversation(format: str, data: st.DataObject) -> None:
    conversation: Conversation = data.draw(conversations())
    target = data.draw(st.sampled_from(TARGETS[format]))
    try:
        outgoing = UPSTREAM[format].build_request(conversation, target)
    except BadRequest:  # said to the caller: the format has no word for it
        return
    as_described(format, outgoing.body)


@pytest.mark.parametrize("format", FORMATS)
@FEW
@given(st.data())
def test_a_request_that_a_format_can_say(format: str, data: st.DataObject) -> None:
    """None of these is refused, so each is held to the description."""
    conversation = data.draw(requests((format, format)))
    conversation.service_tier = NEWER.get(conversation.service_tier or "", conversation.service_tier)
    if conversation.reasoning is not None and conversation.reasoning.effort in NEWER:
        conversation.reasoning = replace(conversation.reasoning, effort=NEWER[conversation.reasoning.effort])
    style = {"thinking_style": "budget"} if conversation.model == BY_BUDGET else {}
    target = Target(format, conversation.model, style)
    as_described(format, UPSTREAM[format].build_request(conversation, target).body)


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
