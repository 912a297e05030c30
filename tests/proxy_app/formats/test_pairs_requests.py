"""For each caller's format and each provider's: what both can ask comes through translation unchanged."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_project.errors import GatehouseError
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.wire import (
    Address,
    Audio,
    Conversation,
    File,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tests.proxy_app.formats.asking import BY_BUDGET, BY_WORDS, CLOSED, EFFORTS, TIERS, plain, requests
from tests.proxy_app.formats.asking_holes import HOLES
from tests.proxy_app.formats.asking_spellings import respelt
from tests.proxy_app.formats.asking_turns import CACHED
from tests.proxy_app.formats.saying import FORMATS, PAIRS

#: Beneath these names stands what the caller or the model wrote.
SCHEMAS_AND_VALUES = frozenset(
    {"parameters", "input_schema", "schema", "parametersJsonSchema", "responseJsonSchema", "args"}
)


def asked_by(name: str, conversation: Conversation, *, otherwise: bool = False) -> Conversation:
    """A request written for a provider of a format and read again from a caller of that format, who may
    spell it otherwise."""
    style = {"thinking_style": "budget"} if conversation.model == BY_BUDGET else {}
    if name == "openai_chat":
        style["family"] = "openai"  # others are offered the allowed tools alone
    sent = UPSTREAM[name].build_request(conversation, Target(name, conversation.model, style))
    assert isinstance(sent.body, bytes)
    body = orjson.loads(sent.body)
    assert not [field for field, value in body.items() if value in ([], {})] and not has_null(body)
    spelt = respelt(name, body) if otherwise else body
    facts = INBOUND[name].read_call(spelt, address(sent.path) if name == "gemini" else Address())
    assert facts.wants_usage or not facts.stream
    return INBOUND[name].parse_request(spelt, facts)


def has_null(value: Any) -> bool:
    """Whether a field says nothing, which strict servers refuse; an assistant's content alone may."""
    if isinstance(value, list):
        return any(has_null(one) for one in value)
    if not isinstance(value, dict):
        return False
    own = {name: inner for name, inner in value.items() if name not in SCHEMAS_AND_VALUES}
    own.pop(
        {"assistant": "content", "tool_use": "input"}.get(value.get("role") or value.get("type"), ""), None
    )
    return any(inner is None or has_null(inner) for inner in own.values())


def address(path: str) -> Address:
    """What the address of a Gemini call asks for."""
    model, _, verb = unquote(path).rpartition(":")
    return Address(model.rpartition("/")[2], verb.startswith("stream"), {"alt": "sse"})


@pytest.mark.parametrize("pair", PAIRS, ids="->".join)
@settings(max_examples=40)
@given(st.data())
def test_a_request_both_formats_can_say_comes_through_unchanged(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    caller, provider = pair
    asked = data.draw(requests(pair))
    wanted, otherwise = plain(asked, pair), data.draw(st.booleans())
    assert plain(asked_by(provider, asked_by(caller, asked, otherwise=otherwise)), pair) == wanted


# ---------------------------------------------------------------- the holes are these and no others

Made = Conversation | Callable[[str], Conversation]
FAMILY = {"openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
GO = Turn("user", [Text("go on")])
CALL = ToolCall("c1", "look", '{"a":1}')
PICTURE = Image(None, "AAAA", "image/png")


def with_turns(*turns: Turn, model: str = BY_WORDS, **more: Any) -> Conversation:
    """A request that every format can say, but for what is given here."""
    more.setdefault("max_output_tokens", 9999)
    return Conversation(model, list(turns), **more)


def asking(**more: Any) -> Conversation:
    return with_turns(GO, **more)


def saying(*parts: Part) -> Conversation:
    return with_turns(Turn("user", list(parts)))


def answering(*parts: Part) -> Conversation:
    return with_turns(GO, Turn("assistant", list(parts)), GO)


def giving(*parts: Part, is_error: bool = False) -> Conversation:
    given = ToolResult("c1", list(parts), "look", is_error)
    return with_turns(GO, Turn("assistant", [CALL]), Turn("user", [given]))


def offering(*names: str, **more: Any) -> Conversation:
    return asking(tools=[Tool(name, None, {"type": "object"}) for name in names or ("a",)], **more)


def thought(name: str, **more: Any) -> Thinking:
    return Thinking("hm", "AAAA", provider=FAMILY.get(name, "openai"), **more)


def sampled(**more: Any) -> Conversation:
    return asking(sampling=Sampling(**more))


def thinking(*args: Any, **more: Any) -> Conversation:
    return asking(reasoning=Reasoning(*args), **more)


FORCED = ToolChoice("required")
PROBES: dict[str, Made] = {
    "nothing more": asking(),
    "several instructions": with_turns(Turn("system", [Text("a"), Text("b")]), GO),
    "instructions in mid-conversation": with_turns(GO, Turn("system", [Text("a")]), GO),
    "turns of one role in a row": with_turns(GO, GO),
    "cache marks": saying(Text("a", CACHED)),
    "detail of images": saying(Image("https://x.test/a.png", detail="low")),
    "images by an address that tells no type": saying(Image("https://x.test/a")),
    "images of rarer types": saying(Image(None, "AAAA", "image/heic")),
    "media by plain http": saying(Image("http://x.test/a.png")),
    "files by address": saying(File("https://x.test/a.pdf", None, "application/pdf")),
    "names of files by address": saying(File("https://x.test/a.pdf", None, "application/pdf", "a")),
    "files by an address of any type": saying(File("https://x.test/a")),
    "files by id": saying(File(file_id="file-a")),
    "files other than PDFs": lambda name: saying(
        File(None, "AAAA", "text/plain", None if name == "gemini" else "a.txt")
    ),
    "names of files": saying(File(None, "AAAA", "application/pdf", "a.pdf")),
    "files without a name": saying(File(None, "AAAA", "application/pdf")),
    "sounds": saying(Audio("AAAA", "audio/wav")),
    "sounds of rarer types": saying(Audio("AAAA", "audio/ogg")),
    "parts in any order": answering(CALL, Text("a")),
    "texts side by side": answering(Text("a"), Text("b")),
    "refusals": answering(Refusal("no")),
    "thoughts of openai": answering(Thinking("a", "AAAA", provider="openai"), Text("a")),
    "thoughts of anthropic": answering(Thinking("a", "AAAA", provider="anthropic"), Text("a")),
    "thoughts of gemini": answering(Thinking("a", "AAAA", provider="gemini"), Text("a")),
    "thoughts of nobody": answering(Thinking("a"), Text("a")),
    "thoughts blacked out": lambda name: answering(
        Thinking("", redacted="AAAA", provider=FAMILY.get(name)), Text("a")
    ),
    "thoughts at the end": lambda name: answering(Text("a"), thought(name)),
    "ids of thoughts": lambda name: answering(thought(name, id="rs_1"), Text("a")),
    "signatures of calls": answering(replace(CALL, signature="AAAA")),
    "several texts in a result": giving(Text("a"), Text("b")),
    "media in a result": giving(Text("a"), PICTURE),
    "parts of a result in any order": giving(PICTURE, Text("a")),
    "failed results": giving(Text("a"), is_error=True),
    "tools without a schema": asking(tools=[Tool("a")]),
    "strict tools": asking(tools=[Tool("a", None, CLOSED, True)]),
    "strict tools with properties that may be missing": asking(
        tools=[Tool("a", None, {**CLOSED, "required": []}, True)]
    ),
    "some of the tools": offering("a", "b", "c", tool_choice=ToolChoice("required", ("a", "b"))),
    "a free choice of some tools": offering("a", "b", tool_choice=ToolChoice("auto", ("a",))),
    "one call at a time": offering(tool_choice=ToolChoice("auto"), parallel_tools=False),
    "that alone": offering(parallel_tools=False),
    "JSON mode": with_turns(Turn("user", [Text("as json")]), output=OutputFormat("json")),
    "JSON mode without the word": asking(output=OutputFormat("json")),
    "the name of a schema": asking(output=OutputFormat("schema", {"type": "object"}, "n", True, "d")),
    "temperatures above 1": sampled(temperature=1.5),
    "top_k": sampled(top_k=4),
    "seed": sampled(seed=4),
    "frequency_penalty": sampled(frequency_penalty=0.5),
    "presence_penalty": sampled(presence_penalty=0.5),
    "stop": sampled(stop=["a", "b"]),
    "n": sampled(n=2),
    "logprobs": sampled(logprobs=True),
    "top_logprobs": sampled(top_logprobs=2),
    "logit_bias": sampled(logit_bias={"1": 5}),
    "no limit": asking(max_output_tokens=None),
    "a limit below 16": asking(max_output_tokens=15),
    "a budget of thoughts": thinking(None, 2000, model=BY_BUDGET),
    "a budget below 1024": thinking(None, 5, model=BY_BUDGET),
    **{f"effort {word}": thinking(word) for word in EFFORTS},
    "thoughts shown": thinking("low", None, True),
    "thoughts hidden": thinking("low", None, False),
    "thoughts as the model likes": thinking(),
    "thoughts before a forced tool": offering(tool_choice=FORCED, reasoning=Reasoning("low")),
    "thoughts after unsigned calls": replace(giving(Text("a")), reasoning=Reasoning("low")),
    "verbosity": asking(verbosity="low"),
    **{f"tier {word}": asking(service_tier=word) for word in TIERS},
    "end user": asking(end_user="anna"),
    "metadata": asking(metadata={"a": "b"}),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("what", PROBES)
def test_a_hole_is_where_a_format_loses_it_and_nowhere_else(what: str, name: str) -> None:
    made = PROBES[what]
    asked = made(name) if callable(made) else made
    try:
        came_through = plain(asked_by(name, asked), ()) == plain(asked, ())
    except GatehouseError:
        came_through = False
    assert came_through == ((what, name) not in HOLES)


def test_each_hole_is_a_formats_and_says_why() -> None:
    for (what, name), reason in HOLES.items():
        assert what in PROBES and name in FORMATS and reason
