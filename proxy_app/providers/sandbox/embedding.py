"""Deterministic unit vectors for texts: alike texts get near vectors, by hashing their words."""

import base64
import hashlib
import math
import re
import struct
from typing import Any

from proxy_app.providers.sandbox.reading import count_tokens
from proxy_app.providers.sandbox.reply import Refused

JSON = dict[str, Any]

DIMENSIONS = 1536
MOST_DIMENSIONS = 4096
MOST_INPUTS = 2048


def embeddings_body(body: JSON) -> JSON:
    """The answer to an embeddings request; raises Refused (400) on a wrong one."""
    texts, tokens = _inputs(body.get("input"))
    size = body.get("dimensions") or DIMENSIONS
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_DIMENSIONS:
        raise Refused(400, f"'dimensions' must be from 1 to {MOST_DIMENSIONS}.", param="dimensions")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise Refused(400, "'encoding_format' must be 'float' or 'base64'.", param="encoding_format")
    vectors = [unit_vector(text, size) for text in texts]
    data = [
        {
            "object": "embedding",
            "index": position,
            "embedding": _packed(vector) if encoding == "base64" else vector,
        }
        for position, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def unit_vector(text: str, size: int = DIMENSIONS) -> list[float]:
    vector = [0.0] * size
    for word in re.findall(r"\w+", text.lower()) or [text]:
        marks = hashlib.sha256(word.encode()).digest()
        for start in range(0, 32, 4):
            mark = int.from_bytes(marks[start : start + 4], "big")
            vector[(mark >> 1) % size] += 1.0 if mark & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _inputs(value: Any) -> tuple[list[str], int]:
    """Texts to embed and their tokens; lists of token numbers are taken as what they are."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        value = [value]
    if not isinstance(value, list) or not value or len(value) > MOST_INPUTS:
        raise Refused(400, f"'input' must be a text or a list of at most {MOST_INPUTS}.", param="input")
    texts: list[str] = []
    tokens = 0
    for item in value:
        if isinstance(item, str) and item:
            texts.append(item)
            tokens += count_tokens(item)
        elif isinstance(item, list) and item and all(isinstance(number, int) for number in item):
            texts.append(" ".join(map(str, item)))
            tokens += len(item)
        else:
            raise Refused(400, "'input' holds something that cannot be embedded.", param="input")
    return texts, tokens
