"""Signatures that this gateway never tagged, from a client that talked to somebody else before: each family
is sent its own alone, as far as whose they are can be known."""

import json
from typing import Any

import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.formats.families import family_of
from proxy_app.wire import Address, Outgoing, Target

FERNET = "gAAAAABo" + "x" * 60  # as OpenAI's begin
CLAUDES = "EqQBCgIYAhIM" + "A" * 60  # as Claude's do
OTHER = "3f1c9a5e-2f1b-4d53-9f0e-5f7c2c1a0b9d"
QUESTION = {"role": "user", "content": "Hi"}


def said(signature: str = CLAUDES) -> list[Any]:
    """Chat Completions' messages with everything that two families sign."""
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": signature},
        {"type": "redacted_thinking", "data": CLAUDES},
    ]
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "now", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "gemini-canary"}, "later": 1},
    }
    bare = {**call, "id": "c2", "extra_content": {"google": {"thought_signature": "gemini-canary"}}}
    message = {
        "role": "assistant",
        "content": "So",
        "reasoning_content": "Hm",
        "thinking_blocks": blocks,
        "tool_calls": [call, bare],
        "extra_content": {"google": {"thought_signature": "gemini-canary"}},
    }
    results = [{"role": "tool", "tool_call_id": name, "content": "noon"} for name in ("c1", "c2")]
    return [QUESTION, message, *results]


def sent(inbound: str, body: dict[str, Any], target: Target) -> tuple[Outgoing, Any]:
    raw = orjson.dumps(body)
    facts = exchange.read_call(inbound, body, Address(model="m"))
    outgoing = exchange.build_outgoing(inbound, target, raw, body, facts)
    return outgoing, orjson.loads(outgoing.body)


@pytest.mark.parametrize(
    ("model", "quirks", "family"),
    [
        ("claude-opus-4-8", {}, "anthropic"),
        ("us.anthropic.claude-sonnet-4-6-v1:0", {}, "anthropic"),
        ("google/gemini-3-pro", {}, "gemini"),
        ("gpt-6-luna", {}, "openai"),
        ("openai/o4-mini", {}, "openai"),
        ("openai/gpt-oss-120b", {}, ""),
        ("x-ai/grok-4", {}, "xai"),
        ("ours", {}, ""),
        ("ours", {"family": "openai"}, "openai"),
        ("claude-like", {"family": "own"}, "own"),
    ],
)
def test_a_model_is_of_the_family_that_its_name_or_an_admin_tells(model, quirks, family):
    assert family_of(Target("openai_chat", model, quirks)) == family


def test_a_relayed_chat_keeps_nobody_s_signature_for_a_model_of_neither_family():
    _, body = sent("openai_chat", {"model": "m", "messages": said()}, Target("openai_chat", "mistral-large"))
    message = body["messages"][1]
    assert CLAUDES not in json.dumps(body) and "gemini-canary" not in json.dumps(body)
    assert "thinking_blocks" not in message and "extra_content" not in message
    assert message["tool_calls"][0]["extra_content"] == {"later": 1}
    assert "extra_content" not in message["tool_calls"][1]
    assert (message["content"], message["reasoning_content"]) == ("So", "Hm")


def test_a_relayed_chat_gives_claude_its_own_thoughts_and_not_gemini_s():
    target = Target("openai_chat", "anthropic/claude-opus-4-8")
    _, body = sent("openai_chat", {"model": "m", "messages": said()}, target)
    assert body["messages"][1]["thinking_blocks"] == said()[1]["thinking_blocks"]
    assert "gemini-canary" not in json.dumps(body)
    _, body = sent("openai_chat", {"model": "m", "messages": said("gatehouse.gemini.x")}, target)
    assert [block["type"] for block in body["messages"][1]["thinking_blocks"]] == ["redacted_thinking"]


def test_a_relayed_chat_gives_gemini_its_own_signatures_and_not_claude_s():
    target = Target("openai_chat", "ours", {"family": "gemini"})
    _, body = sent("openai_chat", {"model": "m", "messages": said()}, target)
    message = body["messages"][1]
    assert "thinking_blocks" not in message
    assert [message[name] for name in ("tool_calls", "extra_content")] == [
        said()[1][name] for name in ("tool_calls", "extra_content")
    ]


@pytest.mark.parametrize("odd", [None, 7, "x", {}, [7], [[]]])
def test_what_is_no_signature_at_all_is_no_failure(odd):
    message = {"role": "assistant", "content": "x", "thinking_blocks": odd}
    message |= {"tool_calls": odd, "extra_content": {"google": odd}, "thought_signature": odd}
    for model in ("mistral-large", "claude-opus-4-8"):
        body = {"model": "m", "messages": [QUESTION, message]}
        sent("openai_chat", body, Target("openai_chat", model))


def test_a_translated_chat_gives_each_family_its_own():
    body = {"model": "m", "messages": said()}
    to_claude = sent("openai_chat", body, Target("anthropic", "claude-opus-4-8"))[0].body
    to_gemini = sent("openai_chat", body, Target("gemini", "gemini-3-pro"))[0].body
    assert CLAUDES.encode() in to_claude and b"gemini-canary" not in to_claude
    assert CLAUDES.encode() not in to_gemini and b"gemini-canary" in to_gemini
    for format in ("openai_responses", "bedrock_converse"):
        other = sent("openai_chat", body, Target(format, "some-model"))[0].body
        assert CLAUDES.encode() not in other and b"gemini-canary" not in other
    other = sent("openai_chat", body, Target("anthropic", "deepseek-v4", {"family": "deepseek"}))[0].body
    assert CLAUDES.encode() not in other and b"gemini-canary" not in other


ITEMS = [
    {"role": "user", "content": "Hi"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": FERNET},
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": OTHER},
    {"type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "noon"},
]


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        (Target("openai_responses", "gpt-6-luna"), [FERNET, OTHER]),
        (Target("openai_responses", "my-deployment", {"family": "openai"}), [FERNET, OTHER]),
        (Target("openai_responses", "grok-4.7"), [OTHER]),
        (Target("openai_responses", "openai/gpt-oss-120b", {"family": "groq"}), [OTHER]),
        (Target("openai_responses", "ours"), [FERNET, OTHER]),  # whose model this is cannot be known
        (Target("anthropic", "claude-opus-4-8"), []),
        (Target("gemini", "gemini-3-pro"), []),
        (Target("openai_chat", "gpt-4.1"), []),
        (Target("bedrock_converse", "us.anthropic.claude-opus-4-8"), []),
    ],
)
def test_openai_s_sealed_reasoning_goes_to_openai_alone(target, kept):
    outgoing, _ = sent("openai_responses", {"model": "m", "input": ITEMS}, target)
    assert [seal for seal in (FERNET, OTHER) if seal.encode() in outgoing.body] == kept
    assert b"noon" in outgoing.body


def test_openai_s_reasoning_under_a_tag_goes_to_no_other_server_of_its_format():
    thought = {"type": "thinking", "thinking": "Hm", "signature": f"gatehouse.openai.{FERNET}"}
    messages = [
        QUESTION,
        {"role": "assistant", "content": [thought, {"type": "text", "text": "So"}]},
        QUESTION,
    ]
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    for model, is_sent in (("gpt-6-luna", True), ("grok-4.7", False)):
        outgoing, _ = sent("anthropic", body, Target("openai_responses", model))
        assert (FERNET.encode() in outgoing.body) is is_sent


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        (Target("anthropic", "claude-opus-4-8"), ["thinking", "thinking", "redacted_thinking", "text"]),
        (Target("anthropic", "ours"), ["thinking", "thinking", "redacted_thinking", "text"]),
        (Target("anthropic", "deepseek-v4-pro", {"family": "deepseek"}), ["thinking", "text"]),
        (Target("anthropic", "x-ai/grok-4"), ["thinking", "text"]),
    ],
)
def test_claude_s_thoughts_go_to_claude_alone_in_its_own_format(target, kept):
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": CLAUDES},
        {"type": "thinking", "thinking": "Hm", "signature": OTHER},
        {"type": "redacted_thinking", "data": CLAUDES},
        {"type": "text", "text": "So"},
    ]
    messages = [QUESTION, {"role": "assistant", "content": blocks}, QUESTION]
    asked = {"model": "m", "max_tokens": 9, "messages": messages}
    _, body = sent("anthropic", asked, target)
    assert [block["type"] for block in body["messages"][1]["content"]] == kept
    for format, model in (
        ("gemini", "gemini-3-pro"),
        ("openai_chat", "gpt-4.1"),
        ("openai_responses", "gpt-6"),
    ):
        outgoing, _ = sent(
            "anthropic", {"model": "m", "max_tokens": 9, "messages": messages}, Target(format, model)
        )
        assert CLAUDES.encode() not in outgoing.body


def test_gemini_s_signatures_go_to_gemini_alone():
    call = {"functionCall": {"name": "now", "args": {}}, "thoughtSignature": "gemini-canary"}
    thought = {"text": "Hm", "thought": True, "thoughtSignature": "gemini-canary"}
    result = {"functionResponse": {"name": "now", "response": {"output": "noon"}}}
    contents = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [thought, call]},
        {"role": "user", "parts": [result]},
    ]
    for format, model in (
        ("gemini", "gemini-3-pro"),
        ("anthropic", "claude-opus-4-8"),
        ("openai_chat", "gpt-4.1"),
        ("openai_responses", "gpt-6-luna"),
        ("bedrock_converse", "amazon.nova-pro-v1:0"),
    ):
        outgoing, _ = sent("gemini", {"contents": contents}, Target(format, model))
        assert (b"gemini-canary" in outgoing.body) is (format == "gemini")


def test_thoughts_that_bedrock_hid_come_back_to_bedrock_alone():
    block = {"type": "redacted_thinking", "data": "gatehouse.bedrock.AAAA"}
    messages = [QUESTION, {"role": "assistant", "content": "So", "thinking_blocks": [block]}, QUESTION]
    body = {"model": "m", "messages": messages}
    bedrock = sent("openai_chat", body, Target("bedrock_converse", "us.anthropic.claude-opus-4-8"))[0].body
    assert b'"redactedContent":"AAAA"' in bedrock
    assert b"AAAA" not in sent("openai_chat", body, Target("anthropic", "claude-opus-4-8"))[0].body
    assert b"AAAA" not in sent("openai_chat", body, Target("openai_chat", "claude-opus-4-8"))[0].body
