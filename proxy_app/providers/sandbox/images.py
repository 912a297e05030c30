"""Deterministic pictures: a small PNG of one colour with a lighter square, drawn from the prompt's hash."""

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

from proxy_app.providers.sandbox.reading import count_tokens
from proxy_app.providers.sandbox.reply import Refused

JSON = dict[str, Any]

SIDE = 32  # pixels, whatever size is asked for
MOST_IMAGES = 10
TOKENS = {"low": 272, "medium": 1056, "high": 4160}
INPUT_IMAGE_TOKENS = 323


def png(seed: str) -> bytes:
    marks = hashlib.sha256(seed.encode("utf-8", "replace")).digest()
    back, front = marks[:3], bytes(min(mark + 96, 255) for mark in marks[3:6])
    left, top = marks[6] % (SIDE // 2), marks[7] % (SIDE // 2)
    rows = bytearray()
    for y in range(SIDE):
        rows.append(0)
        for x in range(SIDE):
            inside = left <= x < left + SIDE // 2 and top <= y < top + SIDE // 2
            rows += front if inside else back
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read_count(body: JSON) -> int:
    """`n`, as JSON or as a form tells it."""
    value = body.get("n") or 1
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 4:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_IMAGES:
        raise Refused(400, f"'n' must be from 1 to {MOST_IMAGES}.", param="n")
    return value


def images_body(body: JSON, created: int, images: int = 0, seed: str = "") -> JSON:
    """The answer to a request for images; raises Refused (400) on a wrong one."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Refused(400, "'prompt' must be a text.", param="prompt")
    count = read_count(body)
    drawn = [base64.b64encode(png(f"{prompt}{seed}{number}")).decode() for number in range(count)]
    return {
        "created": created,
        "background": "opaque",
        "output_format": "png",
        "quality": _named(body, "quality", "low"),
        "size": _named(body, "size", "1024x1024"),
        "data": [{"b64_json": each} for each in drawn],
        "usage": _usage(prompt, images, count * TOKENS.get(_named(body, "quality", "low"), TOKENS["high"])),
    }


def image_events(body: JSON, made: JSON, kind: str) -> Iterator[bytes]:
    """One partial image when it is asked for, then each image with its own usage."""
    shared = {name: made[name] for name in ("background", "output_format", "quality", "size")}
    shared["created_at"] = made["created"]
    count = len(made["data"])
    usage = made["usage"]
    for image in made["data"]:
        if body.get("partial_images") not in (None, 0, "0"):
            partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, **image, **shared}
            yield event(partial)
        each = {**usage, "output_tokens": usage["output_tokens"] // count}
        each["total_tokens"] = each["input_tokens"] + each["output_tokens"]
        yield event({"type": f"{kind}.completed", **image, **shared, "usage": each})


def event(data: JSON) -> bytes:
    return b"event: " + str(data["type"]).encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def _named(body: JSON, name: str, default: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) and value not in ("", "auto") else default


def _usage(prompt: str, images: int, output: int) -> JSON:
    text = count_tokens(prompt)
    image = images * INPUT_IMAGE_TOKENS
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": output,
        "total_tokens": text + image + output,
        "output_tokens_details": {"image_tokens": output, "text_tokens": 0},
    }
