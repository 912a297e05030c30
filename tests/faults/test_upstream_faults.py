"""What a provider does wrong, on real connections: cuts, silence, and clients that leave."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.gateway import FAMILIES, FIRST_S, IDLE_S, PROMPT, TOTAL_S, Gate
from tests.faults.processes import until

every_kind = pytest.mark.parametrize("kind", FAMILIES)

#: model -> (is it streamed, the setting that ends it, the status the caller is told)
SILENCES: dict[str, tuple[bool, float, int]] = {
    "headers": (True, FIRST_S, 504),
    "stall-first": (True, FIRST_S, 504),
    "stall-mid": (True, IDLE_S, 200),
    "total": (False, TOTAL_S, 504),
}


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("silence", SILENCES)
def test_each_silence_ends_at_its_own_setting_and_frees_the_provider(gate: Gate, silence: str) -> None:
    with ThreadPoolExecutor() as crowd:
        list(crowd.map(lambda kind: check_silence(gate, kind, silence), FAMILIES))


def check_silence(gate: Gate, kind: str, silence: str) -> None:
    """Never before the setting; the bound above it is wide because test machines are slow."""
    stream, limit_s, told = SILENCES[silence]
    began = time.monotonic()
    status, headers, body = gate.ask(f"{kind}-{silence}", stream)
    took_s = time.monotonic() - began
    assert status == told and limit_s * 0.95 <= took_s <= limit_s * 1.1 + 15.0  # on a busy machine
    if told == 200:
        assert "upstream_timeout" in events(body)[-1] and "[DONE]" not in body
    else:
        assert body["error"]["code"] == "upstream_timeout"
    row = gate.server.row(headers["x-request-id"])
    assert (row["status"], row["error_code"]) == ("error", "upstream_timeout")
    # The clock of the row is the gateway's own: there the setting shows to a tenth.
    assert limit_s * 1000 * 0.99 <= row["latency_ms"] <= limit_s * 1000 * 1.1 + 250
    [seen] = gate.up.seen_for(row["id"])
    until(lambda: seen.closed_early and seen.ended.is_set(), 5, "the provider's connection is still held")


@every_kind
def test_a_truncated_stream_is_no_finished_answer(gate: Gate, kind: str) -> None:
    """Pain 27, where it is hardest: the provider closes cleanly, only its terminator is missing."""
    status, headers, body = gate.ask(f"{kind}-cut", stream=True)
    heard = events(body) if isinstance(body, str) else []
    assert "[DONE]" not in heard
    assert not any('"finish_reason":"' in event for event in heard)
    row = gate.server.row(headers["x-request-id"])
    if status == 200:
        assert "upstream_cut" in heard[-1]
        assert (row["status"], row["usage_source"]) == ("truncated", "estimate")
    else:  # all of it came in one read, so nothing had been sent to the client
        assert status == 502 and row["status"] == "error"


@pytest.mark.parametrize("leaves", ["before the answer", "in the middle"])
def test_a_client_that_leaves_gets_one_row_and_frees_the_provider(gate: Gate, leaves: str) -> None:
    """Pain 3: the provider's connection ends, the call is filed once, and nothing stays in flight."""
    model = "openai-stall-mid" if leaves == "in the middle" else "openai-total"
    key = gate.server.new_key(name=f"leaves {leaves}")
    body = f'{{"model":"{model}","stream":{str(leaves == "in the middle").lower()},"max_tokens":9999999,'
    body += f'"messages":[{{"role":"user","content":"{PROMPT}"}}]}}'
    before = len(gate.up.mock.seen)
    with socket.create_connection(("127.0.0.1", gate.server.port)) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\n"
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        if leaves == "in the middle":
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        until(lambda: len(gate.up.mock.seen) > before)
    _, _, me = gate.server.call("GET", "/api/v1/key", key=key)
    [row] = gate.server.ledger(1, key=me["id"])
    assert (row["status"], row["error_code"]) == ("cancelled", "client_gone")
    assert (row["cost_nanodollars"] > 0) and row["usage_source"] == "estimate"
    [seen] = gate.up.seen_for(row["id"])
    until(lambda: seen.closed_early and seen.ended.is_set(), 5, "the provider's connection is still held")
    until(lambda: _in_flight(gate) == 0, 5, "a call is still in flight")


def _in_flight(gate: Gate) -> Any:
    return gate.server.call("GET", "/health/ready")[2]["in_flight"]
