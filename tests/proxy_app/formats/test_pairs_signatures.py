"""What a provider signed comes back to it, whatever format its caller speaks and sends the answer back in."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.signatures import own_signature
from proxy_app.formats.registry import INBOUND
from proxy_app.formats.signing import gather, give_back
from proxy_app.wire import Address, Answer, Conversation, Part, Thinking, ToolCall
from tests.proxy_app.formats.saying import CREATED, FAMILY, FORMATS, answers
from tests.proxy_app.formats.test_pairs_identity import over_the_wire, told_by

JSON = dict[str, Any]
OPTIONS = RenderOptions("public-model", "resp_ours", CREATED)
HELLO: Final = {"role": "user", "content": "Hi"}

#: How a caller goes on from an answer: it sends back what the assistant said, as it came.
GOES_ON: Final[dict[str, Callable[[JSON], JSON]]] = {
    "openai_chat": lambda told: {"messages": [HELLO, told["choices"][0]["message"], HELLO]},
    "openai_responses": lambda told: {"input": [HELLO, *told["output"], HELLO]},
    "anthropic": lambda told: {
        "max_tokens": 9,
        "messages": [HELLO, {"role": "assistant", "content": told["content"]}, HELLO],
    },
    "gemini": lambda told: {
        "contents": ["Hi", *(one["content"] for one in told.get("candidates", ())), "Go on"]
    },
}


def sent_back(caller: str, answer: Answer) -> Conversation:
    body = GOES_ON[caller](over_the_wire(INBOUND[caller].render_answer(answer, OPTIONS)))
    body |= {"model": "public-model"}
    form = INBOUND[caller]
    return form.parse_request(body, form.read_call(body, Address("public-model")))


def signed(parts: list[Part]) -> list[Thinking]:
    return [
        Thinking(part.text, part.signature, part.redacted, part.provider)
        for part in parts
        if isinstance(part, Thinking) and (part.signature or part.redacted)
    ]


def called(conversation: Conversation) -> list[tuple[str, str | None]]:
    """Each call with the signature that Gemini gave it."""
    calls = [part for part in said(conversation) if isinstance(part, ToolCall)]
    return [(call.id, own_signature(call.signature)) for call in calls]


def said(conversation: Conversation) -> list[Part]:
    return [part for turn in conversation.turns for part in turn.parts]


@pytest.mark.parametrize("provider", FAMILY)
@pytest.mark.parametrize("caller", FORMATS)
@settings(max_examples=40)
@given(st.data())
def test_thoughts_and_calls_come_back_as_they_were_signed(
    caller: str, provider: str, data: st.DataObject
) -> None:
    answer = data.draw(answers((provider, provider)))
    told = told_by(provider, answer)
    conversation = sent_back(caller, told)
    assert signed(said(conversation)) == signed(answer.parts)
    wanted = [(part.id, part.signature) for part in answer.parts if isinstance(part, ToolCall)]
    if caller in ("openai_chat", "gemini"):
        assert called(conversation) == wanted
    give_back(conversation, gather(told.parts))  # what other formats have no field for was kept
    assert called(conversation) == wanted
