"""A field that nobody here knows, anywhere in a body: relayed as it is, and never lost in silence where the
body is translated."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import UnsupportedContent, UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.knowing import Kinds, Shape
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.wire import Address, Outgoing, Target
from tests.proxy_app.formats.rich import BODIES, CHAT, SCHEMA

#: Where a caller's own words stand, which are carried whole or are a hint as a whole.
OWN_WORDS = {
    *("parameters", "schema", "input_schema", "parametersJsonSchema", "args", "response", "cache_control"),
    *("input",),
}
HERE = Address("m")
MODELS = {"anthropic": "claude-opus-4-8", "gemini": "gemini-3-pro", "bedrock_converse": "anthropic.claude-x"}
REFUSED = (UnsupportedParameter, UnsupportedContent)
Path = tuple[str | int, ...]


def own_copy(body: Any) -> Any:
    return orjson.loads(orjson.dumps(body))


def objects(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every object of a body that the format itself describes."""
    if isinstance(value, dict):
        yield path
        for name, held in value.items():
            if name not in OWN_WORDS or isinstance(held, list):
                yield from objects(held, (*path, name))
    elif isinstance(value, list):
        for position, held in enumerate(value):
            yield from objects(held, (*path, position))


def at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body


def named(path: Path) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return steps.removeprefix(".")


def send(inbound: str, upstream: str, body: Any) -> Outgoing:
    facts = exchange.read_call(inbound, body, HERE)
    target = Target(upstream, MODELS.get(upstream, "m"))
    return exchange.build_outgoing(inbound, target, orjson.dumps(body), body, facts)


def translate(inbound: str, body: Any) -> Outgoing:
    """To a format that takes all that the rich bodies say."""
    others = {"openai_responses": "gemini", "gemini": "anthropic"}
    return send(inbound, others.get(inbound, "openai_responses"), body)


PLACES = [(form, body, path) for form, body in BODIES for path in objects(body)]
NAMES = st.from_regex(r"x[a-z]{1,8}(_[a-z]{1,8})?", fullmatch=True)
VALUES = st.one_of(st.just(True), st.integers(1, 9), st.just("x"), st.just([1]), st.just({"a": None}))


@given(place=st.sampled_from(PLACES), name=NAMES, value=VALUES)
def test_one_that_says_something_is_refused_by_its_place(place: Any, name: str, value: Any) -> None:
    form, rich, path = place
    body = own_copy(rich)
    at(body, path)[name] = value
    with pytest.raises(REFUSED) as refused:
        translate(form, body)
    shown = (refused.value.param or "").replace("_", "").lower()  # Gemini's names come in two spellings
    told = named((*path, name)).replace("_", "").lower()
    shown = shown.replace("systeminstruction[0]", "systeminstruction")
    assert shown in (told, told.rpartition(".")[0])
    assert name.replace("_", "") in refused.value.detail.replace("_", "").lower()


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_it_is_never_lost_in_silence_whatever_it_is_translated_to(place: int) -> None:
    form, rich, path = PLACES[place]
    for upstream in UPSTREAM:
        if upstream != form:
            body = own_copy(rich)
            at(body, path)["later"] = "mark-of-the-unknown"
            try:
                sent = send(form, upstream, body).body
            except REFUSED as refused:
                assert "later" in refused.detail, upstream
            else:
                raise AssertionError(f"{named(path)} was lost on the way to {upstream}: {sent!r}")


@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("nothing", [None, [], {}])
def test_one_that_says_nothing_changes_nothing(place: int, nothing: Any) -> None:
    form, rich, path = PLACES[place]
    body = own_copy(rich)
    at(body, path)["later"] = nothing
    opens = path[-2:-1] in (("parts",), ("tools",)) and "functionResponse" not in path
    if form == "gemini" and opens and nothing is not None:
        with pytest.raises(REFUSED):  # whose name says all: a tool, or a kind of part
            translate(form, body)
    else:
        assert translate(form, body).body == translate(form, rich).body


@pytest.mark.parametrize("upstream", [form for form in UPSTREAM if form != "openai_chat"])
def test_a_search_that_an_empty_object_switches_on_is_refused(upstream: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for options in ({}, {"search_context_size": "low"}):
        with pytest.raises(UnsupportedParameter) as refused:
            send("openai_chat", upstream, {**body, "web_search_options": options})
        assert refused.value.param == "web_search_options"
    assert send("openai_chat", upstream, {**body, "web_search_options": None}).body


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_in_its_own_format_it_passes_as_it_is(place: int) -> None:
    form, rich, path = PLACES[place]
    body = own_copy(rich)
    at(body, path)["later"] = {"deep": [1.50, None]}
    if form == "openai_completions" or path[:1] == ("stream_options",):
        return
    target = Target(form, "claude-x")  # whose thoughts those of the bodies are
    raw, facts = orjson.dumps(body), exchange.read_call(form, body, HERE)
    sent = orjson.loads(exchange.build_outgoing(form, target, raw, body, facts).body)
    assert at(sent, path)["later"] == {"deep": [1.50, None]}


# ---------------------------------------------------------------- what is known


def every_shape(kind: Shape | Kinds) -> Iterator[Shape]:
    for known in kind.shapes.values() if isinstance(kind, Kinds) else [kind]:
        yield known
        for inner in known.inside.values():
            yield from every_shape(inner)


def met(value: Any, kind: Shape | Kinds, spelt: Any) -> Iterator[tuple[Path, Shape]]:
    """The objects of a body with the shape each is checked by."""
    if isinstance(value, list):
        for position, held in enumerate(value):
            yield from (((position, *path), known) for path, known in met(held, kind, spelt))
    elif isinstance(value, dict):
        known = kind.of(value) if isinstance(kind, Kinds) else kind
        assert known is not None
        yield (), known
        for name, held in value.items():
            inner = known.inside.get(next(iter(spelt({name: 1}))) if spelt else name)
            if inner is not None:
                yield from (((name, *path), each) for path, each in met(held, inner, spelt))


MET = [
    (form, body, path, known)
    for form, body in BODIES
    for path, known in met(body, INBOUND[form].known.body, INBOUND[form].known.spelt)
]


@pytest.mark.parametrize("form", INBOUND)
def test_the_bodies_here_have_every_kind_of_object(form: str) -> None:
    seen = {id(known) for each, _, _, known in MET if each == form}
    missed = [known.read for known in every_shape(INBOUND[form].known.body) if id(known) not in seen]
    assert [names for names in missed if names != {"type", "external_web_access"}] == []


@pytest.mark.parametrize("place", range(len(MET)))
def test_hints_and_echoes_are_left_out_and_change_nothing(place: int) -> None:
    form, rich, path, known = MET[place]
    body = own_copy(rich)
    for name in known.hints:
        at(body, path).setdefault(name, "mark-of-the-hint")
    sent, without = translate(form, body), translate(form, rich)
    assert (sent.body, sent.dropped) == (without.body, without.dropped)


@pytest.mark.parametrize("place", [place for place, (*_, known) in enumerate(MET) if known.told])
def test_what_is_left_out_and_no_hint_is_told_without_its_position(place: int) -> None:
    form, rich, path, known = MET[place]
    body = own_copy(rich)
    at(body, path).update(dict.fromkeys(known.told, "told"))
    sent, without = translate(form, body), translate(form, rich)
    words = ".".join(step for step in path if isinstance(step, str))
    told = [f"{words}.{name}" for name in known.told]
    assert sorted(sent.dropped) == sorted([*told, *without.dropped])


def test_a_field_that_many_objects_have_is_told_once() -> None:
    messages = [{"role": "user", "content": "Hi", "name": name} for name in ("ann", "bob")]
    assert translate("openai_chat", {"model": "m", "messages": messages}).dropped == ("messages.name",)


# ---------------------------------------------------------------- what SDKs send back


def test_a_message_as_the_openai_sdk_dumps_it_comes_back() -> None:
    from openai.types.chat import ChatCompletionMessage

    said = {"role": "assistant", "content": "So", "annotations": [], "parsed": {"a": 1}}
    call = {
        "id": "c1",
        "type": "function",
        "index": 0,
        "function": {"name": "look", "arguments": "{}", "parsed_arguments": {"city": "A"}},
    }
    message = ChatCompletionMessage.model_validate({**said, "tool_calls": [call]}).model_dump()
    result = {"role": "tool", "tool_call_id": "c1", "name": "look", "content": "Rain"}
    body = {**CHAT, "messages": [CHAT["messages"][2], message, result]}
    assert not send("openai_chat", "gemini", body).dropped


def test_an_answer_as_the_openai_sdk_dumps_it_goes_on_as_input() -> None:
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseReasoningItem

    text = {"type": "output_text", "text": "So", "annotations": [], "logprobs": []}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}
    items = [
        ResponseReasoningItem.model_validate({"id": "rs_1", "type": "reasoning", "summary": []}),
        ResponseOutputMessage.model_validate({**message, "status": "completed", "phase": "commentary"}),
        ResponseFunctionToolCall.model_validate({**call, "id": "fc_1"}),
    ]
    dumped: list[Any] = [item.model_dump() for item in items]
    output = {"type": "function_call_output", "call_id": "c", "output": "1", "id": None, "status": None}
    body = {"model": "m", "input": [{"role": "user", "content": "Hi"}, *dumped, output]}
    assert not send("openai_responses", "anthropic", body).dropped


def test_an_answer_as_the_anthropic_sdk_dumps_it_goes_on() -> None:
    from anthropic.types import Message

    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "text", "text": "So", "citations": None},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}, "caller": {"type": "direct"}},
    ]
    usage = {"input_tokens": 1, "output_tokens": 1}
    answer = Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": blocks,
            "stop_reason": "tool_use",
            "usage": usage,
        }
    )
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "1"}]}
    messages = [{"role": "user", "content": "Hi"}, answer.model_dump(), result]
    assert not send("anthropic", "openai_chat", {"model": "m", "max_tokens": 9, "messages": messages}).dropped


# ---------------------------------------------------------------- what is read besides


def test_a_schema_beside_json_object_is_one() -> None:
    body = {**CHAT, "response_format": {"type": "json_object", "schema": SCHEMA}}
    sent = orjson.loads(send("openai_chat", "gemini", body).body)
    assert sent["generationConfig"]["responseJsonSchema"] == SCHEMA


def test_a_breakpoint_of_openai_s_cache_is_claude_s() -> None:
    part = {"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    sent = orjson.loads(send("openai_chat", "anthropic", body).body)
    assert sent["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
