"""The official SDK at a provider's own address behind the gateway: whole, streamed, and other endpoints."""

import httpx
import openai
import pytest

from tests.clients.gateway import Gate, cost, expected, user
from tests.upstream.sdks import TLS, Place, openai_client


async def test_the_sdk_speaks_with_the_provider_itself(gate: Gate) -> None:
    providers = gate.server.call("GET", "/api/v1/providers/")[2]["results"]
    name = next(each["name"] for each in providers if each["name"].startswith("openai"))
    key = gate.server.new_key(name="passes", endpoints=["*", "passthrough"])
    place = Place("openai", f"{gate.server.url}/{name}/v1", key)
    async with openai_client(place) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="gpt-mock", messages=[user("hello")]
        )
        stream = await client.chat.completions.create(model="gpt-mock", messages=[user("hello")], stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        models = [model.id async for model in client.models.list()]
    assert raw.parse().choices[0].message.content == "".join(words) == expected("hello").text
    assert models
    row = gate.server.row(raw.headers["x-request-id"])
    assert (row["endpoint"], row["model"], row["provider"]) == ("passthrough", "gpt-mock", name)
    usage = expected("hello").usage
    told = (row["usage_source"], row["input_tokens"], row["cache_read_tokens"], row["output_tokens"])
    assert told == ("provider", usage.input_tokens, usage.cache_read_tokens, usage.output_tokens)
    assert row["cost_nanodollars"] == cost("openai", expected("hello"))
    async with gate.client(base_url=f"{gate.server.url}/{name}/v1") as narrow:
        with pytest.raises(openai.PermissionDeniedError):
            await narrow.models.list()


async def test_a_stream_that_the_provider_cuts_does_not_look_finished(gate: Gate) -> None:
    providers = gate.server.call("GET", "/api/v1/providers/")[2]["results"]
    name = next(each["name"] for each in providers if each["name"].startswith("openai"))
    key = gate.server.new_key(name="hears a cut", endpoints=["*", "passthrough"])
    body = {"model": "gpt-fault-cut-interval-10", "messages": [user("hello")], "stream": True}
    headers = {"authorization": f"Bearer {key}"}
    url = f"{gate.server.url}/{name}/v1/chat/completions"
    async with (
        httpx.AsyncClient(verify=TLS) as client,
        client.stream("POST", url, json=body, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await answer.aread()
    row = gate.server.row(answer.headers["x-request-id"])
    assert (row["status"], row["error_code"]) == ("truncated", "upstream_cut")
