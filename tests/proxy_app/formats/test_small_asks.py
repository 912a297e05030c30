"""What a provider of another format is asked in other words: failures of tools, pictures they give, seeds,
and conversations in which nothing is said."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import BadRequest, InvalidBody
from proxy_app.formats.exchange import build_outgoing
from proxy_app.formats.registry import INBOUND
from proxy_app.wire import Address, Outgoing, Target

PNG = "data:image/png;base64,iVBORw0KGgo="


def build(caller: str, target: Target, body: dict[str, Any]) -> Outgoing:
    body = {"model": "public", **body}
    facts = INBOUND[caller].read_call(body, Address("public"))
    return build_outgoing(caller, target, orjson.dumps(body), body, facts)


def sent(caller: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
    return orjson.loads(build(caller, Target(provider, "m"), body).body)


# ---------------------------------------------------------------- results of tools


def failed(caller: str, text: str, *media: dict[str, Any], is_error: bool = True) -> dict[str, Any]:
    """A conversation in which a tool failed, or gave what it says."""
    if caller == "gemini":
        call = {"functionCall": {"id": "c1", "name": "look", "args": {}}}
        given = {"id": "c1", "name": "look", "response": {"error" if is_error else "output": text}}
        told = [{"role": "model", "parts": [call]}, {"parts": [{"functionResponse": given}]}]
        return {"contents": [{"parts": [{"text": "Hi"}]}, *told]}
    block = {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
    content = [{"type": "text", "text": text}, *media]
    result = {"type": "tool_result", "tool_use_id": "c1", "content": content, "is_error": is_error}
    said = [{"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]
    return {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}, *said]}


def told_to(provider: str, body: dict[str, Any]) -> Any:
    if provider == "openai_responses":
        return next(item["output"] for item in body["input"] if item["type"] == "function_call_output")
    return next(message["content"] for message in body["messages"] if message["role"] == "tool")


@pytest.mark.parametrize("provider", ["openai_chat", "openai_responses", "cohere"])
@pytest.mark.parametrize("caller", ["anthropic", "gemini"])
@pytest.mark.parametrize(
    ("text", "told"),
    [("no such file", "Error: no such file"), ("ERROR 7: gone", "ERROR 7: gone"), ("", "Error")],
)
def test_that_a_tool_failed_is_said_where_no_field_tells_it(
    caller: str, provider: str, text: str, told: str
) -> None:
    assert told_to(provider, sent(caller, provider, failed(caller, text))) == told
    assert told_to(provider, sent(caller, provider, failed(caller, text, is_error=False))) == text


def test_a_failure_that_shows_a_picture_is_said_beside_it() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    body = failed("anthropic", "no such page", {"type": "image", "source": source})
    text, picture = told_to("openai_responses", sent("anthropic", "openai_responses", body))
    assert text == {"type": "input_text", "text": "Error: no such page"}
    assert picture["type"] == "input_image"


def looked(*parts: dict[str, Any]) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [*parts]},
        ]
    }


def test_a_picture_that_a_tool_gave_a_chat_caller_goes_on() -> None:
    body = looked({"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}})
    (result,) = sent("openai_chat", "anthropic", body)["messages"][-1]["content"]
    assert result["type"] == "tool_result"
    assert [block["type"] for block in result["content"]] == ["text", "image"]
    (response,) = sent("openai_chat", "gemini", body)["contents"][-1]["parts"]
    assert "inlineData" in response["functionResponse"]["parts"][0]


def test_what_a_tool_may_not_give_is_refused_as_a_tools() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
    with pytest.raises(BadRequest, match="in a message of the role 'tool'") as refused:
        sent("openai_chat", "anthropic", looked(part))
    assert refused.value.param == "messages[2].content[0]"


# ---------------------------------------------------------------- nothing said


def silent(caller: str, *before: dict[str, Any]) -> dict[str, Any]:
    match caller:
        case "openai_chat":
            return {"messages": [*before, {"role": "user", "content": ""}]}
        case "openai_responses":
            return {"input": [*before, {"role": "user", "content": ""}]}
        case "anthropic":
            return {"max_tokens": 9, "messages": [{"role": "user", "content": ""}]}
        case "openai_completions":
            return {"prompt": ""}
    return {"contents": [{"parts": [{"text": ""}]}]}


PLACES = {
    "openai_chat": "messages",
    "openai_responses": "input",
    "anthropic": "messages",
    "gemini": "contents",
    "openai_completions": "prompt",
}


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "bedrock_converse"])
@pytest.mark.parametrize("caller", PLACES)
def test_a_conversation_in_which_nothing_is_said_is_refused_in_the_callers_words(
    caller: str, provider: str
) -> None:
    if caller == provider:
        return
    with pytest.raises(InvalidBody) as refused:
        sent(caller, provider, silent(caller))
    place = PLACES[caller]
    assert (refused.value.param, refused.value.detail) == (place, f"There is nothing to answer in '{place}'.")


@pytest.mark.parametrize("caller", ["openai_chat", "openai_responses"])
def test_instructions_alone_before_an_empty_question_are_nothing_to_answer(caller: str) -> None:
    with pytest.raises(InvalidBody, match="nothing to answer"):
        sent(caller, "anthropic", silent(caller, {"role": "system", "content": "Be brief."}))
