"""Anthropic's and Google's SDKs with their own Files APIs: each in its own types, each owner by itself."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.clients.connecting import quiet
from tests.clients.gateway import Gate, expected
from tests.upstream.sdks import Place, anthropic_client, gemini_client

CONTENT = b"what the file says\n" * 1000


@pytest.fixture
def stranger(gate: Gate) -> str:
    return gate.server.new_key(name="stranger to files")


@asynccontextmanager
async def google(gate: Gate, key: str) -> AsyncIterator[genai.Client]:
    client = gemini_client(Place("gemini", gate.server.url, key))
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


async def test_anthropic_s_files_are_brought_shown_named_and_deleted(gate: Gate, stranger: str) -> None:
    place = Place("anthropic", gate.server.url, gate.key)
    async with anthropic_client(place) as client, anthropic_client(replace(place, key=stranger)) as other:
        made = [
            await client.beta.files.upload(file=(f"{number}.txt", CONTENT, "text/plain"))
            for number in range(3)
        ]
        file = made[0]
        assert (file.type, file.filename, file.size_bytes) == ("file", "0.txt", len(CONTENT))
        assert await client.beta.files.retrieve_metadata(file.id) == file
        assert await (await client.beta.files.download(file.id)).read() == CONTENT
        listed = [each.id async for each in client.beta.files.list(limit=2)]
        assert listed == [each.id for each in reversed(made)]
        page = await client.beta.files.list(ids=[file.id, "file_of_nobody"])
        assert [each.id for each in page.data] == [file.id]
        answer = await client.beta.messages.create(**asks(file.id))
        assert answer.content[0].text == expected("hello").text  # type: ignore[union-attr]
        sent = gate.up.mock.seen[-1]
        assert sent.body["messages"][0]["content"][0]["source"]["file_id"] == file.id
        assert [each.id async for each in other.beta.files.list()] == []
        for refused in (
            other.beta.files.retrieve_metadata(file.id),
            other.beta.files.download(file.id),
            other.beta.files.delete(file.id),
            other.beta.messages.create(**asks(file.id)),
        ):
            with pytest.raises(anthropic.NotFoundError) as told:
                await refused
            assert told.value.type == "not_found_error"
        assert (await client.beta.files.delete(file.id)).type == "file_deleted"
        with pytest.raises(anthropic.NotFoundError):
            await client.beta.files.retrieve_metadata(file.id)


def asks(file_id: str) -> dict[str, Any]:
    document = {"type": "document", "source": {"type": "file", "file_id": file_id}}
    content = [document, {"type": "text", "text": "hello"}]
    return {
        "model": "anthropic-mock",
        "max_tokens": 100,
        "betas": ["files-api-2025-04-14"],
        "messages": [{"role": "user", "content": content}],
    }


@quiet
async def test_google_s_files_are_brought_shown_named_and_deleted(
    gate: Gate, stranger: str, tmp_path: Path
) -> None:
    async with google(gate, gate.key) as client, google(gate, stranger) as other:
        path = tmp_path / "a.txt"
        path.write_bytes(CONTENT)
        whole = b"x" * (9 * 1024 * 1024)  # more than the SDK sends at once
        named = types.UploadFileConfig(display_name="mine", mime_type="text/plain")
        made = [
            await client.aio.files.upload(file=str(path)),
            await asyncio.to_thread(client.files.upload, file=io.BytesIO(whole), config=named),
            await client.aio.files.upload(file=str(path)),
        ]
        assert [each.size_bytes for each in made] == [len(CONTENT), len(whole), len(CONTENT)]
        assert made[1].display_name == "mine"
        file = made[0]
        assert file.name and (await client.aio.files.get(name=file.name)).uri == file.uri
        assert await client.aio.files.download(file=file.name) == CONTENT
        pages = await client.aio.files.list(config={"page_size": 2})
        assert [each.name async for each in pages] == [each.name for each in reversed(made)]
        answer = await client.aio.models.generate_content(model="gemini-mock", contents=[file, "hello"])
        assert answer.text == expected("hello").text
        parts = gate.up.mock.seen[-1].body["contents"][0]["parts"]
        assert file.uri in parts[0]["fileData"].values()
        assert [each async for each in await other.aio.files.list()] == []
        for refused in (
            other.aio.files.get(name=file.name),
            other.aio.files.download(file=file.name),
            other.aio.files.delete(name=file.name),
            other.aio.models.generate_content(model="gemini-mock", contents=[file, "hello"]),
        ):
            with pytest.raises(errors.ClientError) as told:
                await refused
            assert (told.value.code, told.value.status) == (404, "NOT_FOUND")
        await client.aio.files.delete(name=file.name)
        with pytest.raises(errors.ClientError) as gone:
            await client.aio.files.get(name=file.name)
        assert gone.value.status == "NOT_FOUND"


@quiet
async def test_the_three_apis_see_their_own_files_alone(gate: Gate) -> None:
    key = gate.server.new_key(name="of all three")
    async with (
        gate.client(api_key=key) as openai_sdk,
        anthropic_client(Place("anthropic", gate.server.url, key)) as anthropic_sdk,
        google(gate, key) as google_sdk,
    ):
        gemini_sdk = google_sdk.aio
        text = types.UploadFileConfig(mime_type="text/plain")
        theirs = await gemini_sdk.files.upload(file=io.BytesIO(CONTENT), config=text)
        file = await anthropic_sdk.beta.files.upload(file=("a.txt", CONTENT, "text/plain"))
        assert [each.id async for each in anthropic_sdk.beta.files.list()] == [file.id]
        assert [each.name async for each in await gemini_sdk.files.list()] == [theirs.name]
        assert [each.id async for each in openai_sdk.files.list()] == []
        with pytest.raises(openai.NotFoundError):
            await openai_sdk.files.retrieve(file.id)


@quiet
async def test_a_name_that_its_sender_chose_is_refused_in_google_s_words(gate: Gate) -> None:
    config = types.UploadFileConfig(name="mine", mime_type="text/plain")
    async with google(gate, gate.key) as client:
        with pytest.raises(errors.ClientError) as refused:
            await client.aio.files.upload(file=io.BytesIO(b"x"), config=config)
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
    assert "named by their provider" in (refused.value.message or "")
