"""Starting again, and ending: everything is reused, and a running stream is brought to its end."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import openai
from aiohttp import web

from tests.faults.processes import descendants, is_alive, is_free, rows, until
from tests.mocking import OwnUpstream
from tests.serving import Serving
from tests.upstream.openai_wire import frames
from tests.upstream.script import Asked, script_for
from tests.upstream.wire import Quirks

ASKED = Asked("m", "long:40", stream=True, include_usage=True)
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class Tap:
    """A provider that pours half of its stream, and the rest when the test opens it."""

    def __init__(self) -> None:
        self.half = threading.Event()
        self.opened = threading.Event()

    async def pour(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        pieces = frames(ASKED, script_for(ASKED), 1, Quirks())
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2:
                self.half.set()
                assert await asyncio.to_thread(self.opened.wait, 30)
            await answer.write(piece.raw)
        return answer


def config(base_url: str) -> str:
    params = f"{{model: openai/gpt-mock, api_base: '{base_url}/v1', api_key: sk-upstream}}"
    return f"model_list: [{{model_name: m, litellm_params: {params}}}]"


def read_stream(server: Serving, key: str, heard: list[Any]) -> None:
    """Append what is heard; an exception, when it ends with one, is heard too."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=60) as client:
        try:
            for chunk in client.chat.completions.create(**HELLO, stream=True):  # type: ignore[call-overload]
                heard.extend(choice.delta.content or "" for choice in chunk.choices)
        except openai.APIError as error:
            heard.append(error)


def streaming(server: Serving, key: str) -> tuple[threading.Thread, list[Any]]:
    heard: list[Any] = []
    reader = threading.Thread(target=read_stream, args=(server, key, heard), daemon=True)
    reader.start()
    return reader, heard


def ended(server: Serving) -> list[Any]:
    """The ledger of a server that has stopped."""
    assert server.data is not None
    query = "SELECT status, error_code, output_tokens FROM usage_app_request"
    return rows(next(server.data.glob("*.sqlite3")), query)


def test_a_second_start_reuses_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data=data) as first:
        key = first.new_key(name="kept")
        body = {**HELLO, "model": "sandbox"}
        status, headers, _ = first.call("POST", "/v1/chat/completions", body, key=key)
        assert status == 200
        row = first.row(headers["x-request-id"])
        secrets = {path.name: path.read_bytes() for path in (data / "secrets").iterdir()}
    said = first.log.read_text("utf-8")
    assert said.count("First key") == 1
    assert data.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (data / "secrets").iterdir()} == {0o600}

    second = Serving(data=data, port=first.port)
    with second:
        assert second.call("POST", "/v1/chat/completions", body, key=key)[0] == 200
        assert second.row(headers["x-request-id"]) == row
        assert {path.name: path.read_bytes() for path in (data / "secrets").iterdir()} == secrets
        until(lambda: second.log.read_text("utf-8").count("Gatehouse is running") == 2)
    added = second.log.read_text("utf-8")[len(said) :]
    assert "First key" not in added and "sk-gh-" not in added


def test_ctrl_c_lets_a_running_stream_come_to_its_end() -> None:
    tap = Tap()
    with OwnUpstream(tap.pour) as up, Serving(config(up.base_url)) as server:
        assert server.process is not None
        family = descendants(server.process.pid)
        reader, heard = streaming(server, server.new_key())
        assert tap.half.wait(20)
        until(lambda: len(heard) > 10)  # the client may be slower than what it is sent
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        until(lambda: "Stopping" in server.log.read_text("utf-8", "replace"))
        assert len(heard) > 10 and reader.is_alive()
        tap.opened.set()
        reader.join(20)
        stopping.join(40)
        assert "".join(heard) == script_for(ASKED).text
        assert server.process.poll() == 0
        assert not any(is_alive(pid) for pid in family) and is_free(server.port)
        # It is in the ledger, written before the ledger process ended.
        assert ended(server) == [("ok", "", script_for(ASKED).usage.output_tokens)]


def test_a_stream_past_the_deadline_ends_with_an_error_and_a_row() -> None:
    tap = Tap()
    environment = {"GATEHOUSE_DRAIN_SECONDS": "3"}
    with OwnUpstream(tap.pour) as up, Serving(config(up.base_url), environment) as server:
        reader, heard = streaming(server, server.new_key())
        assert tap.half.wait(20)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20
        reader.join(20)
        tap.opened.set()
        assert isinstance(heard[-1], openai.APIError) and "shutting down" in str(heard[-1])
        [(status, code, tokens)] = ended(server)
        assert (status, code) == ("cancelled", "draining") and tokens >= 10
