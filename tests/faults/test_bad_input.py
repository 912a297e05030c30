"""Whatever is sent, the answer is an OpenAI-shaped error with the right status, and never a traceback."""

import json
import re
from typing import Any

import pytest

from tests.faults.gateway import Gate
from tests.faults.processes import until

CHAT = "/v1/chat/completions"
TURN = {"role": "user", "content": "hello"}
GOOD = {"model": "openai-mock", "messages": [TURN]}

#: name -> (method, path, body, status, code)
BAD: dict[str, tuple[str, str, Any, int, str]] = {
    "no body": ("POST", CHAT, None, 400, "invalid_body"),
    "broken JSON": ("POST", CHAT, b'{"model": ', 400, "invalid_body"),
    "a list": ("POST", CHAT, [GOOD], 400, "invalid_body"),
    "a text": ("POST", CHAT, "hello", 400, "invalid_body"),
    "bytes": ("POST", CHAT, b"\x00\xff\xfe" * 100, 400, "invalid_body"),
    "deep": ("POST", CHAT, b"[" * 100_000, 400, "invalid_body"),
    "no model": ("POST", CHAT, {"messages": [TURN]}, 400, "invalid_body"),
    "model is a number": ("POST", CHAT, {**GOOD, "model": 7}, 400, "invalid_body"),
    "no messages": ("POST", CHAT, {"model": "openai-mock"}, 400, "invalid_body"),
    "messages are a text": ("POST", CHAT, {**GOOD, "messages": "hello"}, 400, "invalid_body"),
    "a message is null": ("POST", CHAT, {**GOOD, "messages": [None]}, 400, "invalid_body"),
    "stream is a text": ("POST", CHAT, {**GOOD, "stream": "yes"}, 400, "invalid_body"),
    "an address": ("POST", CHAT, {**GOOD, "x": [{"api_base": "http://a"}]}, 400, "forbidden_parameter"),
    "unknown model": ("POST", CHAT, {**GOOD, "model": "gpt-nothing"}, 404, "model_not_found"),
    "20 MB": ("POST", CHAT, b"x" * 20_000_000, 413, "body_too_large"),
    "unknown path": ("POST", "/v1/chat/complete", GOOD, 404, "unknown_path"),
    "v1 twice": ("POST", "/v1/v1/chat/completions", GOOD, 404, "unknown_path"),
    "wrong method": ("GET", CHAT, None, 405, "method_not_allowed"),
    "deleted": ("DELETE", CHAT, None, 405, "method_not_allowed"),
}


def error_of(answer: tuple[int, dict[str, str], Any]) -> tuple[int, str]:
    status, headers, body = answer
    assert headers["content-type"] == "application/json"
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"]
    assert headers["x-request-id"] in error["message"]
    assert "Traceback" not in error["message"] and 'File "' not in error["message"]
    return status, error["code"]


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_what_is_wrong_and_kept_in_the_ledger(gate: Gate, name: str) -> None:
    method, path, body, status, code = BAD[name]
    # A key of its own: a flood of one key's refusals is one row a second.
    key = gate.server.new_key(name=f"bad {name}"[:100])
    try:
        answer = gate.server.call(method, path, body, key=key)
    except OSError:  # the connection was closed while 20 MB were still being written
        assert name == "20 MB"
    else:
        assert error_of(answer) == (status, code)
    _, _, me = gate.server.call("GET", "/api/v1/key", key=key)
    [row] = gate.server.ledger(1, key=me["id"])
    assert (row["status"], row["http_status"], row["error_code"]) == ("refused", status, code)
    assert (row["cost_nanodollars"], row["repeated"]) == (0, 1)


@pytest.mark.parametrize("name", ["no body", "broken JSON", "unknown path", "wrong method", "20 MB"])
def test_without_a_key_nothing_is_read_and_nothing_is_written(gate: Gate, name: str) -> None:
    method, path, body, *_ = BAD[name]
    try:
        answer = gate.server.call(method, path, body, key="")
    except OSError:
        assert name == "20 MB"
        return
    wanted = (404, "unknown_path") if name == "unknown path" else (401, "missing_api_key")
    assert error_of(answer) == wanted


@pytest.mark.parametrize(
    "value",
    ["", "' OR 1=1 --", "sk-gh-" + "x" * 43, "x" * 50_000, "%00", "\xff\xfe", "Bearer Bearer", "sk-gh-…"],
    ids=["empty", "quotes", "wrong", "long", "nul", "bytes", "twice", "unicode"],
)
def test_a_wrong_key_is_401_whatever_it_is(gate: Gate, value: str) -> None:
    header = value.encode("utf-8").decode("latin-1")
    answer = gate.server.call("POST", CHAT, GOOD, key="", headers={"authorization": f"Bearer {header}"})
    assert answer[0] == 401 and error_of(answer)[1] in ("invalid_api_key", "missing_api_key")


def test_a_flood_of_one_refusal_is_few_rows_that_count_all_of_it(gate: Gate) -> None:
    key = gate.server.new_key(name="flood")
    for _ in range(40):
        assert gate.server.call("POST", CHAT, {**GOOD, "model": "nothing"}, key=key)[0] == 404
    _, _, me = gate.server.call("GET", "/api/v1/key", key=key)

    def counted() -> int:
        return sum(row["repeated"] for row in gate.server.ledger(1, key=me["id"]))

    until(lambda: counted() == 40, 10, "not every refusal was counted")
    assert len(gate.server.ledger(1, key=me["id"])) < 10


def test_the_log_has_no_traceback(gate: Gate) -> None:
    for method, path, body, *_ in BAD.values():
        if not (isinstance(body, bytes) and len(body) > 1_000_000):
            gate.server.call(method, path, body, key=gate.key)
    gate.server.call("POST", CHAT, json.dumps(GOOD).encode()[:-3] + b"\xed\xa0\x80}", key=gate.key)
    log = gate.server.log.read_text("utf-8", "replace")
    assert not re.search(r"Traceback|Exception in ASGI|failed inside the gateway", log)
