"""Servers of Chat Completions that want back what they thought, unsigned, with the calls it led to."""

from typing import Any

import orjson
import pytest

from proxy_app.formats.exchange import build_outgoing
from proxy_app.formats.registry import INBOUND
from proxy_app.providers.presets import PRESETS
from proxy_app.wire import Address, Answer, Finish, Part, Target, Text, Thinking, ToolCall
from tests.proxy_app.formats.test_pairs_identity import over_the_wire
from tests.proxy_app.formats.test_pairs_signatures import GOES_ON, OPTIONS

CALL = ToolCall("call_1", "look", "{}")
#: By other formats than the provider's own, which is relayed.
CALLERS = ("openai_responses", "anthropic", "gemini")


def goes_on(caller: str, parts: list[Part], quirks: dict[str, Any]) -> dict[str, Any]:
    """The message of the assistant that a provider is sent when its answer comes back."""
    told = INBOUND[caller].render_answer(Answer("a", "m", parts, Finish.TOOL_CALLS), OPTIONS)
    body = GOES_ON[caller](over_the_wire(told)) | {"model": "public-model"}
    facts = INBOUND[caller].read_call(body, Address("public-model"))
    target = Target("openai_chat", "deepseek-v4-pro", quirks)
    messages = orjson.loads(build_outgoing(caller, target, orjson.dumps(body), body, facts).body)["messages"]
    (said,) = (message for message in messages if message["role"] == "assistant")
    return dict(said)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    ("parts", "thought"),
    [
        ([Thinking("Let me look."), CALL], "Let me look."),
        ([CALL], ""),  # refused where it is missing
        ([Thinking("Claude's", "c2lnbmVk", provider="anthropic"), CALL], ""),
        ([Thinking("It is late."), Text("Late.")], "It is late."),
        ([Text("Late.")], None),
    ],
)
def test_deepseek_gets_back_what_it_thought(caller: str, parts: list[Part], thought: str | None) -> None:
    assert goes_on(caller, parts, dict(PRESETS["deepseek"].quirks)).get("reasoning_content") == thought


@pytest.mark.parametrize("caller", CALLERS)
def test_others_are_sent_no_field_that_they_do_not_know(caller: str) -> None:
    assert "reasoning_content" not in goes_on(caller, [Thinking("Let me look."), CALL], {})
