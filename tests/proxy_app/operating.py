"""Scripts, prices and budgets for tests of what is no conversation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from tests.proxy_app import harness
from tests.proxy_app.harness import Gateway, Script
from tests.proxy_app.levels import with_budget
from usage_app.pricing import CompiledPrice, PriceBook, PriceRow, compile_rates

DOLLAR = 10**9
EMBEDDED = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
    "future": {"kept": 1.10},
}


def answers(body: Any, seen: list[httpx.Request] | None = None, **headers: str) -> Script:
    async def script(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return httpx.Response(200, content=content, headers=told)

    return script


def priced(gate: Gateway, units: dict[str, int], **rates: int) -> Gateway:
    """The harness's model at another price."""
    compiled, _ = compile_rates(rates)
    price = CompiledPrice("price-2", "openai", "gpt-*", "admin", compiled, units=units, by_tokens=bool(rates))
    picture = gate.keeper.current
    gate.keeper.current = replace(
        picture, sections={**picture.sections, "prices": PriceBook([PriceRow(price)])}
    )
    return gate


async def budgeted(gate: Gateway, nanodollars: int) -> Gateway:
    gate.keeper.current = with_budget(gate.keeper.current, "key", nanodollars)
    await gate.services.limits.load({}, [])
    return gate


IMAGES = {
    "created": 1,
    "data": [{"b64_json": "aGk="}, {"b64_json": "aGk="}],
    "quality": "high",
    "size": "1024x1024",
    "usage": {
        "input_tokens": 50,
        "output_tokens": 8_320,
        "total_tokens": 8_370,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    },
}


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def speaking(pieces: list[Any], content_type: str = "audio/mpeg") -> Script:
    async def script(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": content_type}, stream=harness.Stream(pieces))

    return script


def on_disk(gate: Gateway, tmp_path: Path) -> Gateway:
    gate.services.config = replace(gate.services.config, data=tmp_path / "data")
    return gate
