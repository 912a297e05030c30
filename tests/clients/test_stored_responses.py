"""The official SDK with answers that a provider keeps: its own methods, its own types."""

import openai
import pytest

from tests.clients.gateway import Gate, cost, expected

MODEL = "responses-mock"


async def test_an_answer_is_kept_gone_on_from_listed_and_deleted(gate: Gate) -> None:
    async with gate.client() as client:
        made = await client.responses.create(model=MODEL, input="hello")
        found = await client.responses.retrieve(made.id)
        asked = await client.responses.input_items.list(made.id, limit=5)
        after = await client.responses.create(model=MODEL, input="hello", previous_response_id=made.id)
        assert found.output_text == made.output_text == expected("hello").text
        assert [item.role for item in asked.data] == ["user"]  # type: ignore[union-attr]
        assert after.previous_response_id == made.id
        await client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)


async def test_another_owner_cannot_tell_that_it_is_there(gate: Gate) -> None:
    stranger = gate.server.new_key(name="stranger")  # of no service and no user, as `gate.key` is
    async with gate.client() as client, gate.client(api_key=stranger) as other:
        made = await client.responses.create(model=MODEL, input="hello")
        with pytest.raises(openai.NotFoundError):
            await other.responses.retrieve(made.id)
        with pytest.raises(openai.BadRequestError) as refused:
            await other.responses.create(model=MODEL, input="hello", previous_response_id=made.id)
        assert refused.value.code == "previous_response_not_found"


async def test_one_in_the_background_is_polled_and_charged_when_it_is_done(gate: Gate) -> None:
    async with gate.client() as client:
        raw = await client.responses.with_raw_response.create(model=MODEL, input="hello", background=True)
        made = raw.parse()
        assert made.status == "queued"
        # The connection is free for the next request at once.
        while made.status in ("queued", "in_progress"):
            made = await client.responses.retrieve(made.id)
        assert made.output_text == expected("hello").text
    row = gate.server.row(raw.headers["x-request-id"])
    assert (row["status"], row["cost_nanodollars"]) == ("ok", cost("responses", expected("hello")))
