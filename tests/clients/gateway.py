"""The Gatehouse that the clients' tests call: four kinds of provider, their strange ways and their faults."""

import json
from dataclasses import dataclass
from typing import Any

import openai

from tests.clients.speaking import SPEAKERS
from tests.mocking import MockThread
from tests.serving import Serving
from tests.upstream.script import Asked, Script, script_for
from tests.upstream.sdks import Place, openai_client

#: Kinds of provider: what each is called on, and how LiteLLM's file names its models.
KINDS = {
    "openai": "openai/gpt",
    "responses": "openai/responses/gpt",
    "anthropic": "anthropic/claude",
    "gemini": "gemini/gemini",
}
WAYS = ("usage-with-choices", "no-done", "split", "comments")
FAULTS = ("400", "404", "422", "429", "500", "503", "529", "401", "quota", "context", "html", "connect")
#: Who is told of a fault: each a model of its own, since a failure cools its deployment.
FAULT_WAYS = ("plain", *(f"{who}-{how}" for who in SPEAKERS for how in ("plain", "stream")))
NODE_FAULTS = ("400", "401", "429")
#: Others whose streams are cut, by what they ask with.
CUT_FOR = {
    "node": ("chat", "responses", "messages"),
    "llm": ("Chat", "Responses"),
    "langchain": ("by_chat", "by_responses", "by_messages", "by_generate"),
    "pydantic-ai": ("by_chat", "by_responses", "by_messages", "by_generate"),
}
#: What coding agents ask for where no model is named, and a name that they do not know: the sandbox answers.
AGENTS_ASK_FOR = ("claude-*", "gpt-5.6-sol", "sandbox")
#: With a pause between chunks: a fault that comes in one read with the first content is before it.
STREAM_FAULTS = ("inband", "inband-first", "cut", "reset", "badjson")

#: Dollars a token, as LiteLLM's file says them.
PRICE = {
    "input_cost_per_token": 1e-6,
    "output_cost_per_token": 4e-6,
    "cache_read_input_token_cost": 1e-7,
    "cache_creation_input_token_cost": 1.25e-6,
}
INPUT, OUTPUT, CACHE_READ, CACHE_WRITE = 1000, 4000, 100, 1250  # the same in nanodollars


def config(up: MockThread) -> str:
    """A LiteLLM file. Each fault is a model of its own, so that no fault cools another's deployment."""
    words = ["mock", *(f"mock-{way}" for way in WAYS)]
    words += [f"{way}-fault-{fault}" for fault in FAULTS for way in FAULT_WAYS]
    for who in ("", *(f"{speaker}-" for speaker in SPEAKERS), *(f"wire-{speaker}-" for speaker in SPEAKERS)):
        words += [f"{who}fault-{fault}-interval-10" for fault in STREAM_FAULTS]
    words += [f"{name}-{by}-fault-cut-interval-10" for name, ways in CUT_FOR.items() for by in ways]
    for by in CUT_FOR["node"]:
        words += [f"node-{by}-{how}-fault-{fault}" for how in ("plain", "stream") for fault in NODE_FAULTS]
    models = [_model(up, kind, word) for kind in KINDS for word in words]
    models += [
        {"model_name": name, "litellm_params": {"model": "sandbox/sandbox"}} for name in AGENTS_ASK_FOR
    ]
    return json.dumps({"model_list": models})


def _model(up: MockThread, kind: str, word: str) -> dict[str, Any]:
    provider = "openai" if kind == "responses" else kind
    params = {
        "model": f"{KINDS[kind]}-{word}",
        "api_base": up.urls[provider],
        "api_key": up.credentials[provider],
        "timeout": 60,
        **PRICE,
    }
    return {"model_name": f"{kind}-{word}", "litellm_params": params}


@dataclass(frozen=True)
class Gate:
    """A running Gatehouse, the mock behind it, and a key."""

    server: Serving
    up: MockThread
    key: str

    @property
    def place(self) -> Place:
        return Place("openai", f"{self.server.url}/v1", self.key)

    def client(self, **options: Any) -> openai.AsyncOpenAI:
        return openai_client(self.place, **options)

    def blocking_client(self, **options: Any) -> openai.OpenAI:
        settings = {"base_url": self.place.base_url, "api_key": self.key, "max_retries": 0, **options}
        return openai.OpenAI(**settings)


def expected(text: str, **asked: Any) -> Script:
    """What the mock's script for a text says."""
    return script_for(Asked(model="mock", last_text=text, **asked))


def cost(kind: str, script: Script) -> int:
    """What the scripted usage costs, in nanodollars. Gemini tells no cache writes."""
    usage = script.usage
    written = 0 if kind == "gemini" else usage.cache_write_tokens
    fresh = usage.input_tokens - usage.cache_read_tokens - written
    return (
        fresh * INPUT
        + usage.cache_read_tokens * CACHE_READ
        + written * CACHE_WRITE
        + usage.output_tokens * OUTPUT
    )


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}
