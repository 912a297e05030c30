"""Codex as npm ships it, run without a terminal: before the sandbox and before every kind of provider, whose
model calls the agent's own tools. No other host is asked."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.gateway import KINDS, Gate
from tests.clients.node_programs import PACKAGES, node, run_agent
from tests.clients.test_matrix import PIXEL
from tests.upstream.script import CUE, FORECAST, FORECAST_SCHEMA, HELLO, SIGNATURE, THOUGHTS

pytestmark = pytest.mark.clients
every_kind = pytest.mark.parametrize("kind", KINDS)

CODEX = PACKAGES / "@openai/codex/bin/codex.js"


def codex(gate: Gate, key: str, folder: Path, model: str, *arguments: str) -> tuple[int, Any, str]:
    """One run, as docs/coding-agents.md sets it up."""
    home = folder / "codex"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(
        f'model = "{model}"\nmodel_provider = "gatehouse"\n[model_providers.gatehouse]\nname = "Gatehouse"\n'
        f'base_url = "{gate.server.url}/v1"\nenv_key = "GATEHOUSE_API_KEY"\nwire_api = "responses"\n'
    )
    return run_agent(
        node(),
        str(CODEX),
        "exec",
        "--json",
        "--skip-git-repo-check",
        *arguments,
        folder=folder,
        CODEX_HOME=str(home),
        GATEHOUSE_API_KEY=key,
    )


def ask(gate: Gate, folder: Path, model: str, *arguments: str) -> list[Any]:
    """The items of one run that ends well."""
    status, events, said = codex(gate, gate.key, folder, model, *arguments)
    assert status == 0 and events[-1]["type"] == "turn.completed", said
    return [event["item"] for event in events if event["type"] == "item.completed"]


def of(items: list[Any], kind: str) -> list[Any]:
    return [item for item in items if item["type"] == kind]


def last_words(items: list[Any]) -> str:
    return str(of(items, "agent_message")[-1]["text"])


@pytest.mark.parametrize("model", ["gpt-5.6-sol", "sandbox"])
def test_codex_answers_through_the_gateway(gate: Gate, tmp_path: Path, model: str) -> None:
    key = gate.server.new_key(name="codex")
    status, events, said = codex(gate, key, tmp_path, model, "Say hello.")
    assert status == 0, said
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    assert last_words(items)
    rows = gate.server.ledger(1, model=model)
    assert {(row["endpoint"], row["status"]) for row in rows} == {("responses", "ok")}


@every_kind
def test_codex_hears_every_provider_with_the_tools_it_offers_by_itself(
    gate: Gate, tmp_path: Path, kind: str
) -> None:
    assert last_words(ask(gate, tmp_path, f"{kind}-mock", f"{CUE}hello")) == HELLO


@every_kind
@pytest.mark.parametrize("count", [1, 3])
def test_codex_thinks_and_runs_commands(gate: Gate, tmp_path: Path, kind: str, count: int) -> None:
    mark = uuid4().hex
    (tmp_path / "note.txt").write_text(mark)
    commands = ["cat note.txt", "echo '☂ 비' >made.txt; cat made.txt", "echo heard"][:count]
    prompt = f"{CUE}think-calls {json.dumps([['exec_command', {'cmd': command}] for command in commands])}"
    unfenced = ("--dangerously-bypass-approvals-and-sandbox", "-c", "web_search=disabled")
    items = ask(gate, tmp_path, f"{kind}-mock", prompt, *unfenced, "-c", "model_reasoning_effort=high")
    done = {item["command"]: item for item in of(items, "command_execution")}
    assert all(item["exit_code"] == 0 for item in done.values()) and len(done) == count
    told = last_words(items)
    assert told.startswith("The tools said: ") and mark in told
    if count == 3:
        assert (tmp_path / "made.txt").read_text() == "☂ 비\n" and "☂ 비" in told and "heard" in told
    thoughts = "".join(item["text"] for item in of(items, "reasoning"))
    assert thoughts == (THOUGHTS if kind != "openai" else "")
    bodies = [json.dumps(seen.body, ensure_ascii=False) for seen in gate.up.mock.seen]
    sent = next(body for body in reversed(bodies) if mark in body)
    assert (SIGNATURE in sent) == (kind != "openai")


@every_kind
def test_codex_knows_a_model_by_the_gateways_catalogue(gate: Gate, tmp_path: Path, kind: str) -> None:
    """Without it Codex warns that it has no metadata of the name."""
    status, _, catalogue = gate.server.call("GET", "/v1/models?client_version=0", key=gate.key)
    assert status == 200
    (tmp_path / "gatehouse.json").write_text(json.dumps(catalogue))
    known = ("-c", f'model_catalog_json="{tmp_path / "gatehouse.json"}"')
    prompt = f"{CUE}calls {json.dumps([['exec_command', {'cmd': 'echo heard'}]])}"
    unfenced = ("--dangerously-bypass-approvals-and-sandbox", "-c", "web_search=disabled")
    items = ask(gate, tmp_path, f"{kind}-mock", prompt, *known, *unfenced)
    assert not of(items, "error") and "heard" in last_words(items)


@every_kind
def test_codex_shows_an_image(gate: Gate, tmp_path: Path, kind: str) -> None:
    picture = tmp_path / "pixel.png"
    picture.write_bytes(b64decode(PIXEL))
    items = ask(gate, tmp_path, f"{kind}-mock", f"{CUE}image", "-i", str(picture))
    assert last_words(items) == "I see 1 images in what you sent."


@every_kind
def test_codex_answers_by_a_schema(gate: Gate, tmp_path: Path, kind: str) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(FORECAST_SCHEMA))
    items = ask(gate, tmp_path, f"{kind}-mock", f"{CUE}json", "--output-schema", str(schema))
    assert json.loads(last_words(items)) == FORECAST


@every_kind
def test_codex_says_what_went_wrong(gate: Gate, tmp_path: Path, kind: str) -> None:
    status, events, said = codex(gate, gate.key, tmp_path, f"{kind}-plain-fault-400", "hello")
    assert status == 1 and events[-1]["type"] == "turn.failed", said
    assert "The mock was told to fail. (request id: " in events[-1]["error"]["message"]


@every_kind
def test_codex_says_that_a_stream_broke_off(gate: Gate, tmp_path: Path, kind: str) -> None:
    retries = ("-c", "model_providers.gatehouse.stream_max_retries=0")
    model = f"{kind}-fault-cut-interval-10"
    status, events, said = codex(gate, gate.key, tmp_path, model, f"{CUE}long:20", *retries)
    assert status == 1 and events[-1]["type"] == "turn.failed", said
    assert "before it was complete. (request id: " in events[-1]["error"]["message"]


def test_codex_says_which_of_its_tools_a_model_cannot_have(gate: Gate, tmp_path: Path) -> None:
    """With full access it offers its provider's search of the web, which is refused by name elsewhere."""
    unfenced = "--dangerously-bypass-approvals-and-sandbox"
    status, events, said = codex(gate, gate.key, tmp_path, "anthropic-mock", "hello", unfenced)
    assert status == 1, said
    assert "tools of the type 'web_search' cannot be carried" in events[-1]["error"]["message"]
