"""What Request offers to copy, run as it is written: the sandbox answers each, with curl and with its SDK."""

import base64
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.gateway import Gate
from usage_app.calling_again import SHAPES, call_again
from usage_app.models import Request

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CALLS = [
    (name, stream)
    for name, shape in SHAPES.items()
    for stream in ((False, True) if shape.streams or shape.streamed else (False,))
]


def written(gate: Gate, name: str, stream: bool, **fields: Any) -> dict[str, str]:
    endpoint, _, format_name = name.partition("/")
    row = Request(
        endpoint=endpoint, format=format_name, stream=stream, **({"model": "sandbox/fast"} | fields)
    )
    return call_again(row, gate.server.url)


@pytest.fixture
def at_hand(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that forms name, and the key where the code looks for it."""
    (tmp_path / "picture.png").write_bytes(base64.b64decode(PIXEL))
    (tmp_path / "recording.wav").write_bytes(b"RIFF" + bytes(32_000))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEHOUSE_API_KEY", gate.key)
    return tmp_path


@pytest.mark.parametrize(("name", "stream"), CALLS)
def test_curl_is_accepted(gate: Gate, at_hand: Path, name: str, stream: bool) -> None:
    text = written(gate, name, stream)["curl"].replace("curl ", "curl -sS --fail-with-body ", 1)
    done = subprocess.run(
        ["sh", "-c", text], env=dict(os.environ), capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or (at_hand / SHAPES[name].sound).stat().st_size


@pytest.mark.parametrize(("name", "stream"), [call for call in CALLS if SHAPES[call[0]].sdk])
def test_python_runs(
    gate: Gate, at_hand: Path, capsys: pytest.CaptureFixture[str], name: str, stream: bool
) -> None:
    exec(compile(written(gate, name, stream)["Python"], name, "exec"), {})
    assert capsys.readouterr().out or (at_hand / SHAPES[name].sound).stat().st_size


@pytest.mark.parametrize("name", SHAPES)
def test_a_models_name_arrives_as_it_is(gate: Gate, at_hand: Path, name: str) -> None:
    odd = """o'brien's "best" $(model)"""
    text = written(gate, name, False, model=odd)["curl"].replace("curl ", "curl -sS ", 1)
    done = subprocess.run(
        ["sh", "-c", text], env=dict(os.environ), capture_output=True, timeout=30, check=False
    )
    answer = (at_hand / SHAPES[name].sound).read_bytes() if SHAPES[name].sound else done.stdout
    assert b"o'brien's" in answer and b"$(model)" in answer, done.stderr


@pytest.mark.parametrize("endpoint", ["batches", "messages.batches", "passthrough", "responses.compact", ""])
def test_where_nothing_honest_can_be_written_there_is_nothing(endpoint: str) -> None:
    assert call_again(Request(endpoint=endpoint, format="", model="gpt-5", stream=False), "http://x") == {}
    assert call_again(Request(endpoint="chat.completions", model="", stream=False), "http://x") == {}
