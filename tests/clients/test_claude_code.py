"""Claude Code as npm ships it, run without a terminal: before the sandbox and before every kind of provider,
whose model calls the agent's own tools. No other host is asked."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.gateway import KINDS, Gate
from tests.clients.node_programs import PACKAGES, run_agent
from tests.clients.test_matrix import PIXEL
from tests.upstream.script import CUE, FORECAST, FORECAST_SCHEMA, HELLO, SIGNATURE, THOUGHTS

pytestmark = pytest.mark.clients
every_kind = pytest.mark.parametrize("kind", KINDS)

CLAUDE = PACKAGES / "@anthropic-ai/claude-code-linux-x64/claude"
AS_EVENTS = ("--output-format", "stream-json", "--verbose")


def claude(gate: Gate, key: str, folder: Path, *arguments: str, text: str = "") -> tuple[int, Any, str]:
    CLAUDE.chmod(0o755)
    return run_agent(
        str(CLAUDE),
        "-p",
        *arguments,
        folder=folder,
        text=text,
        ANTHROPIC_BASE_URL=gate.server.url,
        ANTHROPIC_AUTH_TOKEN=key,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )


def ask(gate: Gate, model: str, folder: Path, *arguments: str, text: str = "") -> Any:
    """The events of one run that ends well; the last is its result."""
    status, events, said = claude(gate, gate.key, folder, "--model", model, *arguments, text=text)
    assert status == 0 and events[-1]["type"] == "result" and not events[-1]["is_error"], said
    return events


def blocks(events: list[Any], who: str, kind: str) -> list[Any]:
    contents = [event["message"]["content"] for event in events if event["type"] == who]
    return [block for content in contents for block in content if block["type"] == kind]


def sent_with(gate: Gate, mark: str) -> str:
    """The last body with this in it that a provider was sent."""
    bodies = (json.dumps(seen.body, ensure_ascii=False) for seen in reversed(gate.up.mock.seen))
    return next((body for body in bodies if mark in body), "")


def test_claude_code_answers_through_the_gateway(gate: Gate, tmp_path: Path) -> None:
    key = gate.server.new_key(name="claude-code")
    status, [told], said = claude(gate, key, tmp_path, "Say hello.", "--output-format", "json")
    assert status == 0 and told["is_error"] is False and told["result"], said
    rows = [row for row in gate.server.ledger(1) if row["key_name"] == "claude-code"]
    assert {row["endpoint"] for row in rows} == {"messages"}
    assert all(row["client"].startswith("Claude Code") for row in rows)
    assert all(row["status"] == "ok" and row["session"] == told["session_id"] for row in rows)


@every_kind
def test_claude_code_streams_an_answer(gate: Gate, tmp_path: Path, kind: str) -> None:
    """With tools on offer and none called; the pieces add up to the whole."""
    events = ask(gate, f"{kind}-mock", tmp_path, f"{CUE}hello", *AS_EVENTS, "--include-partial-messages")
    assert events[-1]["result"] == HELLO and events[-1]["num_turns"] == 1
    pieces = [event["event"] for event in events if event["type"] == "stream_event"]
    deltas = [piece["delta"] for piece in pieces if piece["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == HELLO and len(deltas) > 5
    assert pieces[0]["type"] == "message_start" and pieces[-1]["type"] == "message_stop"


@every_kind
def test_claude_code_thinks_and_runs_three_tools(gate: Gate, tmp_path: Path, kind: str) -> None:
    mark = uuid4().hex
    (tmp_path / "note.txt").write_text(mark)
    calls: list[Any] = [
        ["Read", {"file_path": "note.txt"}],
        ["Write", {"file_path": "made.txt", "content": "☂ 비"}],
        ["Bash", {"command": "echo heard", "description": "Says a word"}],
    ]
    prompt = f"{CUE}think-calls {json.dumps(calls)}"
    tools = ("--allowedTools", "Read Write Bash(echo:*)")
    events = ask(gate, f"{kind}-mock", tmp_path, prompt, *tools, *AS_EVENTS)
    assert [[use["name"], use["input"]] for use in blocks(events, "assistant", "tool_use")] == calls
    assert (tmp_path / "made.txt").read_text() == "☂ 비"
    results = [str(result["content"]) for result in blocks(events, "user", "tool_result")]
    assert len(results) == 3 and any(mark in result for result in results) and "heard" in results
    told = events[-1]["result"]
    assert told.startswith("The tools said: ") and mark in told and "heard" in told
    thoughts = "".join(block["thinking"] for block in blocks(events, "assistant", "thinking"))
    assert thoughts == (THOUGHTS if kind != "openai" else "")
    assert (SIGNATURE in sent_with(gate, mark)) == (kind != "openai")


@every_kind
def test_claude_code_shows_an_image_that_it_read_and_one_that_it_was_given(
    gate: Gate, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "pixel.png").write_bytes(b64decode(PIXEL))
    before = len(gate.up.mock.seen)
    prompt = f"{CUE}calls {json.dumps([['Read', {'file_path': 'pixel.png'}]])}"
    ask(gate, f"{kind}-mock", tmp_path, prompt, "--allowedTools", "Read", *AS_EVENTS)
    assert any(PIXEL in json.dumps(seen.body) for seen in gate.up.mock.seen[before:])
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "text", "text": f"{CUE}image"}, {"type": "image", "source": source}]
    given = json.dumps({"type": "user", "message": {"role": "user", "content": content}})
    events = ask(gate, f"{kind}-mock", tmp_path, "--input-format", "stream-json", *AS_EVENTS, text=given)
    assert events[-1]["result"] == "I see 1 images in what you sent."


@every_kind
def test_claude_code_answers_by_a_schema(gate: Gate, tmp_path: Path, kind: str) -> None:
    prompt = f"{CUE}calls {json.dumps([['StructuredOutput', FORECAST]])}"
    events = ask(
        gate, f"{kind}-mock", tmp_path, prompt, "--json-schema", json.dumps(FORECAST_SCHEMA), *AS_EVENTS
    )
    assert events[-1]["structured_output"] == FORECAST


@every_kind
def test_claude_code_says_what_went_wrong(gate: Gate, tmp_path: Path, kind: str) -> None:
    model = ("--model", f"{kind}-plain-fault-400")
    status, events, said = claude(gate, gate.key, tmp_path, *model, "hello", *AS_EVENTS)
    told = events[-1]
    assert status == 1 and told["is_error"] and told["api_error_status"] == 400, said
    assert told["result"].startswith("API Error: 400 The mock was told to fail. (request id: ")


def test_claude_code_does_not_try_again_what_no_retry_can_mend(gate: Gate, tmp_path: Path) -> None:
    """A budget that is spent: it waits and tries again at other 429s."""
    budgets = [{"amount_usd": "0.000001", "period": "day", "hard": True}]
    key = gate.server.new_key(name="poor claude", budgets=budgets)
    model = ("--model", "anthropic-mock")
    status, events, said = claude(gate, key, tmp_path, *model, "hello", *AS_EVENTS)
    assert status == 1 and events[-1]["api_error_status"] == 429, said
    assert "budget" in events[-1]["result"].lower()
