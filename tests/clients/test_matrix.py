"""Every official Python SDK before every kind of provider: plain and streamed say the same, as scripted."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from tests.clients.connecting import Caller, every_kind, every_speaker, quiet
from tests.clients.gateway import expected
from tests.clients.speaking import Assistant, Media, Results, Said, Wish, user
from tests.upstream.script import FORECAST, REFUSAL, SIGNATURE, THOUGHTS, Script

pytestmark = [pytest.mark.asyncio(loop_scope="module"), quiet]
TOOLS = Wish(tools=("get_weather",))
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Forecast(BaseModel):
    city: str
    temperature: float
    rainy: bool
    days: list[str]
    note: str


def told(caller: Caller, script: Script, thinks: bool = True) -> Said:
    """What an SDK must rebuild of a script. Chat Completions has no place for a provider's thoughts."""
    usage = script.usage
    finish = "stop" if script.finish == "stop_sequence" and caller.kind != "anthropic" else script.finish
    return Said(
        text=script.text,
        thoughts=script.thinking if caller.kind != "openai" and thinks else "",
        calls=[(call.name, call.arguments) for call in script.calls],
        finish=caller.speaker.finishes[finish],
        usage=(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens),
    )


@every_kind
@every_speaker
@pytest.mark.parametrize("text", ["hello", "cached", "long:50", "json", "length", "empty"])
async def test_an_answer_is_rebuilt_as_it_was_given(caller: Caller, text: str) -> None:
    plain, streamed = await caller.both(user(text))
    assert plain == streamed == told(caller, expected(text))


@every_kind
@every_speaker
async def test_thoughts_are_shown_to_who_asks_for_them(caller: Caller) -> None:
    plain, streamed = await caller.both(user("think"), wish=Wish(think=True))
    assert plain == streamed == told(caller, expected("think"))


@every_kind
@every_speaker
@pytest.mark.parametrize("text", ["hello", "tool:1", "tools:3", "think-tools:2", "talk-tools:2"])
async def test_tool_calls_keep_names_arguments_and_order(caller: Caller, text: str) -> None:
    plain, streamed = await caller.both(user(text), wish=TOOLS)
    assert plain == streamed == told(caller, expected(text, tools=TOOLS.tools))
    assert len(plain.calls) == (int(text[-1]) if text != "hello" else 0)


@every_kind
@every_speaker
@pytest.mark.parametrize("way", ["split", "comments"])
async def test_a_providers_strange_ways_change_nothing(caller: Caller, way: str) -> None:
    caller = replace(caller, word=f"mock-{way}")
    plain, streamed = await caller.both(user("tools:3"), wish=TOOLS)
    assert plain == streamed == told(caller, expected("tools:3", tools=TOOLS.tools))


@every_kind
@every_speaker
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_results_go_back_with_the_calls_and_the_signed_thoughts(caller: Caller, stream: bool) -> None:
    """What the SDK was given it sends back, and the provider is sent what it had signed."""
    wish = replace(TOOLS, think=True)
    turns: list[Any] = [user("think-tools:2")]
    first = await caller.say(*turns, wish=wish, stream=stream)
    mark = uuid4().hex
    turns += [Assistant(first), Results(first, ((f"sun {mark}",), ("비",)))]
    last = await caller.say(*turns, wish=wish, stream=stream)
    assert last.text == f"The tools said: sun {mark} | 비."
    sent = caller.sent_with(mark)
    assert (SIGNATURE in sent) == (caller.kind != "openai")
    if caller.kind != "gemini":  # which signs the call alone
        assert (THOUGHTS in sent) == (caller.kind != "openai")


@every_kind
@every_speaker
async def test_which_tool_is_called_is_the_callers_choice(caller: Caller) -> None:
    two = Wish(tools=("get_weather", "get_time"))

    async def called(text: str, choice: str | tuple[str, ...]) -> list[str]:
        plain, streamed = await caller.both(user(text), wish=replace(two, choice=choice))
        assert plain.calls == streamed.calls
        return [name for name, _ in plain.calls]

    assert await called("hi", "get_time") == ["get_time"]
    assert await called("hi", "required") == ["get_weather"]
    assert await called("tool:1", "none") == []
    if "subset" not in caller.speaker.unsayable:
        three = replace(two, tools=(*two.tools, "get_news"), choice=("get_time", "get_news"))
        plain, streamed = await caller.both(user("tools:2"), wish=three)
        assert plain.calls == streamed.calls and {name for name, _ in plain.calls} <= set(three.choice)
        assert plain.calls


@every_kind
@every_speaker
async def test_one_call_at_a_time_is_kept_to(caller: Caller) -> None:
    """By the gateway where the provider has no switch for it, as Gemini has none."""
    if "one call" in caller.speaker.unsayable:
        return
    plain, streamed = await caller.both(user("tools:3"), wish=replace(TOOLS, one_call=True))
    assert len(plain.calls) == 1 and plain == streamed


@every_kind
@every_speaker
async def test_a_schema_is_parsed_into_the_callers_own_type(caller: Caller) -> None:
    plain, streamed = await caller.both(user("json"), wish=Wish(schema=Forecast))
    assert plain.parsed == streamed.parsed == Forecast.model_validate(FORECAST)


@every_kind
@every_speaker
async def test_images_pdfs_and_sound_arrive_as_they_were_or_are_refused(caller: Caller) -> None:
    picture = Media("image", PIXEL)
    seen = await caller.both(user("image", picture, picture))
    assert {said.text for said in seen} == {"I see 2 images in what you sent."}
    document = Media("pdf", uuid4().hex)
    await caller.say(user("hello", document), stream=True)
    assert caller.sent_with(document.data)
    if "audio" in caller.speaker.unsayable:
        return
    sound = Media("audio", uuid4().hex)
    if caller.kind == "anthropic":
        with pytest.raises(caller.speaker.error, match="audio") as caught:
            await caller.say(user("hello", sound))
        assert caller.speaker.status(caught.value) == 400 and not caller.sent_with(sound.data)
    else:
        await caller.say(user("hello", sound))
        assert caller.sent_with(sound.data)


@every_kind
@every_speaker
async def test_an_image_in_a_result_reaches_the_provider(caller: Caller) -> None:
    if "image in a result" in caller.speaker.unsayable:
        return
    first = await caller.say(user("tool:1"), wish=TOOLS)
    picture = Media("image", uuid4().hex)
    turns = [user("tool:1"), Assistant(first), Results(first, (("look", picture),))]
    last = await caller.say(*turns, wish=TOOLS)
    # Chat Completions takes no image in a result: it follows as the user's, and is answered as such.
    assert caller.kind == "openai" or last.text == "The tools said: look."
    assert caller.sent_with(picture.data)


@every_kind
@every_speaker
async def test_instructions_stops_and_length_reach_every_provider(caller: Caller) -> None:
    plain, streamed = await caller.both(user("system"), wish=Wish(system="Be brief."))
    assert plain.text == streamed.text == "My instructions are: Be brief.."
    plain, streamed = await caller.both(user("long:50"), wish=Wish(limit=20))
    assert plain == streamed == told(caller, expected("long:50", max_tokens=20))
    if "stop" in caller.speaker.unsayable:
        return
    wish = Wish(stop=(",",))
    if caller.kind == "responses":  # has no such thing
        name = {"chat": "stop", "messages": "stop_sequences", "generate": "stopSequences"}
        with pytest.raises(caller.speaker.error, match=f"{name[caller.speaker.name]}' cannot") as caught:
            await caller.say(user("hello"), wish=wish, stream=True)
        assert caller.speaker.status(caught.value) == 400
        return
    plain, streamed = await caller.both(user("hello"), wish=wish)
    assert plain == streamed == told(caller, expected("hello", stop=(",",)))


@every_kind
@every_speaker
@pytest.mark.parametrize("text", ["refuse", "blocked"])
async def test_a_refusal_is_never_a_finished_answer(caller: Caller, text: str) -> None:
    """OpenAI's own refusal is a `refusal` beside a usual end; other formats say it by how the answer ends."""
    plain, streamed = await caller.both(user(text))
    assert plain == streamed and plain.text in ("", REFUSAL)
    own_words = caller.speaker.name in ("chat", "responses")
    if own_words and text == "refuse" and caller.kind in ("openai", "responses"):
        assert (plain.finish, plain.refusal) == (caller.speaker.finishes["stop"], REFUSAL)
    elif caller.speaker.name == "generate":
        assert plain.finish in ("SAFETY", "PROHIBITED_CONTENT")
    else:
        assert plain.finish == caller.speaker.finishes["refusal"]


async def test_callers_of_all_kinds_at_once_hear_what_is_theirs(callers: dict[str, Any]) -> None:
    async def hears(caller: Caller, count: int) -> None:
        plain, streamed = await caller.both(user(f"long:{count}"))
        assert plain == streamed == told(caller, expected(f"long:{count}"))

    every = [
        make(kind) for make in callers.values() for kind in ("openai", "responses", "anthropic", "gemini")
    ]
    await asyncio.gather(*(hears(caller, 5 + at) for at, caller in enumerate(every)))
