"""What is said is kept where an admin lets a service keep it: masked, encrypted, never in a call's way."""

import asyncio
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from keys_app.crypto import decrypt_bytes
from proxy_app import capturing
from proxy_app.capturing import Capturer
from proxy_app.masking import masked, shown_headers
from tests.proxy_app.harness import STREAM, Gateway, asked, completion, streamed
from usage_app import captured
from usage_app.captured import OPEN, WHOLE, BodyWriter, Said

SECRET = "sk-proj-" + "A1b2" * 10


@pytest.fixture
def gate(make_gateway, tmp_path: Path) -> Gateway:
    async def script(request: httpx.Request) -> httpx.Response:
        if b'"stream"' in request.content:
            return streamed(STREAM)
        if b"fails" in request.content:
            return httpx.Response(400, json={"error": {"message": "no such thing"}})
        return httpx.Response(200, json=completion("The answer is 42."))

    made: Gateway = make_gateway(script)
    keeping(made, True)
    made.services.capturer = Capturer(BodyWriter(tmp_path, "worker-1"), made.services.metrics)
    return made


def keeping(gate: Gateway, keeps: bool) -> None:
    picture = gate.keeper.current
    service = replace(picture.services["service-1"], keeps_bodies=keeps, bodies_days=3)
    gate.keeper.current = replace(picture, services={"service-1": service})


async def written(gate: Gateway, tmp_path: Path) -> list[tuple[str, Said]]:
    """What the files hold once everything that waits is written."""
    capturer = gate.services.capturer
    assert isinstance(capturer, Capturer)
    task = asyncio.create_task(capturer.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    files = sorted((tmp_path / captured.FOLDER).glob(f"*{WHOLE}"))
    return [(str(row.request_id), opened(row)) for path in files for row in captured._rows(path)]


def opened(row: Any) -> Said:
    return captured._read_said(zlib.decompress(decrypt_bytes(row.data, f"body:{row.request_id}")))


@pytest.mark.parametrize("stream", [False, True])
async def test_request_and_answer_are_kept_as_they_passed(
    gate: Gateway, tmp_path: Path, stream: bool
) -> None:
    answer = await gate.ask(asked(stream), headers={"user-agent": "tests/1", "cookie": "a=b"})
    [(call_id, said)] = await written(gate, tmp_path)
    assert call_id == gate.ends[0].id
    assert "Say hello" in said.request
    assert said.answer == answer.body.decode()
    assert said.request_headers["user-agent"] == "tests/1"
    assert not {"cookie", "authorization"} & said.request_headers.keys()
    assert said.answer_headers["x-gatehouse-model"] == "gpt"
    assert not said.is_cut


async def test_an_error_that_a_provider_gave_is_kept_too(gate: Gateway, tmp_path: Path) -> None:
    await gate.ask(asked() | {"user": "fails"})
    [(_, said)] = await written(gate, tmp_path)
    assert "no such thing" in said.answer


async def test_nothing_is_kept_without_an_admins_word_or_against_the_callers(
    gate: Gateway, tmp_path: Path
) -> None:
    await gate.ask(asked(), headers={"x-gatehouse-capture": "off"})
    keeping(gate, False)
    await gate.ask(asked())
    assert await written(gate, tmp_path) == []
    assert len(gate.ends) == 2


async def test_nothing_readable_ever_touches_the_disk(gate: Gateway, tmp_path: Path) -> None:
    await gate.ask(asked())
    assert await written(gate, tmp_path)
    for path in (tmp_path / captured.FOLDER).iterdir():
        raw = path.read_bytes()
        assert b"Say hello" not in raw
        assert path.stat().st_mode & 0o077 == 0


async def test_secrets_and_media_are_not_kept_even_encrypted(gate: Gateway, tmp_path: Path) -> None:
    image = "data:image/png;base64," + "QUJD" * 500
    words = [{"role": "user", "content": f"my key is {SECRET} and {image}"}]
    await gate.ask(asked() | {"messages": words})
    [(_, said)] = await written(gate, tmp_path)
    assert SECRET not in said.request
    assert "[hidden]" in said.request
    assert "QUJDQUJD" not in said.request
    assert "data:image/png;base64,[1 KB]" in said.request


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        "sk-ant-api03-" + "x" * 40,
        "sk-gh-" + "a" * 43,
        "AIza" + "S" * 35,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a" * 36,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlcw",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    text = masked(f'{{"content": "before {secret} after"}}')
    assert secret not in text
    assert text.startswith('{"content": "before ')
    assert text.endswith(' after"}')


def test_a_password_in_an_address_is_hidden_and_plain_words_are_not() -> None:
    assert masked("postgres://me:secret@db/x") == "postgres://[hidden]@db/x"
    words = "A task-oriented sk-ate park, 3:40 at the-office@example.org, https://example.org/a:b"
    assert masked(words) == words


def test_only_headers_that_tell_of_the_call_are_shown() -> None:
    headers = {"user-agent": f"x {SECRET}", "authorization": "Bearer x", "x-api-key": "y", "cookie": "z"}
    assert shown_headers(headers | {"x-stainless-lang": "python"}) == {
        "user-agent": "x [hidden]",
        "x-stainless-lang": "python",
    }


async def test_long_ones_are_cut_and_say_so(
    gate: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "MOST_BYTES", 50)
    await gate.ask(asked(stream=True))
    [(_, said)] = await written(gate, tmp_path)
    assert said.is_cut
    assert len(said.request) == len(said.answer) == 50


async def test_what_comes_faster_than_it_is_written_is_dropped_and_counted(
    gate: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "MOST_WAITING", 900)
    for _ in range(3):
        assert (await gate.ask(asked())).status == 200
    kept = await written(gate, tmp_path)
    assert 0 < len(kept) < 3
    assert gate.services.metrics.bodies_dropped == 3 - len(kept)


async def test_a_folder_that_nobody_empties_takes_no_more(
    gate: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captured, "MOST_BYTES", 10)
    (tmp_path / captured.FOLDER).mkdir()
    (tmp_path / captured.FOLDER / f"other-1{OPEN}").write_bytes(bytes(100))
    assert (await gate.ask(asked())).status == 200
    assert await written(gate, tmp_path) == []
    assert gate.services.metrics.bodies_dropped == 1


async def test_a_disk_that_fails_costs_no_call(gate: Gateway, tmp_path: Path) -> None:
    (tmp_path / captured.FOLDER).write_text("a file where the folder should be")
    assert (await gate.ask(asked())).status == 200
    capturer = gate.services.capturer
    assert isinstance(capturer, Capturer)
    capturer._write_waiting()
    assert gate.services.metrics.bodies_dropped == 1
    assert [end.status for end in gate.ends] == ["ok"]
