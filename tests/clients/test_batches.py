"""The official SDK with files and batches, against the built-in sandbox: no key of any provider."""

import json
import time

import openai
import pytest

from tests.clients.gateway import Gate

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


def charged(gate: Gate, request_id: str) -> int:
    """What the batch cost, once that is known."""
    give_up = time.monotonic() + 30
    while not (row := gate.server.row(request_id))["cost_nanodollars"]:
        assert time.monotonic() < give_up, row
        time.sleep(0.05)
    assert (row["endpoint"], row["status"]) == ("batches", "ok")
    return int(row["cost_nanodollars"])
