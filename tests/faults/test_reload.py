"""Keys: what was made works at once, what was blocked is refused within 2 s, whichever way it was done."""

import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.faults.gateway import Gate
from tests.serving import PASSWORD

REFUSED_WITHIN_S = 2.0


def in_admin(gate: Gate, path: str, form: dict[str, Any]) -> httpx.Response:
    """Sign in to the admin, open a page as a browser would, and send its form."""
    with httpx.Client(base_url=gate.server.url, follow_redirects=True) as browser:
        for address, fields in (
            ("/admin/login/", {"username": "admin", "password": PASSWORD}),
            (path, form),
        ):
            page = browser.get(address)
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
            assert page.status_code == 200 and token, page.text[:500]
            referer = {"referer": str(page.url)}
            answer = browser.post(page.url, data={**fields, "csrfmiddlewaretoken": token[1]}, headers=referer)
            assert answer.status_code == 200, answer.text[:500]
        return answer


def by_admin_action(gate: Gate, key_id: str) -> None:
    in_admin(
        gate,
        "/admin/keys_app/virtualkey/",
        {"action": "block_selected", "_selected_action": key_id, "index": "0", "select_across": "0"},
    )


def by_admin_page(gate: Gate, key_id: str) -> None:
    in_admin(gate, f"/admin/keys_app/virtualkey/{key_id}/block/", {"reason": "lost"})


def by_api(gate: Gate, key_id: str) -> None:
    status, _, body = gate.server.call("POST", f"/api/v1/keys/{key_id}/block/", {})
    assert status == 200, body


def by_update(gate: Gate, key_id: str) -> None:
    code = (
        "from django.utils import timezone; from keys_app.models import VirtualKey; "
        f"print(VirtualKey.objects.filter(pk='{key_id}').update(blocked_at=timezone.now()))"
    )
    done = gate.server.manage("shell", "-c", code)
    assert done.stdout.split()[-1:] == ["1"], done.stderr


def by_sql(gate: Gate, key_id: str) -> None:
    with sqlite3.connect(database(gate), timeout=10) as connection:
        changed = connection.execute(
            "UPDATE keys_app_virtualkey SET blocked_at = datetime('now') WHERE id = ?", (UUID(key_id).hex,)
        )
        assert changed.rowcount == 1
    connection.close()


def by_deletion(gate: Gate, key_id: str) -> None:
    with sqlite3.connect(database(gate), timeout=10) as connection:
        changed = connection.execute("DELETE FROM keys_app_virtualkey WHERE id = ?", (UUID(key_id).hex,))
        assert changed.rowcount == 1
    connection.close()


def database(gate: Gate) -> Path:
    assert gate.server.data is not None
    return next(gate.server.data.glob("*.sqlite3"))


WAYS = (by_admin_action, by_admin_page, by_api, by_update, by_sql, by_deletion)


def test_a_key_made_a_moment_ago_works_at_once(gate: Gate) -> None:
    for number in range(10):
        assert gate.ask("openai-mock", key=gate.server.new_key(name=f"new {number}"))[0] == 200


@pytest.mark.parametrize("block", WAYS, ids=[way.__name__ for way in WAYS])
def test_a_blocked_key_is_refused_within_two_seconds(gate: Gate, block: Callable[[Gate, str], None]) -> None:
    """While it is in use: what is served must not bring the old picture back."""
    key = gate.server.new_key(name=block.__name__)
    assert gate.ask("openai-mock", key=key)[0] == 200
    key_id = gate.server.call("GET", "/api/v1/key", key=key)[2]["id"]
    block(gate, key_id)
    blocked_at = time.monotonic()
    while (status := gate.ask("openai-mock", key=key)[0]) == 200:
        assert time.monotonic() - blocked_at < REFUSED_WITHIN_S, "the key still works"
    assert status == 401
    # For good, not for a moment.
    assert {gate.ask("openai-mock", stream=True, key=key)[0] for _ in range(5)} == {401}


def test_a_rotated_key_keeps_its_identity_and_the_old_secret_ends(gate: Gate) -> None:
    key = gate.server.new_key(name="rotated")
    key_id = gate.server.call("GET", "/api/v1/key", key=key)[2]["id"]
    status, _, body = gate.server.call("POST", f"/api/v1/keys/{key_id}/rotate/", {"grace_hours": 0})
    assert status == 200, body
    assert body["id"] == key_id and gate.ask("openai-mock", key=body["key"])[0] == 200
    rotated_at = time.monotonic()
    while gate.ask("openai-mock", key=key)[0] == 200:
        assert time.monotonic() - rotated_at < REFUSED_WITHIN_S, "the old secret still works"


def test_a_model_taken_from_a_key_is_refused_within_two_seconds(gate: Gate) -> None:
    key = gate.server.new_key(name="narrowed")
    key_id = gate.server.call("GET", "/api/v1/key", key=key)[2]["id"]
    assert gate.ask("gemini-mock", key=key)[0] == 200
    status, _, body = gate.server.call("PATCH", f"/api/v1/keys/{key_id}/", {"models": ["openai-mock"]})
    assert status == 200, body
    changed_at = time.monotonic()
    while gate.ask("gemini-mock", key=key)[0] == 200:
        assert time.monotonic() - changed_at < REFUSED_WITHIN_S, "the model still works"
    assert gate.ask("gemini-mock", key=key)[0] == 403 and gate.ask("openai-mock", key=key)[0] == 200


def test_a_wrong_key_takes_as_long_whatever_it_is(gate: Gate) -> None:
    """A key that shares all but its last letter with a real one is no slower to refuse."""
    near = gate.key[:-1] + ("a" if gate.key[-1] != "a" else "b")
    took: dict[str, list[float]] = {near: [], "sk-gh-" + "q" * 43: []}
    for _ in range(15):
        for wrong, times in took.items():
            began = time.perf_counter()
            assert gate.ask("openai-mock", key=wrong)[0] == 401
            times.append(time.perf_counter() - began)
    first, second = (sorted(times)[len(times) // 2] for times in took.values())
    assert abs(first - second) < 0.02
