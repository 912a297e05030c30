"""The official SDKs against the data plane and the sandbox: what is no conversation, in their own types."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from google import genai
from google.genai import types

from proxy_app import spool as spooling
from proxy_app.views import operations as views
from tests.proxy_app.harness import SECRET, Gateway, deployment, model

RECORDING = ("talk.wav", b"RIFF" + bytes(32_000), "audio/wav")


async def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError("the sandbox answers by itself")


def sandboxed(name: str):
    own = deployment("sandbox")
    provider = replace(own.provider, kind="sandbox", is_sandbox=True, base_url="")
    return model(name, replace(own, provider=provider, upstream_model=name))


@pytest.fixture
def gate(make_gateway) -> Gateway:
    return make_gateway(
        nobody, sandboxed("sandbox"), sandboxed("sandbox/cut"), sandboxed("omni-moderation-latest")
    )


@pytest.fixture
async def http(gate: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope["state"] = {"services": gate.services}
        await gate.handler(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield client


@pytest.fixture
def client(http: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url="http://gateway.test/v1", api_key=SECRET, http_client=http, max_retries=0
    )


async def test_embeddings(client, gate):
    told = await client.embeddings.create(model="sandbox", input=["one", "two"], dimensions=4)
    assert [len(each.embedding) for each in told.data] == [4, 4]
    assert gate.ends[0].tokens.input_tokens == told.usage.prompt_tokens


async def test_images_whole_and_streamed(client, gate):
    told = await client.images.generate(model="sandbox", prompt="a castle", n=2, quality="low")
    assert [image.b64_json[:8] for image in told.data] == ["iVBORw0K"] * 2
    assert told.usage.output_tokens_details.image_tokens == told.usage.output_tokens
    streaming = await client.images.generate(
        model="sandbox", prompt="a castle", stream=True, partial_images=1
    )
    kinds = [event.type async for event in streaming]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]
    assert [end.tokens.units["images:low:1024x1024"] for end in gate.ends] == [2, 1]


async def test_images_from_images(client, gate):
    told = await client.images.edit(
        model="sandbox", prompt="a moat", image=[("a.png", b"png"), ("b.png", b"png")]
    )
    assert told.usage.input_tokens_details.image_tokens == 2 * 323
    assert gate.ends[0].endpoint == "images.edits"


async def test_speech_as_sound_and_as_events(client, gate):
    async with client.audio.speech.with_streaming_response.create(
        model="sandbox", voice="alloy", input="Hello castle"
    ) as sound:
        content = await sound.read()
        assert sound.headers["content-type"] == "audio/wav"
    assert content[:4] == b"RIFF"
    assert gate.ends[0].tokens.units == {"characters": 12}


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word on translations
@pytest.mark.parametrize("kind", ["transcriptions", "translations"])
async def test_transcriptions_and_translations(client, gate, kind):
    endpoint = getattr(client.audio, kind)
    told = await endpoint.create(model="sandbox", file=RECORDING)
    assert told.text.startswith("Sandbox: trans")
    subtitles = await endpoint.create(model="sandbox", file=RECORDING, response_format="srt")
    assert "--> 00:00:03,000" in subtitles
    verbose = await endpoint.create(model="sandbox", file=RECORDING, response_format="verbose_json")
    assert verbose.duration == 3.0
    assert {end.tokens.units["audio_ms"] for end in gate.ends} == {3_000}
    assert {end.endpoint for end in gate.ends} == {f"audio.{kind}"}


async def test_a_streamed_transcription(client, gate):
    streaming = await client.audio.transcriptions.create(model="sandbox", file=RECORDING, stream=True)
    events = [event async for event in streaming]
    assert "".join(event.delta for event in events[:-1]).strip() == events[-1].text
    assert gate.ends[0].tokens.input_audio_tokens == events[-1].usage.input_token_details.audio_tokens


async def test_a_moderation_without_a_model_is_of_openais_default(client, gate):
    asked: dict[str, Any] = {"input": ["what an idiot", "good morning"]}
    told = await client.moderations.create(model="sandbox", **asked)
    assert [result.flagged for result in told.results] == [True, False]
    assert told.results[0].categories.harassment
    with pytest.raises(openai.NotFoundError):  # the sandbox has no such model; it was asked for it
        await client.moderations.create(**asked)
    assert gate.ends[1].model == "omni-moderation-latest"


async def test_completions(client):
    told = await client.completions.create(model="sandbox", prompt="Say hello")
    assert told.object == "text_completion" and told.choices[0].text.startswith("Sandbox")
    streaming = await client.completions.create(model="sandbox", prompt="Say hello", stream=True)
    assert "".join([piece.choices[0].text async for piece in streaming]) == told.choices[0].text


async def test_a_broken_provider_is_an_error_of_the_sdk(client):
    with pytest.raises(openai.APIStatusError) as caught:
        await client.embeddings.create(model="sandbox/cut", input="hello")
    assert caught.value.status_code == 502


async def test_a_form_of_five_files_that_breaks_off_leaves_nothing(gate, tmp_path: Path):
    gate.services.config = replace(gate.services.config, data=tmp_path / "data")
    sent = [b"--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\n", *[bytes(700_000)] * 5]
    inbox = [{"type": "http.request", "body": piece, "more_body": True} for piece in sent]

    async def receive() -> dict[str, Any]:
        return inbox.pop(0) if inbox else {"type": "http.disconnect"}

    answered: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await gate.handler(scope_of("/v1/audio/transcriptions", gate), receive, send)
    assert not answered and not gate.ends
    assert not list((tmp_path / "data" / "uploads").iterdir())


async def test_fifty_megabytes_are_on_disk_and_never_in_memory(gate, tmp_path: Path, monkeypatch):
    gate.services.config = replace(gate.services.config, data=tmp_path / "data")
    made: list[Any] = []
    most = 0

    class Watched(views.Spool):
        def __init__(self, data: Path) -> None:
            super().__init__(data)
            made.append(self)

        async def write(self, piece: bytes) -> None:
            nonlocal most
            await super().write(piece)
            most = max(most, len(self._memory))

        async def close_writing(self) -> None:
            await super().close_writing()
            self.was_on_disk = self.is_on_disk

    monkeypatch.setattr(views, "Spool", Watched)
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\n'
    rest = b"".join(
        b'\r\n--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b' % pair
        for pair in ((b"prompt", b"a"), (b"model", b"sandbox"))
    )
    pieces = 50 * 16
    inbox = iter([head, *([bytes(65_536)] * pieces), rest + b"\r\n--b--\r\n"])
    left = pieces + 2

    async def receive() -> dict[str, Any]:
        nonlocal left
        if not left:
            await asyncio.Event().wait()  # the client stays until it is answered
        left -= 1
        return {"type": "http.request", "body": next(inbox, b""), "more_body": left > 0}

    status = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await gate.handler(scope_of("/v1/images/edits", gate), receive, send)
    (spool,) = made
    assert status == 200
    assert spool.was_on_disk and most <= spooling.IN_MEMORY + 65_536
    assert gate.ends[0].tokens.units["input_image_tokens"] == 323


def scope_of(path: str, gate: Gateway) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "multipart/form-data; boundary=b"}
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.7", 55555),
        "state": {"services": gate.services},
    }


async def test_gemini_embeddings(http, gate):
    options = types.HttpOptions(base_url="http://gateway.test", httpx_async_client=http)
    client = genai.Client(api_key=SECRET, http_options=options)
    config = types.EmbedContentConfig(output_dimensionality=3)
    told = await client.aio.models.embed_content(model="sandbox", contents=["one", "two"], config=config)
    assert [len(each.values) for each in told.embeddings] == [3, 3]
    assert gate.ends[0].endpoint == "embeddings"
