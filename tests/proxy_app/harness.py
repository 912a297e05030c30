"""The data plane in one process for tests: real pipeline, scripted provider, journal in a folder."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from gateway_project.clock import now_ms
from gateway_project.conf import load
from gateway_project.handler import DataPlaneHandler
from keys_app.entries import KeyEntry, ServiceEntry, Snapshot, UserEntry
from keys_app.limits import MemoryStore
from keys_app.secrets import hash_secret
from proxy_app.call import Services
from proxy_app.catalogue import (
    Catalogue,
    DeploymentEntry,
    FallbackEntry,
    ModelEntry,
    ProviderEntry,
    Timeouts,
)
from proxy_app.health import Health
from proxy_app.metrics import Metrics
from proxy_app.stored import StoredObjects
from proxy_app.upstream import Upstream
from proxy_app.upstream_inprocess import HttpxSender, SandboxSender
from usage_app.journal import JournalWriter
from usage_app.journal_folder import segment_numbers, segment_path
from usage_app.journal_lines import read_records
from usage_app.live import Registry
from usage_app.pricing import CompiledPrice, PriceBook, PriceRow, compile_rates
from usage_app.records import AttemptBegun, Begin, End, Stored

SECRET = "sk-gh-" + "a" * 43
MASTER = "sk-gh-master-for-harness"
CANARY = "upstream-credential-canary"

Script = Callable[[httpx.Request], Awaitable[httpx.Response]]

PRICE_RATES, _ = compile_rates({"input": 1_000_000_000, "cache_read": 100_000_000, "output": 4_000_000_000})
PRICE = CompiledPrice(id="price-1", provider_kind="openai", model="gpt-*", source="admin", rates=PRICE_RATES)


def provider(name: str, wire: str = "openai_chat", **fields: Any) -> ProviderEntry:
    return ProviderEntry(
        id=f"provider-{name}",
        name=name,
        kind=name,
        base_url=f"http://{name}.test/v1" if wire == "openai_chat" else f"http://{name}.test",
        format=wire,
        headers={"authorization": f"Bearer {CANARY}"},
        price_kind="openai",
        **fields,
    )


def deployment(
    name: str, wire: str = "openai_chat", *, weight: int = 1, order: int = 1, **timeouts: float
) -> DeploymentEntry:
    owner = provider(name, wire)
    return DeploymentEntry(
        id=f"deployment-{name}",
        name=f"{name}/gpt-test",
        model_id="",
        provider=owner,
        upstream_model="gpt-test",
        weight=weight,
        order=order,
        timeouts=Timeouts(**timeouts),
    )


def model(
    name: str,
    *deployments: DeploymentEntry,
    fallbacks: tuple[FallbackEntry, ...] = (),
    strategy: str = "weighted",
) -> ModelEntry:
    return ModelEntry(
        id=f"model-{name}",
        name=name,
        strategy=strategy,
        created_s=1_700_000_000,
        deployments=deployments,
        fallbacks=fallbacks,
    )


@dataclass
class StaticKeeper:
    """A snapshot that a test sets. `on_miss` is what a refresh would bring."""

    current: Snapshot
    on_miss: Snapshot | None = None
    ready: bool = True
    age_s: float = 0.0
    database_down: bool = False
    refreshes: int = 0

    async def refresh_on_miss(self) -> Snapshot:
        self.refreshes += 1
        if self.on_miss is not None:
            self.current, self.on_miss = self.on_miss, None
        return self.current


def snapshot(models: list[ModelEntry], key: KeyEntry | None = None, secret: str = SECRET) -> Snapshot:
    key = key or KeyEntry(
        id="key-1",
        name="checkout",
        hint="sk-gh-…aaaa",
        user_id="user-1",
        service_id="service-1",
        environment="production",
    )
    exact = {entry.name: entry for entry in models if not entry.name.endswith("*")}
    patterns = tuple((entry.name[:-1], entry) for entry in models if entry.name.endswith("*"))
    return Snapshot(
        version=1,
        loaded_at_ms=now_ms(),
        keys={hash_secret(secret): key},
        users={"user-1": UserEntry("user-1", "alice", True, "member")},
        services={"service-1": ServiceEntry("service-1", "Checkout", True)},
        budgets={},
        rate_limits={},
        sections={
            "catalogue": Catalogue(exact, patterns),
            "prices": PriceBook([PriceRow(price=PRICE)]),
        },
    )


@dataclass
class Answer:
    """What came back over ASGI. `chunks` are the body's pieces as they were sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of each server-sent event, JSON decoded where it is JSON."""
        found = []
        for block in self.body.decode().split("\n\n"):
            for line in block.splitlines():
                if line.startswith("data: "):
                    data = line[6:]
                    found.append(data if data == "[DONE]" else json.loads(data))
        return found


def header_lines(headers: Mapping[str, str | list[str]]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them; a list is several lines."""
    return [
        (name.lower().encode(), line.encode())
        for name, value in headers.items()
        for line in ([value] if isinstance(value, str) else value)
    ]


@dataclass
class Gateway:
    """A worker's data plane without its process."""

    services: Services
    keeper: StaticKeeper
    journal_dir: Path
    handler: DataPlaneHandler = field(default_factory=DataPlaneHandler)
    stored_rows: list[Stored] = field(default_factory=list)  # what other workers' journals brought
    charged: dict[tuple[str, str], int] = field(default_factory=dict)  # later costs, as the ledger has them

    async def ask(
        self,
        body: Any = None,
        *,
        path: str = "/v1/chat/completions",
        method: str = "POST",
        key: str | None = SECRET,
        headers: Mapping[str, str | list[str]] | None = None,
        query: str = "",
        address: str = "203.0.113.7",
        leave_after: int | None = None,
        leave_when: asyncio.Event | None = None,
        extensions: dict[str, Any] | None = None,
        on_send: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
    ) -> Answer:
        """One request through the handler; `leave_after` closes the client after that many chunks."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent: dict[str, Any] = {"content-type": "application/json", "content-length": str(len(raw))}
        sent |= headers or {}
        if key is not None:
            sent.setdefault("authorization", f"Bearer {key}")
        left = leave_when or asyncio.Event()
        inbox = [{"type": "http.request", "body": raw, "more_body": False}]
        answer = Answer()

        async def receive() -> dict[str, Any]:
            if inbox:
                return inbox.pop(0)
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if on_send is not None:
                await on_send(message)
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
                return
            if message.get("body"):
                answer.chunks.append(message["body"])
            answer.complete = answer.complete or not message.get("more_body", False)
            if leave_after is not None and len(answer.chunks) >= leave_after:
                left.set()
                await asyncio.sleep(0)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": header_lines(sent),
            "client": (address, 55555),
            "state": {"services": self.services},
            "extensions": extensions or {},
        }
        await self.handler(scope, receive, send)
        return answer

    def records(self, kind: type) -> list[Any]:
        """Every journal record of a kind, in order."""
        self.services.journal.sync()
        folder = self.services.journal.folder
        return [
            record
            for number in segment_numbers(folder)
            for record, _ in read_records(segment_path(folder, number), 0)
            if isinstance(record, kind)
        ]

    @property
    def ends(self) -> list[End]:
        return self.records(End)

    @property
    def begins(self) -> list[Begin]:
        return self.records(Begin)

    @property
    def attempts(self) -> list[AttemptBegun]:
        return self.records(AttemptBegun)


def gateway(folder: Path, script: Script, *models: ModelEntry, **key: Any) -> Gateway:
    """A data plane whose providers all answer by `script`."""
    entries = list(models) or [model("gpt", deployment("alpha"))]
    picture = snapshot(entries)
    if key:
        changed = replace(next(iter(picture.keys.values())), **key)
        picture = replace(picture, keys={hash_secret(SECRET): changed})
    keeper = StaticKeeper(picture)
    journal = JournalWriter(folder, "worker-under-test")
    journal.open()
    rows: list[Stored] = []
    charged: dict[tuple[str, str], int] = {}
    services = Services(
        config=load(),
        keeper=keeper,  # type: ignore[arg-type]
        limits=MemoryStore(),
        journal=journal,
        registry=Registry(),
        upstream=Upstream(HttpxSender(httpx.MockTransport(script)), SandboxSender(folder)),
        health=Health(),
        metrics=Metrics(),
        stored=StoredObjects(
            journal.append,
            find=lambda kind, name: [row for row in rows if (row.kind, row.object_id) == (kind, name)],
            listed=lambda kind, owner: [row for row in rows if (row.kind, row.owner) == (kind, owner)],
            charged=lambda request_id, cause: charged.get((request_id, cause)),
        ),
        master_hash=hash_secret(MASTER),
    )
    return Gateway(services, keeper, folder, stored_rows=rows, charged=charged)


# ---------------------------------------------------------------- provider answers


def completion(text: str = "Hello there", **usage: Any) -> dict[str, Any]:
    counts = usage or {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-test-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": counts,
    }


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-test-2026",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def message(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """An answer as Anthropic gives it."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": list(content) or [{"type": "text", "text": "Hello there"}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 5},
    }


def response(text: str = "Hello there") -> dict[str, Any]:
    """An answer as OpenAI's Responses gives it."""
    part = {"type": "output_text", "text": text, "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": "gpt-test-2026",
        "status": "completed",
        "output": [said],
        "usage": {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17},
    }


def usage_chunk(**usage: int) -> bytes:
    counts = usage or {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-test-2026",
        "choices": [],
        "usage": counts,
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
    chunk({}, "stop"),
    usage_chunk(),
    DONE,
]


class Stream(httpx.AsyncByteStream):
    """A scripted body: bytes are yielded, events awaited, exceptions raised."""

    def __init__(self, pieces: list[Any]) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, Exception):
                raise piece
            else:
                yield piece

    async def aclose(self) -> None:
        self.closed = True


def streamed(pieces: list[Any]) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Stream(pieces))


def asked(stream: bool = False, name: str = "gpt", **fields: Any) -> dict[str, Any]:
    body = {"model": name, "messages": [{"role": "user", "content": "Say hello"}], **fields}
    return {**body, "stream": True} if stream else body
