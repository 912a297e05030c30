"""Provider bytes from tests/fixtures/wire, and what each of them says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions, StreamPipe
from proxy_app.wire import CallFacts, Finish, Target, Usage

ROOT = Path(__file__).parents[2] / "fixtures" / "wire"
TEXT = "Hé" + "llo \u2028 world — 안녕 🌍!\n" + '"q"'
WEATHER = {"city": "Seoul", "days": 3}
SEARCH = {"q": 'a "b" é', "deep": {"n": [1, 2.5, None]}}
USAGE = Usage(1200, 1024, 100, None, 48, 32, 0, 0)
RESPONSES_USAGE = Usage(1200, 1024, 100, None, 48, 32)
CLAUDE_USAGE = Usage(1200, 1024, 100, 40, 48, 32)
GEMINI_USAGE = Usage(1200, 1024, None, None, 48, 32)


@dataclass(frozen=True)
class Told:
    """What a stream says, whatever its format."""

    text: str = ""
    thoughts: str = ""
    refusal: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    finish: Finish = Finish.STOP


def called(*names: str, ids: tuple[str, ...], text: str = "") -> Told:
    arguments = {"weather": WEATHER, "now": {}, "search": SEARCH}
    calls = [(call_id, name, arguments[name]) for call_id, name in zip(ids, names, strict=True)]
    return Told(text, calls=calls, finish=Finish.TOOL_CALLS)


ALL = ("weather", "now", "search")
STREAMS: dict[str, Told] = {
    "openai_chat/text": Told(TEXT),
    "openai_chat/text_usage_with_choices": Told(TEXT),
    "openai_chat/text_crlf": Told(TEXT, finish=Finish.LENGTH),
    "openai_chat/text_no_done": Told("Hi"),
    "openai_chat/tool_one": called("weather", ids=("call_a1",)),
    "openai_chat/tool_three": called(*ALL, ids=("call_a0", "call_a1", "call_a2")),
    "openai_chat/text_then_tool": called("weather", ids=("call_a0",), text="Let me look."),
    "openai_chat/tool_no_index": called("weather", "now", ids=("call_a0", "call_a1")),
    "openai_chat/tool_all_index_zero": called("weather", "now", ids=("call_a0", "call_a1")),
    "openai_chat/reasoning": Told("42", "Think hard."),
    "openai_chat/refusal": Told(refusal="I can't do that."),
    "openai_responses/text": Told(TEXT),
    "openai_responses/text_crlf": Told(TEXT, finish=Finish.LENGTH),
    "openai_responses/tool_one": called("weather", ids=("call_a1",)),
    "openai_responses/tool_three": called(*ALL, ids=("call_a0", "call_a1", "call_a2")),
    "openai_responses/text_then_tool": called("weather", ids=("call_a0",), text="Let me look."),
    "openai_responses/reasoning": Told("42", "Think hard."),
    "openai_responses/refusal": Told(refusal="I can't do that."),
    "openai_responses/filtered": Told("Hal", finish=Finish.CONTENT_FILTER),
    "openai_responses/cited": Told("See this."),
    "openai_responses/unusual": called("weather", ids=("call_a1",), text="42"),
    "anthropic/text": Told(TEXT),
    "anthropic/stop_sequence": Told("ab", finish=Finish.STOP_SEQUENCE),
    "anthropic/tool_one": called("weather", ids=("toolu_a1",)),
    "anthropic/tool_three": called(*ALL, ids=("toolu_a0", "toolu_a1", "toolu_a2")),
    "anthropic/text_then_tool": called("weather", ids=("toolu_a0",), text="Let me look."),
    "anthropic/reasoning": Told("42", "Think hard."),
    "anthropic/refusal": Told(refusal="That would be unsafe.", finish=Finish.CONTENT_FILTER),
    "gemini/text": Told(TEXT),
    "gemini/text_max_tokens": Told("Hello", finish=Finish.LENGTH),
    "gemini/tool_one": called("weather", ids=("call_rF1_0",)),
    "gemini/tool_three": called(*ALL, ids=("call_rF1_0", "call_rF1_1", "fn-7")),
    "gemini/text_then_tool": called("weather", ids=("call_rF1_0",), text="Let me look."),
    "gemini/reasoning": Told("42", "Think hard."),
    "gemini/blocked_prompt": Told(finish=Finish.CONTENT_FILTER),
    "gemini/blocked_answer": Told("Hal", finish=Finish.CONTENT_FILTER),
}
USAGES = {
    "openai_chat": USAGE,
    "openai_responses": RESPONSES_USAGE,
    "anthropic": CLAUDE_USAGE,
    "gemini": GEMINI_USAGE,
}
WITHOUT_FULL_USAGE = {"openai_chat/text_no_done", "gemini/blocked_prompt"}
OPTIONS = RenderOptions("public-model", "chatcmpl-ours", 1_790_000_001)


def read(name: str) -> bytes:
    return (ROOT / f"{name}.sse").read_bytes()


def expected_usage(name: str) -> Usage:
    return USAGES[name.partition("/")[0]]


def open_pipe(name: str, *, wants_usage: bool = True, inbound: str = "openai_chat") -> StreamPipe:
    """A pipe from the fixture's provider to a caller of the format `inbound`."""
    target = Target(name.partition("/")[0], "upstream-model")
    options = RenderOptions(OPTIONS.model, OPTIONS.answer_id, OPTIONS.created, wants_usage, 7)
    return exchange.open_pipe(inbound, target, CallFacts("m", True, wants_usage), options)


def run(pipe: StreamPipe, *chunks: bytes) -> bytes:
    return b"".join([pipe.feed(chunk) for chunk in chunks]) + pipe.finish()
