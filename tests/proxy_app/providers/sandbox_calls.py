"""Calls the sandbox in-process: a sleep that only takes notes, and readers of its answers."""

from typing import Any

import orjson

from proxy_app.providers.sandbox import SandboxReply, answer

JSON = dict[str, Any]
CLOCK = 1_795_392_000


class Sleeps:
    """Stands in for asyncio.sleep and remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)

    @property
    def total(self) -> float:
        return sum(self.asked)


def chat(text: str = "hello", model: str = "sandbox/fast", **fields: Any) -> JSON:
    return {"model": model, "messages": [{"role": "user", "content": text}]} | fields


async def ask(body: Any, path: str = "/chat/completions", sleep: Sleeps | None = None) -> SandboxReply:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return await answer("POST", path, {}, raw, sleep or Sleeps(), lambda: CLOCK)


async def read(reply: SandboxReply) -> JSON:
    return orjson.loads(b"".join([chunk async for chunk in reply.chunks]))


async def plain(body: JSON, sleep: Sleeps | None = None) -> JSON:
    reply = await ask(body, sleep=sleep)
    assert reply.status == 200
    return await read(reply)


async def stream(body: JSON, sleep: Sleeps | None = None) -> list[Any]:
    """The events of a stream; '[DONE]' stays a text."""
    reply = await ask(body | {"stream": True}, sleep=sleep)
    assert reply.status == 200
    raw = b"".join([chunk async for chunk in reply.chunks]).decode()
    assert raw.endswith("\n\n")
    datas = [event.removeprefix("data: ") for event in raw.removesuffix("\n\n").split("\n\n")]
    return [data if data == "[DONE]" else orjson.loads(data) for data in datas]


def rebuilt(events: list[Any], index: int = 0) -> JSON:
    """What a client's accumulator makes of a stream's choice: the message and its finish reason."""
    message: JSON = {"content": None}
    finish = None
    calls: dict[int, JSON] = {}
    for event in events:
        for choice in event["choices"] if event != "[DONE]" else ():
            if choice["index"] != index:
                continue
            finish = choice["finish_reason"] or finish
            for name in ("role", "content", "reasoning_content"):
                if choice["delta"].get(name):
                    message[name] = (message.get(name) or "") + choice["delta"][name]
            for part in choice["delta"].get("tool_calls", ()):
                if "id" in part:
                    calls[part["index"]] = part | {"function": dict(part["function"])}
                else:
                    calls[part["index"]]["function"]["arguments"] += part["function"]["arguments"]
    if calls:
        message["tool_calls"] = [
            {name: call[name] for name in ("id", "type", "function")} for call in calls.values()
        ]
    return {"message": message, "finish_reason": finish}
