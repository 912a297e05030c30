"""Claude Code and Codex as npm ships them, run without a terminal against the sandbox and no other host."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.node_programs import PACKAGES, node, run
from tests.serving import Serving

pytestmark = pytest.mark.clients

CLAUDE = PACKAGES / "@anthropic-ai/claude-code-linux-x64/claude"
CODEX = PACKAGES / "@openai/codex/bin/codex.js"
NOWHERE = "http://127.0.0.1:9"  # discard: whatever asks another host than the gateway fails at once

#: The names that Claude Code and Codex ask for by themselves, answered by the sandbox.
CONFIG = json.dumps(
    {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": "sandbox/sandbox"}}
            for name in ("claude-*", "gpt-*")
        ]
    }
)


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving(CONFIG) as server:
        yield server


def test_claude_code_answers_through_the_gateway(server: Serving, tmp_path: Path) -> None:
    CLAUDE.chmod(0o755)
    key = server.new_key(name="claude-code")
    done = run(
        str(CLAUDE),
        "-p",
        "Say hello.",
        "--output-format",
        "json",
        folder=tmp_path,
        HOME=str(tmp_path),
        ANTHROPIC_BASE_URL=server.url,
        ANTHROPIC_AUTH_TOKEN=key,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        HTTPS_PROXY=NOWHERE,
        HTTP_PROXY=NOWHERE,
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["is_error"] is False and told["result"]
    rows = [row for row in server.ledger(1) if row["key_name"] == "claude-code"]
    assert {row["endpoint"] for row in rows} == {"messages"}
    assert all(row["client"].startswith("Claude Code") for row in rows)
    assert all(row["status"] == "ok" and row["session"] == told["session_id"] for row in rows)


@pytest.mark.parametrize("model", ["gpt-5.6-sol", "sandbox"])
def test_codex_answers_through_the_gateway(server: Serving, tmp_path: Path, model: str) -> None:
    key = server.new_key(name="codex")
    home = tmp_path / "codex"
    home.mkdir()
    (home / "config.toml").write_text(
        f'model = "{model}"\nmodel_provider = "gatehouse"\n[model_providers.gatehouse]\nname = "Gatehouse"\n'
        f'base_url = "{server.url}/v1"\nenv_key = "GATEHOUSE_API_KEY"\nwire_api = "responses"\n'
    )
    done = run(
        node(),
        str(CODEX),
        "exec",
        "--json",
        "--skip-git-repo-check",
        "Say hello.",
        folder=tmp_path,
        HOME=str(tmp_path),
        CODEX_HOME=str(home),
        GATEHOUSE_API_KEY=key,
        HTTPS_PROXY=NOWHERE,
        HTTP_PROXY=NOWHERE,
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    said = [event["item"]["text"] for event in events if event.get("item", {}).get("type") == "agent_message"]
    assert said and said[-1]
    rows = server.ledger(1, model=model)
    assert {(row["endpoint"], row["status"]) for row in rows} == {("responses", "ok")}
