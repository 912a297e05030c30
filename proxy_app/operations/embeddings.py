"""Embeddings: OpenAI's `/v1/embeddings` and Gemini's `embedContent` and `batchEmbedContents`, both ways.

Wire facts: the OpenAI SDK's `types/embedding_create_params.py`, and Google's API reference. Hints that only
Gemini knows (`taskType`, `title`) are left out for other providers, and told so.
"""

import struct
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Any

import orjson

from gateway_project.errors import InvalidBody, UnsupportedContent, UpstreamInvalid
from proxy_app.formats.claims import claimed_end_user
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.reading import Fields, as_count, as_list, as_object, wrong_type
from proxy_app.operations.contract import Asked, Converted, Operation, OperationPipe, Route
from proxy_app.operations.facts import model_of
from proxy_app.operations.relaying import JSON_HEADERS, observed_whole, read_answer, relay
from proxy_app.wire import JSON, Address, CallFacts, Outgoing, Target, Usage

PATH = "/embeddings"
MOST_INPUTS = 2048
BYTES_PER_TOKEN = 4


# ---------------------------------------------------------------- what callers ask


def read_openai(asked: Asked, address: Address) -> CallFacts:
    fields = Fields(asked.body)
    inputs = _inputs(fields)
    size = sum(len(each.encode("utf-8", "replace")) for each in inputs if isinstance(each, str))
    tokens = sum(len(each) for each in inputs if isinstance(each, list))
    fields.maybe_count("dimensions", minimum=1)
    if fields.maybe_text("encoding_format") not in (None, "float", "base64"):
        raise wrong_type("encoding_format", "'float' or 'base64'")
    return _facts(model_of(fields, address), size, tokens, claimed_end_user(fields))


def _inputs(fields: Fields) -> list[str | list[int]]:
    """Texts, or lists of token numbers."""
    value = fields.get("input")
    if value is None:
        raise InvalidBody("'input' is missing.", param="input")
    if isinstance(value, str) or (isinstance(value, list) and value and type(value[0]) is int):
        value = [value]
    if not isinstance(value, list) or not value:
        raise wrong_type("input", "a string or an array of strings")
    for position, item in enumerate(value):
        is_tokens = isinstance(item, list) and item and all(type(number) is int for number in item)
        if not isinstance(item, str) and not is_tokens:
            raise wrong_type(f"input[{position}]", "a string or an array of token numbers")
    return value


def read_gemini(asked: Asked, address: Address) -> CallFacts:
    return _read_contents(address, [Fields(asked.body)])


def read_gemini_batch(asked: Asked, address: Address) -> CallFacts:
    requests = list(Fields(asked.body).objects("requests"))
    if not requests:
        raise InvalidBody("'requests' must not be empty.", param="requests")
    return _read_contents(address, requests)


def _read_contents(address: Address, requests: list[Fields]) -> CallFacts:
    size = 0
    for request in requests:
        for part in request.object("content").objects("parts"):
            size += len(orjson.dumps(part.data))
    return _facts(address.model or "", size, 0, None)


def _facts(model: str, size: int, tokens: int, end_user: str | None) -> CallFacts:
    """No text has more tokens than bytes; usually it has a quarter."""
    return CallFacts(
        model=model,
        end_user=end_user,
        most=Usage(input_tokens=size + tokens, output_tokens=0),
        likely=Usage(input_tokens=-(-size // BYTES_PER_TOKEN) + tokens, output_tokens=0),
    )


# ---------------------------------------------------------------- to providers


def _build_for_gemini(asked: Asked, target: Target) -> Outgoing:
    """A batch, whatever the number of inputs."""
    fields = Fields(asked.body)
    size = fields.maybe_count("dimensions", minimum=1)
    requests = []
    for position, text in enumerate(_inputs(fields)):
        if not isinstance(text, str):
            raise UnsupportedContent(
                f"'input[{position}]': token numbers cannot be carried to this model.", param="input"
            )
        request: JSON = {"model": f"models/{target.upstream_model}", "content": {"parts": [{"text": text}]}}
        if size is not None:
            request["outputDimensionality"] = size
        requests.append(request)
    return _gemini_outgoing(target, "batchEmbedContents", {"requests": requests})


def _relay_gemini(asked: Asked, target: Target) -> Outgoing:
    body = dict(asked.body)
    if "model" in body:
        body["model"] = f"models/{target.upstream_model}"
    return _gemini_outgoing(target, "embedContent", body)


def _relay_gemini_batch(asked: Asked, target: Target) -> Outgoing:
    name = f"models/{target.upstream_model}"
    requests = [{**request, "model": name} for request in asked.body["requests"]]
    return _gemini_outgoing(target, "batchEmbedContents", {**asked.body, "requests": requests})


def _gemini_outgoing(target: Target, verb: str, body: JSON) -> Outgoing:
    version = target.quirks.get("api_version") or "v1beta"
    path = f"/{version}/models/{target.upstream_model}:{verb}"
    return Outgoing(path, orjson.dumps(body), dict(JSON_HEADERS), model=target.upstream_model)


def _one_for_openai(asked: Asked, target: Target) -> Outgoing:
    return _build_for_openai([Fields(asked.body)], target)


def _batch_for_openai(asked: Asked, target: Target) -> Outgoing:
    return _build_for_openai(list(Fields(asked.body).objects("requests")), target)


def _build_for_openai(requests: list[Fields], target: Target) -> Outgoing:
    texts, sizes, dropped = [], set(), set()
    for request in requests:
        texts.append(_text_of(request))
        sizes.add(_size_of(request))
        for camel, snake in (("taskType", "task_type"), ("title", "title")):
            if _either(request, camel, snake) is not None:
                dropped.add(camel)
    if len(sizes) > 1:
        raise UnsupportedContent(
            "'requests': several sizes of vectors cannot be asked of this model at once.", param="requests"
        )
    body: JSON = {"model": target.upstream_model, "input": texts, "encoding_format": "float"}
    (size,) = sizes
    if size is not None:
        body["dimensions"] = size
    raw = orjson.dumps(body)
    return Outgoing(
        PATH, raw, dict(JSON_HEADERS), dropped=tuple(sorted(dropped)), model=target.upstream_model
    )


def _either(request: Fields, camel: str, snake: str) -> Any:
    return request.get(camel) if request.get(camel) is not None else request.get(snake)


def _size_of(request: Fields) -> int | None:
    size = request.maybe_count("outputDimensionality", minimum=1)
    return request.maybe_count("output_dimensionality", minimum=1) if size is None else size


def _text_of(request: Fields) -> str:
    texts = []
    for part in request.object("content").objects("parts"):
        text = part.maybe_text("text")
        if text is None:
            raise UnsupportedContent(
                f"'{part.path}': only text can be carried to this model.", param=part.path
            )
        texts.append(text)
    return "".join(texts)


# ---------------------------------------------------------------- answers


def openai_usage(body: JSON, asked: Asked) -> Usage | None:
    told = as_object(body.get("usage"))
    tokens = as_count(told.get("prompt_tokens"))
    tokens = as_count(told.get("total_tokens")) if tokens is None else tokens
    return None if tokens is None else Usage(input_tokens=tokens, output_tokens=0)


def gemini_usage(body: JSON) -> Usage | None:
    tokens = as_count(as_object(body.get("usageMetadata")).get("promptTokenCount"))
    return None if tokens is None else Usage(input_tokens=tokens, output_tokens=0)


def _observe_gemini(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
    body = read_answer(raw)
    return Converted(raw, observed_whole(gemini_usage(body), body))


def _gemini_as_openai(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
    body = read_answer(raw)
    usage = gemini_usage(body)
    vectors = [_vector(as_object(each).get("values")) for each in as_list(body.get("embeddings"))]
    if len(vectors) != len(_inputs(Fields(asked.body))):
        raise UpstreamInvalid("The provider's answer does not have a vector for every input.")
    packed = asked.body.get("encoding_format") == "base64"
    shown = usage or asked.facts.likely or Usage()
    told = {"prompt_tokens": shown.input_tokens or 0, "total_tokens": shown.input_tokens or 0}
    data = [
        {"object": "embedding", "index": index, "embedding": _pack(vector) if packed else vector}
        for index, vector in enumerate(vectors)
    ]
    answer = {"object": "list", "data": data, "model": options.model, "usage": told}
    return Converted(orjson.dumps(answer), observed_whole(usage, body))


def _openai_as_one(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
    body = read_answer(raw)
    [vector] = _vectors(body, 1)
    return _as_gemini({"embedding": {"values": vector}}, body, asked)


def _openai_as_batch(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
    body = read_answer(raw)
    vectors = _vectors(body, len(asked.body["requests"]))
    return _as_gemini({"embeddings": [{"values": vector} for vector in vectors]}, body, asked)


def _vectors(body: JSON, count: int) -> list[list[float]]:
    """The vectors of an OpenAI answer in the order of their inputs."""
    rows = [as_object(each) for each in as_list(body.get("data"))]
    rows.sort(key=lambda row: as_count(row.get("index")) or 0)
    vectors = [_unpack(row.get("embedding")) for row in rows]
    if len(vectors) != count:
        raise UpstreamInvalid("The provider's answer does not have a vector for every input.")
    return vectors


def _as_gemini(answer: JSON, body: JSON, asked: Asked) -> Converted:
    usage = openai_usage(body, asked)
    if usage is not None:
        answer["usageMetadata"] = {"promptTokenCount": usage.input_tokens}
    return Converted(orjson.dumps(answer), observed_whole(usage, body))


def _vector(value: Any) -> list[float]:
    if not isinstance(value, list) or not value:
        raise UpstreamInvalid("The provider's answer has no vector.")
    return value


def _pack(vector: list[float]) -> str:
    """Little-endian floats of four bytes, as OpenAI packs them."""
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError) as error:
        raise UpstreamInvalid("The provider's answer holds what is no number.") from error


def _unpack(value: Any) -> list[float]:
    if not isinstance(value, str):
        return _vector(value)
    try:
        raw = b64decode(value, validate=True)
    except NotBase64 as error:
        raise UpstreamInvalid("The provider's answer has no vector.") from error
    return [number for (number,) in struct.iter_unpack("<f", raw[: len(raw) // 4 * 4])]


def _never_streams(content_type: str, asked: Asked) -> OperationPipe | None:
    return None


EMBEDDINGS = Operation(
    name="embeddings",
    format="openai_chat",
    read_call=read_openai,
    routes={
        "openai_chat": relay(PATH, openai_usage),
        "gemini": Route(_build_for_gemini, _gemini_as_openai, _never_streams),
    },
)
EMBED_CONTENT = Operation(
    name="embeddings",
    format="gemini",
    read_call=read_gemini,
    routes={
        "gemini": Route(_relay_gemini, _observe_gemini, _never_streams),
        "openai_chat": Route(_one_for_openai, _openai_as_one, _never_streams),
    },
)
BATCH_EMBED_CONTENTS = Operation(
    name="embeddings",
    format="gemini",
    read_call=read_gemini_batch,
    routes={
        "gemini": Route(_relay_gemini_batch, _observe_gemini, _never_streams),
        "openai_chat": Route(_batch_for_openai, _openai_as_batch, _never_streams),
    },
)
