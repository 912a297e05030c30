"""No secret in a log, an error or the database, whatever fails; the log is kept at DEBUG."""

import asyncio
import itertools
import json
import socket
from pathlib import Path
from typing import Any

from tests.faults.gateway import CREDENTIALS, ECHOES, ENCRYPTION_KEY, FAMILIES, FAULTS, PROMPT, Gate
from tests.serving import MASTER_KEY, PASSWORD

SESSION = "sessioncanary5be18f3d7c2a90e4"


def fail_in_every_way(gate: Gate, key: str) -> list[str]:
    """Every answer's headers and body, as text."""
    heard: list[Any] = []
    models = [f"{kind}-{fault}" for kind in FAMILIES for fault in FAULTS]
    models += [f"{kind}-echo-{each}" for kind in FAMILIES for each in ECHOES]
    for model, stream in itertools.product(models, (False, True)):
        heard.append(gate.ask(model, stream, key=key))
    heard.append(gate.ask("openai-mock", key=key + "x"))
    heard.append(gate.ask("unknown", key=key))
    heard.append(gate.ask("openai-mock", key=key, api_key=CREDENTIALS["openai"]))
    body = json.dumps({"messages": PROMPT}).encode()
    for path in ("/v1/chat/completions", "/v1/nothing", "/api/v1/keys/", "/api/v1/nothing/"):
        heard.append(gate.server.call("POST", path, body, key=key))
        heard.append(gate.server.call("POST", f"{path}?key={key}", body, key=""))
        heard.append(gate.server.call("POST", path, b"{" + body, key=MASTER_KEY))
    knock_at_the_socket(gate, key)
    return [f"{headers} {answer}" for _, headers, answer in heard]


def knock_at_the_socket(gate: Gate, key: str) -> None:
    """A websocket's opening carries a session, and addresses may carry a key."""
    head = (
        f"GET /ui/ws/live/?key={key} HTTP/1.1\r\nhost: 127.0.0.1:{gate.server.port}\r\n"
        f"origin: {gate.server.url}\r\ncookie: sessionid={SESSION}\r\nconnection: Upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: Y2FuYXJ5Y2FuYXJ5Y2E=\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gate.server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 ")


def stored(data: Path) -> dict[str, bytes]:
    """Everything the server wrote, but the folder that is there to keep secrets."""
    files = (path for path in data.rglob("*") if path.is_file() and "secrets" not in path.parts)
    return {str(path.relative_to(data)): path.read_bytes() for path in files}


async def test_no_secret_leaves_its_place_whatever_fails(gate: Gate) -> None:
    key = gate.server.new_key(name="canary")
    answers = await asyncio.to_thread(fail_in_every_way, gate, key)
    _, _, me = gate.server.call("GET", "/api/v1/key", key=key)
    gate.server.ledger(len(FAMILIES) * len(FAULTS), key=me["id"])
    assert gate.server.data is not None
    canaries = {
        **CREDENTIALS,
        "virtual key": key,
        "master key": MASTER_KEY,
        "prompt": PROMPT,
        "encryption key": ENCRYPTION_KEY,
        "password": PASSWORD,
        "session": SESSION,
    }
    log = gate.server.log.read_bytes()
    assert log
    places = {"log": log, **stored(gate.server.data)}
    # What the caller sent itself may be told to it; a provider's credential and our own secrets may not.
    places |= {f"answer {number}": text.encode() for number, text in enumerate(answers)}
    found = [
        (name, place, raw[max(raw.find(secret.encode()) - 80, 0) :][:200])
        for name, secret in canaries.items()
        for place, raw in places.items()
        if secret.encode() in raw
    ]
    assert found == []
    assert any(place.endswith(".sqlite3") for place in places)
    assert any("journal" in place for place in places)
