"""What providers are known to refuse is not sent to them in a translated call, and the caller is told."""

from typing import Any

import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_responses.usage import usage_of
from proxy_app.providers.presets import PRESETS
from proxy_app.wire import CallFacts, Outgoing, Target
from tests.proxy_app.formats.test_small_asks import build, sent

USER = {"role": "user", "content": "Hi"}
SEEDED = {
    "contents": [{"parts": [{"text": "Hi"}]}],
    "generationConfig": {"seed": 4, "frequencyPenalty": 0.5, "presencePenalty": 0},
}


def test_mistral_is_told_the_seed_by_its_own_name() -> None:
    mistral = orjson.loads(
        build("gemini", Target("openai_chat", "m", PRESETS["mistral"].quirks), SEEDED).body
    )
    assert mistral["random_seed"] == 4 and "seed" not in mistral
    assert sent("gemini", "openai_chat", SEEDED)["seed"] == 4


def test_xai_is_sent_no_penalties_and_no_stop_and_the_caller_is_told_of_those_that_meant_something() -> None:
    outgoing = build("gemini", Target("openai_chat", "grok-4.7", PRESETS["xai"].quirks), SEEDED)
    assert not {"frequency_penalty", "presence_penalty"} & set(orjson.loads(outgoing.body))
    assert outgoing.dropped == ("generationConfig.frequencyPenalty",)
    asked = {"max_tokens": 9, "messages": [USER], "stop_sequences": ["END"]}
    outgoing = build("anthropic", Target("openai_chat", "grok-4.7", PRESETS["xai"].quirks), asked)
    assert "stop" not in orjson.loads(outgoing.body) and outgoing.dropped == ("stop_sequences",)


@pytest.mark.parametrize(
    ("model", "dropped"),
    [
        ("gemini-2.0-flash", ()),
        ("gemini-2.5-pro", ("frequency_penalty", "presence_penalty")),
        ("gemini-3.8-flash", ("frequency_penalty", "presence_penalty")),
        ("gemini-flash-latest", ("frequency_penalty", "presence_penalty")),
    ],
)
def test_no_gemini_takes_penalties_since_2_5(model: str, dropped: tuple[str, ...]) -> None:
    asked = {"messages": [USER], "frequency_penalty": 0.5, "presence_penalty": -1}
    outgoing = build("openai_chat", Target("gemini", model), asked)
    config = orjson.loads(outgoing.body).get("generationConfig", {})
    assert outgoing.dropped == dropped
    assert config == ({} if dropped else {"frequencyPenalty": 0.5, "presencePenalty": -1})
    neutral = {"messages": [USER], "frequency_penalty": 0}
    assert build("openai_chat", Target("gemini", "gemini-3.8-flash"), neutral).dropped == ()


DEEPSEEK = PRESETS["deepseek"].quirks
LOOK = {"name": "look", "description": "d", "input_schema": {"type": "object", "properties": {}}}


def to_deepseek(**asked: Any) -> tuple[Outgoing, Any]:
    body = {"max_tokens": 9, "messages": [USER], **asked}
    outgoing = build("anthropic", Target("openai_chat", "deepseek-flash", DEEPSEEK), body)
    return outgoing, orjson.loads(outgoing.body)


def test_a_schema_is_asked_for_in_words_where_a_server_knows_json_mode_alone() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    outgoing, body = to_deepseek(
        system="Be brief.", output_config={"format": {"type": "json_schema", "schema": schema}}
    )
    assert body["response_format"] == {"type": "json_object"}
    assert outgoing.dropped == ("output_config.format",)
    [instructions, question] = body["messages"]
    assert instructions["content"].startswith("Be brief.") and '"city"' in instructions["content"]
    assert question == USER


def test_a_list_is_asked_for_in_words_as_the_value_of_an_object() -> None:
    target = Target("openai_chat", "deepseek-flash", DEEPSEEK)
    form = {"type": "json_schema", "schema": {"type": "array", "items": {"type": "string"}}}
    build("anthropic", target, {"max_tokens": 9, "messages": [USER], "output_config": {"format": form}})
    assert target.wrapped


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "look"}])
def test_a_forced_tool_turns_the_thoughts_off_that_would_be_in_its_way(choice: Any) -> None:
    outgoing, body = to_deepseek(tools=[LOOK], tool_choice=choice, temperature=0.5)
    assert body["thinking"] == {"type": "disabled"} and "reasoning_effort" not in body
    assert body["temperature"] == 0.5 and outgoing.dropped == ()
    outgoing, body = to_deepseek(tools=[LOOK], tool_choice=choice, output_config={"effort": "high"})
    assert body["thinking"] == {"type": "disabled"} and outgoing.dropped == ("thinking",)


def test_no_thoughts_are_asked_for_by_the_switch_and_how_hard_by_the_effort() -> None:
    _, body = to_deepseek(thinking={"type": "disabled"}, temperature=0.5)
    assert body["thinking"] == {"type": "disabled"} and "reasoning_effort" not in body
    assert body["temperature"] == 0.5
    _, body = to_deepseek(output_config={"effort": "high"}, tools=[LOOK], tool_choice={"type": "auto"})
    assert body["reasoning_effort"] == "high" and "thinking" not in body
    gemini = {"contents": [{"parts": [{"text": "Hi"}]}]}
    gemini["generationConfig"] = {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}
    body = orjson.loads(build("gemini", Target("openai_chat", "deepseek-flash", DEEPSEEK), gemini).body)
    assert body["reasoning_effort"] == "low"


def test_sampling_that_changes_nothing_while_it_thinks_is_told_as_left_out() -> None:
    outgoing, body = to_deepseek(temperature=0.5, top_p=0.9)
    assert "temperature" not in body and body["top_p"] == 0.9
    assert outgoing.dropped == ("temperature",)


# ---------------------------------------------------------------- words for effort


@pytest.mark.parametrize(
    ("known", "asked", "told", "dropped"),
    [
        (("none", "high"), "medium", "high", ()),
        (("none", "high"), "low", "high", ()),
        (("none", "high"), "none", "none", ()),
        (("low", "medium", "high"), "xhigh", "high", ()),
        (("low", "medium", "high"), "minimal", "low", ()),
        (("low", "medium", "high"), "none", "low", ("reasoning",)),
        ((), "xhigh", "xhigh", ()),
    ],
)
def test_how_hard_to_think_is_told_in_a_word_that_the_model_knows(
    known: tuple[str, ...], asked: str, told: str, dropped: tuple[str, ...]
) -> None:
    target = Target("openai_chat", "m", {"efforts": known})
    outgoing = build("openai_responses", target, {"input": "Hi", "reasoning": {"effort": asked}})
    assert orjson.loads(outgoing.body)["reasoning_effort"] == told
    assert outgoing.dropped == dropped


def test_a_budget_of_thoughts_is_told_so_too_and_mistral_thinks_or_not() -> None:
    asked = {"max_tokens": 9999, "messages": [USER], "thinking": {"type": "enabled", "budget_tokens": 2048}}
    outgoing = build("anthropic", Target("openai_chat", "m", PRESETS["mistral"].quirks), asked)
    assert orjson.loads(outgoing.body)["reasoning_effort"] == "high"


# ---------------------------------------------------------------- some of the tools


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_only_openai_is_told_which_tools_are_allowed_others_are_offered_these_alone(mode: str) -> None:
    names = ["a", "b"] if mode == "required" else ["a"]
    tools = [{"type": "function", "name": name, "parameters": {}} for name in ("a", "b", "c")]
    allowed = [{"type": "function", "name": name} for name in names]
    asked = {
        "input": "Hi",
        "tools": tools,
        "tool_choice": {"type": "allowed_tools", "mode": mode, "tools": allowed},
    }
    body = orjson.loads(build("openai_responses", Target("openai_chat", "m", DEEPSEEK), asked).body)
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert body["tool_choice"] == mode
    own = Target("openai_chat", "m", PRESETS["openai"].quirks)
    body = orjson.loads(build("openai_responses", own, asked).body)
    assert len(body["tools"]) == 3 and body["tool_choice"]["type"] == "allowed_tools"


# ---------------------------------------------------------------- Perplexity


PERPLEXITY = PRESETS["perplexity"].quirks
FORM = {"type": "object", "properties": {"city": {"type": "string"}}}


def to_perplexity(caller: str = "openai_chat", **asked: Any) -> tuple[Outgoing, Any]:
    outgoing = build(caller, Target("openai_responses", "perplexity/sonar", PERPLEXITY), asked)
    return outgoing, orjson.loads(outgoing.body)


def test_perplexity_searches_for_callers_of_other_formats_who_have_no_word_for_it() -> None:
    _, body = to_perplexity(messages=[USER])
    assert body["tools"] == [{"type": "web_search"}] and "tool_choice" not in body
    tool = {"type": "function", "function": {"name": "look", "parameters": FORM}}
    _, body = to_perplexity(messages=[USER], tools=[tool], tool_choice="auto")
    assert [tool["type"] for tool in body["tools"]] == ["function", "web_search"]
    for choice in ("required", "none"):
        _, body = to_perplexity(messages=[USER], tools=[tool], tool_choice=choice)
        assert [tool["type"] for tool in body["tools"]] == ["function"] and body["tool_choice"] == choice


def test_perplexity_is_told_a_schema_in_its_own_field_and_json_mode_in_words() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": FORM}}
    outgoing, body = to_perplexity(messages=[USER], response_format=form)
    assert body["response_format"] == form and "text" not in body and outgoing.dropped == ()
    outgoing, body = to_perplexity(messages=[USER], response_format={"type": "json_object"}, verbosity="low")
    assert not {"text", "response_format"} & body.keys() and "JSON" in orjson.dumps(body["input"]).decode()
    assert set(outgoing.dropped) == {"response_format", "verbosity"}


def test_what_perplexity_searched_is_counted_as_it_counts_it() -> None:
    usage = {
        "input_tokens": 5,
        "output_tokens": 2,
        "total_tokens": 7,
        "tool_calls_details": {"search_web": {"invocation": 3}, "fetch_url": {"invocation": 1}},
    }
    found = usage_of({"usage": usage, "output": [{"type": "search_results", "results": []}]})
    assert found is not None and found.units == {"searches": 3}


FOUND = [
    {"type": "search_results", "results": [{"id": 1, "url": "https://x.test", "title": "T", "snippet": "S"}]},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Rain [1].", "annotations": []}],
    },
]
SAID = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": FOUND}
CITED = [{"type": "url_citation", "url": "https://x.test", "title": "T", "start_index": 0, "end_index": 0}]
OPTIONS = RenderOptions("m", "ours", 1)


def test_what_perplexity_found_is_cited_by_a_translated_answer() -> None:
    target = Target("openai_responses", "perplexity/sonar", PERPLEXITY)
    facts = CallFacts("m")
    told, _ = exchange.convert_answer("openai_chat", target, orjson.dumps(SAID), facts, OPTIONS)
    [note] = orjson.loads(told)["choices"][0]["message"]["annotations"]
    assert note["url_citation"] == {name: value for name, value in CITED[0].items() if name != "type"}


@pytest.mark.parametrize("is_noted", [False, True])
def test_so_does_a_stream_where_its_text_names_no_source_itself(is_noted: bool) -> None:
    events: list[Any] = [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m"}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Rain [1]."},
        {"type": "response.completed", "response": SAID},
    ]
    if is_noted:
        events.insert(2, {"type": "response.output_text.annotation.added", "annotation": CITED[0]})
    target = Target("openai_responses", "perplexity/sonar", PERPLEXITY)
    pipe = exchange.open_pipe("openai_chat", target, CallFacts("m", stream=True), OPTIONS)
    sent = b"".join([pipe.feed(b"data: %b\n\n" % orjson.dumps(event)) for event in events]) + pipe.finish()
    assert pipe.observed.ended and sent.count(b"https://x.test") == 1
