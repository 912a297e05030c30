"""What must survive a translation (pains 29 and 30), before every pair of a caller's format and a provider's:
calls, media, signatures, hints for a cache."""

import json
from typing import Any

import msgspec
import pytest

from proxy_app.formats.gemini.signatures import MARK
from proxy_app.wire import Finish
from tests.proxy_app.formats.wire_bytes import STREAMS, read
from tests.proxy_app.harness import deployment, model
from tests.proxy_app.pairs.pairing import every_pair, open_pair, plain_and_streamed
from tests.proxy_app.pairs.providing import Provider
from tests.proxy_app.pairs.speaking import FORMATS, called, media, results, user, where
from tests.upstream.script import SIGNATURE
from tests.upstream.wire import Quirks

#: Relayed as they are to who speaks the provider's own format, strange as they are.
STRANGE = {"openai_chat/tool_no_index", "openai_chat/tool_all_index_zero", "openai_responses/unusual"}
DATA = "aGVsbG8gdGhlcmU="
SIGNS = ("openai_responses", "anthropic", "gemini")  # Chat Completions has no signed thoughts
HINT = {"type": "ephemeral"}

decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


# ---------------------------------------------------------------- 29: calls and media


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("name", STREAMS)
async def test_29_a_recorded_stream_is_heard_as_it_was_said(make_gateway, inbound, name):
    upstream, wanted = name.partition("/")[0], STREAMS[name]
    if name in STRANGE and inbound == upstream:
        return
    pair = open_pair(make_gateway, inbound, Provider(upstream, pieces=[read(name)]))
    heard = await pair.ask(True, tools=True)
    assert (heard.status, heard.starts, heard.ended, heard.error) == (200, 1, True, None)
    assert heard.text == wanted.text + wanted.refusal
    assert heard.arguments == [(tool, arguments) for _, tool, arguments in wanted.calls]
    assert len(set(heard.ids)) == len(wanted.calls) or inbound == upstream == "gemini"
    finish = "stop" if wanted.finish is Finish.STOP_SEQUENCE else wanted.finish.value
    assert heard.finish == finish or wanted.refusal
    assert heard.thoughts == wanted.thoughts


@every_pair
@plain_and_streamed
@pytest.mark.parametrize("says", ["hello", "tools:1", "tools:3", "talk-tools:2", "think-tools:2"])
async def test_29_calls_keep_their_names_arguments_and_order(make_gateway, inbound, upstream, stream, says):
    provider = Provider(upstream, says, quirks=Quirks(interleave=True))
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(stream, tools=True, thinks=True)
    script = provider.script
    assert heard.arguments == [(call.name, call.arguments) for call in script.calls]
    assert (heard.text, heard.finish) == (script.text, "tool_calls" if script.calls else "stop")
    assert heard.thoughts == ("" if upstream == "openai_chat" else script.thinking)
    assert heard.starts == 1 and heard.ended


@every_pair
@pytest.mark.parametrize("kind", ["image", "pdf", "audio", "unknown"])
@pytest.mark.parametrize("place", ["from the user", "from a tool"])
async def test_29_no_part_is_dropped_in_silence(make_gateway, inbound, upstream, kind, place):
    """It is forwarded, or refused with a 400 before any provider is asked."""
    part = media(inbound, kind, DATA)
    if part is None:
        return
    turns = [user(inbound, "Look"), *called(inbound), *results(inbound, ["call_1"], [part])]
    provider = Provider(upstream)
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(turns=turns if place == "from a tool" else [user(inbound, [part])], tools=True)
    if heard.status == 200:
        assert DATA in json.dumps(provider.seen)
    else:
        assert heard.status == 400 and heard.error and not provider.seen
    if kind == "image" and place == "from the user":
        assert heard.status == 200


# ---------------------------------------------------------------- 30: what must come back unchanged


@every_pair
@plain_and_streamed
async def test_30_signed_thoughts_go_back_to_who_signed_them(make_gateway, inbound, upstream, stream):
    if upstream not in SIGNS:
        return
    provider = Provider(upstream, "think-tools:2")
    pair = open_pair(make_gateway, inbound, provider)
    first = await pair.ask(stream, tools=True, thinks=True)
    turns = [user(inbound, "Say hello"), *first.said, *results(inbound, first.ids)]
    provider.says = "hello"
    last = await pair.ask(stream, tools=True, thinks=True, turns=turns)
    assert last.text == provider.script.text
    assert "x-gatehouse-thinking" not in pair.answers[-1].headers
    sent = json.dumps(provider.seen[-1])
    assert f'"{SIGNATURE}"' in sent and "gatehouse." not in sent


@every_pair
@plain_and_streamed
@pytest.mark.parametrize("to", FORMATS)
async def test_30_another_family_is_never_sent_them(make_gateway, inbound, upstream, stream, to):
    if upstream not in SIGNS or to == upstream:
        return
    alpha, beta = Provider(upstream, "think-tools:2"), Provider(to)
    pair = open_pair(make_gateway, inbound, alpha)
    first = await pair.ask(stream, tools=True, thinks=True)
    turns = [user(inbound, "Say hello"), *first.said, *results(inbound, first.ids)]
    moved = open_pair(make_gateway, inbound, beta)
    moved.gate.services.signatures = pair.gate.services.signatures
    last = await moved.ask(stream, tools=True, thinks=True, turns=turns)
    assert last.text == beta.script.text
    sent = json.dumps(beta.seen)
    assert "get_weather" in sent and "Sunny" in sent
    assert "gatehouse." not in sent and MARK not in sent
    assert SIGNATURE not in sent


#: Field -> its bytes: numbers keep their digits, and what nobody knows yet is passed on.
BODIES: dict[str, dict[str, str]] = {
    "openai_chat": {
        "messages": """[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":
            {"type":"ephemeral"},"later":1.50}]},{"role":"assistant","content":null,"reasoning_content":"Hm","tool_calls":[{"id":"c",
            "type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"later":
            {"n":1.0}}}]},{"role":"tool","tool_call_id":"c","content":"ok"}]""",
        "unknown_yet": '{"a":[1e3,null, 1.10]}',
    },
    "openai_responses": {
        "input": """[{"role":"user","content":"Hi","later":1.50},{"type":"reasoning","id":"rs_1","summary":[],
            "encrypted_content":"c2ln"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c","output":"ok"}]""",
        "unknown_yet": '{"a":[1e3,null, 1.10]}',
    },
    "anthropic": {
        "max_tokens": "100",
        "system": '[{"type":"text","text":"Be kind","cache_control":{"type":"ephemeral","ttl":"1h"}}]',
        "messages": """[{"role":"user","content":[{"type":"text","text":"Hi","later":1.50}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"c2ln"},{"type":"redacted_thinking","data":
            "ZGF0YQ=="},{"type":"tool_use","id":"c","name":"f","input":{"n":1.0}}]},{"role":"user","content":
            [{"type":"tool_result","tool_use_id":"c","content":"ok","cache_control":{"type":"ephemeral"}}]}]""",
        "unknown_yet": '{"a":[1e3,null, 1.10]}',
    },
    "gemini": {
        "contents": """[{"role":"user","parts":[{"text":"Hi","later":1.50}]},{"role":"model","parts":[
            {"functionCall":{"name":"f","args":{"n":1.0}},"thoughtSignature":"c2ln"},{"text":"",
            "thoughtSignature":"c2ln"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]""",
        "unknown_yet": '{"a":[1e3,null, 1.10]}',
    },
}


@pytest.mark.parametrize("format", FORMATS)
@plain_and_streamed
async def test_30_a_conversation_in_the_provider_s_own_format_keeps_its_bytes(make_gateway, format, stream):
    fields = BODIES[format]
    sent: list[bytes] = []

    async def script(request: Any) -> Any:
        sent.append(request.content)
        return await Provider(format)(request)

    gate = make_gateway(script, model("gpt", deployment("alpha", format)))
    head = {} if format == "gemini" else {"model": '"gpt"', "stream": str(stream).lower()}
    raw = "{" + ",".join(f'"{name}":{value}' for name, value in (head | fields).items()) + "}"
    answer = await gate.ask(raw.encode(), **where(format, stream))
    assert answer.status == 200
    got = {name: bytes(value).decode() for name, value in decode_fields(sent[0]).items()}
    changed = {"model": '"gpt-test"'} if format != "gemini" else {}
    wanted = head | fields | changed
    if format == "openai_chat" and stream:
        wanted["stream_options"] = '{"include_usage":true}'
    assert got == wanted


@pytest.mark.parametrize("inbound", ["openai_chat", "openai_responses", "anthropic"])
async def test_30_a_hint_for_the_cache_reaches_who_knows_it(make_gateway, inbound):
    """Gemini's callers have no such hint."""
    kind = "input_text" if inbound == "openai_responses" else "text"
    part = {"type": kind, "text": "Long, long ago", "cache_control": HINT}
    provider = Provider("anthropic")
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(turns=[user(inbound, [part])])
    assert heard.status == 200
    [block] = provider.seen[0]["messages"][0]["content"]
    assert block == {"type": "text", "text": "Long, long ago", "cache_control": HINT}
