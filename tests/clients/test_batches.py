"""The official SDKs with files and batches, against the built-in sandbox: no key of any provider."""

import json
import time
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from tests.clients.gateway import Gate
from tests.upstream.sdks import Place, anthropic_client

BODY = {"model": "sandbox", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}


def lines() -> bytes:
    asked = {"method": "POST", "url": "/v1/chat/completions", "body": BODY}
    return b"".join(json.dumps({"custom_id": name, **asked}).encode() + b"\n" for name in ("one", "two"))


async def test_a_batch_runs_from_its_file_to_its_result(gate: Gate) -> None:
    stranger = gate.server.new_key(name="stranger to batches")
    async with gate.client() as client, gate.client(api_key=stranger) as other:
        file = await client.files.create(file=("lines.jsonl", lines()), purpose="batch")
        assert (file.filename, file.purpose) == ("lines.jsonl", "batch")
        raw = await client.batches.with_raw_response.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        batch = raw.parse()
        assert batch.status == "validating"
        assert (await client.batches.retrieve(batch.id)).status == "in_progress"
        batch = await client.batches.retrieve(batch.id)
        assert batch.status == "completed"
        one = await client.chat.completions.with_raw_response.create(**BODY)  # type: ignore[call-overload]
        assert batch.request_counts is not None
        assert (batch.request_counts.total, batch.request_counts.failed) == (2, 0)
        assert batch.output_file_id is not None
        result = (await client.files.content(batch.output_file_id)).text
        answers = [json.loads(line) for line in result.splitlines()]
        assert [answer["custom_id"] for answer in answers] == ["one", "two"]
        assert all(answer["response"]["body"]["choices"] for answer in answers)
        assert [each.id async for each in client.batches.list()] == [batch.id]
        assert {each.id async for each in client.files.list()} == {file.id, batch.output_file_id}
        for question in (other.files.retrieve(file.id), other.batches.retrieve(batch.id)):
            with pytest.raises(openai.NotFoundError):
                await question
        assert (await client.files.delete(file.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve(file.id)
    alone = gate.server.row(one.headers["x-request-id"])["cost_nanodollars"]
    # Two lines at half the price cost what one call by itself does.
    assert charged(gate, raw.headers["x-request-id"]) == alone


async def test_a_batch_of_messages_runs_from_its_requests_to_its_results(gate: Gate) -> None:
    stranger = gate.server.new_key(name="stranger to message batches")
    place = Place("anthropic", gate.server.url, gate.key)
    async with anthropic_client(place) as client, anthropic_client(replace(place, key=stranger)) as other:
        kept = client.messages.batches
        requests: Any = [{"custom_id": name, "params": BODY} for name in ("one", "two")]
        raw = await kept.with_raw_response.create(requests=requests)
        batch = await raw.parse()
        assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
        assert (await kept.retrieve(batch.id)).processing_status == "in_progress"
        ended = await kept.retrieve(batch.id)
        assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 2)
        assert ended.results_url is not None
        assert ended.results_url.startswith(gate.server.url)
        results = {each.custom_id: each.result async for each in await kept.results(batch.id)}
        assert set(results) == {"one", "two"}
        for result in results.values():
            assert result.type == "succeeded"
            assert result.message.usage.output_tokens > 0
        assert batch.id in [each.id async for each in kept.list(limit=1)]
        with pytest.raises(anthropic.NotFoundError):
            await other.messages.batches.retrieve(batch.id)
        alone = await client.messages.with_raw_response.create(**BODY)  # type: ignore[call-overload]
        # Two requests at half the price cost what one call by itself does.
        one = gate.server.row(alone.headers["x-request-id"])["cost_nanodollars"]
        assert charged(gate, raw.headers["x-request-id"], "messages.batches") == one
        assert (await kept.delete(batch.id)).type == "message_batch_deleted"
        cancelled = await kept.cancel((await kept.create(requests=requests)).id)
        assert (cancelled.processing_status, cancelled.request_counts.canceled) == ("ended", 2)
        with pytest.raises(anthropic.NotFoundError):
            await kept.retrieve(batch.id)


def charged(gate: Gate, request_id: str, endpoint: str = "batches") -> int:
    """What the batch cost, once that is known."""
    give_up = time.monotonic() + 30
    while not (row := gate.server.row(request_id))["cost_nanodollars"]:
        assert time.monotonic() < give_up, row
        time.sleep(0.05)
    assert (row["endpoint"], row["status"]) == (endpoint, "ok")
    return int(row["cost_nanodollars"])
