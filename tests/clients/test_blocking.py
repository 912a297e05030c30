"""The blocking clients of the official Python SDKs before every kind of provider, as scripts use them."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from tests.clients.gateway import KINDS, Gate, expected
from tests.upstream.sdks import TLS

Telling = Callable[[Gate, str, str], tuple[str, str]]


def chat(gate: Gate, model: str, text: str) -> tuple[str, str]:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": text}]}
    with _openai(gate) as client:
        plain = client.chat.completions.create(**asked)
        with client.chat.completions.stream(**asked) as events:
            streamed = events.get_final_completion()
    return str(plain.choices[0].message.content), str(streamed.choices[0].message.content)


def responses(gate: Gate, model: str, text: str) -> tuple[str, str]:
    with _openai(gate) as client:
        plain = client.responses.create(model=model, input=text)
        with client.responses.stream(model=model, input=text) as events:
            streamed = events.get_final_response()
    return plain.output_text, streamed.output_text


def messages(gate: Gate, model: str, text: str) -> tuple[str, str]:
    asked: Any = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    http_client = anthropic.DefaultHttpxClient(verify=TLS)
    with anthropic.Anthropic(base_url=gate.server.url, api_key=gate.key, http_client=http_client) as client:
        plain: Any = client.messages.create(**asked)
        with client.messages.stream(**asked) as events:
            streamed = events.get_final_text()
    return plain.content[0].text, streamed


def generate(gate: Gate, model: str, text: str) -> tuple[str, str]:
    client = genai.Client(api_key=gate.key, http_options={"base_url": gate.server.url})
    try:
        plain = client.models.generate_content(model=model, contents=text)
        chunks: Iterator[Any] = client.models.generate_content_stream(model=model, contents=text)
        return str(plain.text), "".join(chunk.text or "" for chunk in chunks)
    finally:
        client.close()


def _openai(gate: Gate) -> openai.OpenAI:
    return gate.blocking_client(http_client=openai.DefaultHttpxClient(verify=TLS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "telling", [chat, responses, messages, generate], ids=lambda telling: telling.__name__
)
def test_the_blocking_client_hears_whole_and_streamed(gate: Gate, telling: Telling, kind: str) -> None:
    assert telling(gate, f"{kind}-mock", "hello") == (expected("hello").text,) * 2
