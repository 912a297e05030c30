"""A provider that keeps files and batches, a gateway before it, and a caller's steps with them."""

import json
from dataclasses import replace
from typing import Any

import httpx

from keys_app import demanding, policy
from keys_app.entries import KeyEntry
from keys_app.limits import MemoryStore
from keys_app.limits.contract import LevelState
from keys_app.secrets import hash_secret
from proxy_app.batch_settling import Watch
from proxy_app.catalogue import DeploymentEntry
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import SECRET, Answer, Gateway, deployment
from usage_app.records import Stored

STRANGER = "sk-gh-" + "s" * 43
QUIRKS = {"files": True, "batches": 50}
#: What the answers of a batch used, and what that costs at half of 1000 and 4000 nanodollars a token.
USED = ((12, 5), (101, 33))
COST = sum(read * 1000 + written * 4000 for read, written in USED) // 2


class Provider:
    """Keeps files and batches; a batch is what `status` says."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.content: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.status = "in_progress"
        self.sent: list[bytes] = []
        self.reads = 0
        self.failing = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        kind, _, rest = request.url.path.removeprefix("/v1/").partition("/")
        name, _, verb = rest.partition("/")
        if kind == "files" and not name:
            self.sent.append(request.content)
            return httpx.Response(200, json=self.put(request.content.split(b"\r\n\r\n")[-1], "batch"))
        known = (self.files if kind == "files" else self.batches).get(name)
        if name and known is None:
            return httpx.Response(404, json={"error": {"message": "nothing of that name"}})
        if kind == "files":
            return self._file(request.method, name, verb)
        if not name:
            asked = json.loads(request.content)
            made = {
                "id": f"batch_{len(self.batches) + 1}",
                "object": "batch",
                "status": "validating",
                **asked,
            }
            self.batches[made["id"]] = made
            return httpx.Response(200, json=made)
        if verb == "cancel":
            self.batches[name]["status"] = "cancelled"
        elif self.batches[name]["status"] != "cancelled":
            self.batches[name]["status"] = self.status
        return httpx.Response(200, json=self.batches[name])

    def _file(self, method: str, name: str, verb: str) -> httpx.Response:
        if method == "DELETE":
            del self.files[name]
            return httpx.Response(200, json={"id": name, "object": "file", "deleted": True})
        if verb == "content":
            self.reads += 1
            if self.failing:
                return httpx.Response(503, json={"error": {"message": "not now"}})
            return httpx.Response(200, content=self.content[name])
        return httpx.Response(200, json=self.files[name])

    def put(self, content: bytes, purpose: str) -> dict[str, Any]:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = {"id": name, "object": "file", "purpose": purpose}
        self.content[name] = content.rpartition(b"\r\n--")[0] if purpose == "batch" else content
        return self.files[name]

    def finish(self, batch_id: str = "batch_1", status: str = "completed") -> None:
        """The batch is done, and its result lies there."""
        lines = [
            {
                "custom_id": str(number),
                "response": {
                    "status_code": 200,
                    "body": {
                        "model": "gpt-test-2026",
                        "usage": {"prompt_tokens": read, "completion_tokens": written},
                    },
                },
            }
            for number, (read, written) in enumerate(USED)
        ]
        lines.append({"custom_id": "x", "response": {"status_code": 400, "body": {"error": {"code": "bad"}}}})
        result = self.put("\n".join(json.dumps(line) for line in lines).encode(), "batch_output")
        self.batches[batch_id]["output_file_id"] = result["id"]
        self.status = status


def able(name: str = "alpha", quirks: dict[str, Any] | None = None) -> DeploymentEntry:
    made = deployment(name)
    return replace(made, provider=replace(made.provider, quirks=QUIRKS if quirks is None else quirks))


async def opened(gate: Gateway) -> Gateway:
    """With a second key, of another service."""
    picture = gate.keeper.current
    mine = next(iter(picture.keys.values()))
    other: KeyEntry = replace(mine, id="key-2", service_id="")
    gate.keeper.current = replace(picture, keys={**picture.keys, hash_secret(STRANGER): other})
    await gate.services.limits.load({}, [])
    return gate


def line(
    number: int = 1, *, name: str = "gpt", url: str = "/v1/chat/completions", **fields: Any
) -> dict[str, Any]:
    body = {"model": name, "messages": [{"role": "user", "content": "hello"}], **fields}
    return {"custom_id": str(number), "method": "POST", "url": url, "body": body}


def lines(*made: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(each) for each in made or (line(1), line(2))).encode()


async def upload(gate: Gateway, content: bytes, purpose: str = "batch", **more: Any) -> Answer:
    fields = more.pop("fields", {})
    headers = {"content-type": CONTENT_TYPE, **more.pop("headers", {})}
    body = form({"file": content}, purpose=purpose, **fields)
    return await gate.ask(body, path="/v1/files", headers=headers, **more)


async def make(gate: Gateway, file_id: str = "file-1", **more: Any) -> Answer:
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return await gate.ask(body, path="/v1/batches", **more)


async def started(gate: Gateway) -> None:
    assert (await upload(gate, lines())).status == 200
    answer = await make(gate)
    assert answer.status == 200, answer.body


async def get(gate: Gateway, path: str, **more: Any) -> Answer:
    return await gate.ask(path=path, method=more.pop("method", "GET"), **more)


async def look(gate: Gateway) -> Answer:
    answer = await get(gate, "/v1/batches/batch_1")
    await gate.services.followed.finish()
    return answer


async def spent(gate: Gateway, at_ms: int | None = None) -> int:
    return (await level(gate, at_ms)).spent


async def level(gate: Gateway, at_ms: int | None = None) -> LevelState:
    """The one budget there is, as it stands."""
    at_ms = at_ms or gate.ends[0].at_ms
    limits = gate.services.limits
    assert isinstance(limits, MemoryStore)
    principal = policy.authenticate(gate.keeper.current, hash_secret(SECRET), 0)
    demand = demanding.demand(
        gate.keeper.current, principal, model="gpt", provider="alpha", end_user="", now_ms=at_ms
    )
    [state] = await limits.state(demand, at_ms)
    return state


def due(gate: Gateway, *records: Stored) -> Watch:
    """A watch to which each is due now."""
    watch = Watch(gate.services, lambda: records)
    watch._due = {record.id: 0.0 for record in records}
    return watch
