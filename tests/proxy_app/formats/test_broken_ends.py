"""An answer that its provider broke off is a failure in every format, and never shown as finished."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import UpstreamFailed, UpstreamInvalid, UpstreamRefused
from proxy_app.formats import exchange
from proxy_app.formats.registry import INBOUND
from proxy_app.wire import CallFacts, Finish, Observed, Target
from tests.proxy_app.formats.wire_bytes import OPTIONS, open_pipe, run

CALLERS = sorted(INBOUND)
every_caller = pytest.mark.parametrize("caller", CALLERS)
BROKEN = {
    "error": 502,
    "abort": 502,
    "aborted": 502,
    "network_error": 502,
    "insufficient_system_resource": 503,
    "function_call_filter: MALFORMED_FUNCTION_CALL": 502,
}
DOWN = {"message": "Provider down", "code": 502}
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
USED = b'data: {"id":"c","choices":[],"usage":%b}\n\n' % orjson.dumps(USAGE)
DONE = b"data: [DONE]\n\n"


def choice(finish: str | None, said: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": finish, **more}


def answer(*choices: dict[str, Any]) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": list(choices), "usage": USAGE}


def taken(caller: str, body: Any, wire: str = "openai_chat", candidates: int = 1) -> tuple[bytes, Observed]:
    facts = CallFacts("m", candidates=candidates)
    return exchange.convert_answer(caller, Target(wire, "m"), orjson.dumps(body), facts, OPTIONS)


def piece(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    told = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return b"data: " + orjson.dumps({"id": "c", "choices": [told]}) + b"\n\n"


@every_caller
@pytest.mark.parametrize("word", BROKEN)
def test_a_whole_answer_that_was_broken_off_is_a_failure_that_may_be_retried(caller: str, word: str) -> None:
    with pytest.raises(UpstreamRefused, match=word) as caught:
        taken(caller, answer(choice(word)))
    assert (caught.value.status, caught.value.can_retry) == (BROKEN[word], True)
    assert caught.value.upstream_code == word.partition(":")[0]


@every_caller
@pytest.mark.parametrize("finish", ["error", "stop", None])
def test_an_error_beside_a_choice_is_told_in_the_providers_words(caller: str, finish: str | None) -> None:
    with pytest.raises(UpstreamRefused, match="Provider down"):
        taken(caller, answer(choice(finish, "", error=DOWN)))


def test_of_several_answers_those_that_are_whole_are_passed_on() -> None:
    broken, whole = choice("error", "", error=DOWN), choice("length") | {"index": 1}
    body = answer(broken, whole)
    sent, observed = taken("openai_chat", body, candidates=2)
    assert orjson.loads(sent) == body and observed.finish is Finish.LENGTH
    with pytest.raises(UpstreamRefused, match="Provider down"):
        taken("openai_chat", answer(broken, broken | {"index": 1}), candidates=2)


@every_caller
@pytest.mark.parametrize("word", BROKEN)
@pytest.mark.parametrize("ending", [USED + DONE, DONE, USED, b""], ids=["both", "done", "used", "bare"])
def test_a_stream_that_was_broken_off_has_no_end(caller: str, word: str, ending: bytes) -> None:
    raw = piece({"content": "Hi"}) + piece({}, word) + ending
    for cut in range(0, len(raw), 7):
        pipe, sent = open_pipe("openai_chat/x", inbound=caller), []
        with pytest.raises(UpstreamRefused) as caught:
            sent += [pipe.feed(raw[:cut]), pipe.feed(raw[cut:]), pipe.finish()]
        assert (caught.value.status, caught.value.can_retry) == (BROKEN[word], True)
        assert pipe.observed.content_started and not pipe.observed.ended
        assert pipe.observed.finish is None and b"[DONE]" not in b"".join(sent)
        if ending.startswith(USED):
            assert pipe.observed.usage is not None and pipe.observed.usage.input_tokens == 3
        assert b"error" in pipe.error(caught.value, "r")


@every_caller
@pytest.mark.parametrize("last", [piece({"content": ""}, "error"), piece({}, error=DOWN)])
def test_nothing_is_committed_to_an_answer_that_was_broken_off_before_it_began(
    caller: str, last: bytes
) -> None:
    pipe = open_pipe("openai_chat/x", inbound=caller)
    with pytest.raises(UpstreamFailed):
        pipe.feed(piece({"role": "assistant", "content": ""}) + last + USED + DONE)
    assert not pipe.observed.content_started


def test_a_relayed_stream_tells_the_reason_as_the_provider_does() -> None:
    pipe, told = open_pipe("openai_chat/x"), piece({"content": "Hi"}) + piece({}, "error") + USED
    assert pipe.feed(told) == told
    with pytest.raises(UpstreamRefused):
        pipe.feed(DONE)


def test_one_broken_answer_of_several_does_not_end_the_others() -> None:
    facts = CallFacts("m", stream=True, wants_usage=True, candidates=2)
    both = piece({"content": "a"}, "stop") + piece({}, "error").replace(b'"index":0', b'"index":1')
    relay = INBOUND["openai_chat"].open_relay(facts)
    assert run(relay, both, DONE) == both + DONE and relay.observed.finish is Finish.STOP
    relay = INBOUND["openai_chat"].open_relay(facts)
    with pytest.raises(UpstreamRefused):
        run(relay, both.replace(b'"stop"', b'"aborted"'), DONE)


@pytest.mark.parametrize("ended", [DONE, b""])
def test_a_relayed_completion_that_was_broken_off_has_no_end(ended: bytes) -> None:
    raw = b'data: {"choices":[{"index":0,"text":"a"}]}\n\ndata: {"choices":[{"finish_reason":"abort"}]}\n\n'
    pipe = open_pipe("openai_completions/x", inbound="openai_completions")
    with pytest.raises(UpstreamRefused, match="abort"):
        run(pipe, raw, ended)
    body = {"choices": [{"index": 0, "text": "", "finish_reason": "abort"}]}
    with pytest.raises(UpstreamRefused, match="abort"):
        taken("openai_completions", body, "openai_completions")


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("model_length", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("sensitive", Finish.CONTENT_FILTER),
        ("content_filter: PROHIBITED_CONTENT", Finish.CONTENT_FILTER),
        ("eos", Finish.STOP),
    ],
)
@every_caller
def test_words_that_servers_have_of_their_own_are_known(caller: str, word: str, finish: Finish) -> None:
    _, observed = taken(caller, answer(choice(word)))
    assert (observed.finish, observed.finish_word) == (finish, None)
    pipe = open_pipe("openai_chat/x", inbound=caller)
    run(pipe, piece({"content": "Hi"}) + piece({}, word) + DONE)
    assert (pipe.observed.finish, pipe.observed.finish_word) == (finish, None)


UNKNOWN = "something_new"
CLAUDE = {"id": "m", "type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": UNKNOWN}
GEMINI = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": UNKNOWN}]}
CLAUDE_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"something_new"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@every_caller
@pytest.mark.parametrize(
    ("wire", "body", "stream"),
    [
        ("openai_chat", answer(choice(UNKNOWN)), piece({"content": "Hi"}, UNKNOWN) + DONE),
        ("anthropic", CLAUDE, CLAUDE_STREAM),
        ("gemini", GEMINI, b"data: " + orjson.dumps(GEMINI) + b"\n\n"),
    ],
)
def test_a_reason_that_nobody_knows_is_remembered(caller: str, wire: str, body: Any, stream: bytes) -> None:
    _, observed = taken(caller, body, wire)
    assert (observed.finish, observed.finish_word) == (Finish.STOP, UNKNOWN)
    pipe = open_pipe(f"{wire}/x", inbound=caller)
    run(pipe, stream)
    assert (pipe.observed.finish, pipe.observed.finish_word) == (Finish.STOP, UNKNOWN)


def test_what_a_provider_cancelled_was_cancelled() -> None:
    with pytest.raises(UpstreamFailed, match=r"The provider's answer was cancelled\."):
        taken("anthropic", {"status": "cancelled", "output": []}, "openai_responses")


# ---------------------------------------------------------------- other shapes that a relay meets

NAMED = [
    b'event: x.y\ndata: {"foo": 1}\n\n',
    b'id: 7\nevent: x.y\ndata: {"foo": 1}\nretry: 5\n\n',
    b': hi\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
]


@pytest.mark.parametrize("block", NAMED)
def test_a_named_event_of_a_relayed_stream_keeps_its_name(block: bytes) -> None:
    raw = piece({"content": "Hi"}) + block + piece({}, "stop") + DONE
    for cut in range(len(raw)):
        assert run(open_pipe("openai_chat/x"), raw[:cut], raw[cut:]) == raw, cut


def test_usage_is_taken_out_of_a_named_event_that_keeps_its_name() -> None:
    said = b'event: x\ndata: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]%b}\n\n'
    pipe = open_pipe("openai_chat/x", wants_usage=False)
    assert run(pipe, said % (b',"usage":' + orjson.dumps(USAGE)), DONE) == said % b"" + DONE


CALLS = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (0, 1)]


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize("end", [b"", b"\n\n"])
def test_a_whole_answer_in_place_of_a_relayed_stream_is_streamed(wants_usage: bool, end: bytes) -> None:
    said = choice("tool_calls", "Hi", logprobs={"content": []})
    said["message"] |= {"reasoning_content": "hm", "new": 1, "tool_calls": CALLS}
    raw = orjson.dumps(answer(said)) + end
    for cut in range(0, len(raw), 5):
        pipe = open_pipe("openai_chat/x", wants_usage=wants_usage)
        sent = run(pipe, raw[:cut], raw[cut:])
        *chunks, done = sent.removesuffix(b"\n\n").split(b"\n\n")
        first, last, *usage = (orjson.loads(chunk.removeprefix(b"data: ")) for chunk in chunks)
        assert done == b"data: [DONE]" and first["object"] == last["object"] == "chat.completion.chunk"
        numbered = [{"index": n, **call} for n, call in enumerate(CALLS)]
        assert first["choices"][0]["delta"] == said["message"] | {"tool_calls": numbered}
        assert first["choices"][0]["logprobs"] == {"content": []}
        assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
        assert [chunk["usage"] for chunk in usage] == [USAGE] * wants_usage
        assert pipe.observed.finish is Finish.TOOL_CALLS and pipe.observed.ended
        assert pipe.observed.usage is not None and pipe.observed.usage.output_tokens == 1


def test_a_whole_answer_within_a_relayed_stream_is_no_answer() -> None:
    with pytest.raises(UpstreamInvalid, match="whole"):
        run(open_pipe("openai_chat/x"), piece({"content": "Hi"}), orjson.dumps(answer(choice("stop"))))
