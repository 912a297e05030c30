import base64
import struct

import pytest

from tests.proxy_app.providers.sandbox_calls import ask, read


async def embed(given: object, **fields: object) -> dict:
    return await read(await ask({"model": "sandbox", "input": given} | fields, "/embeddings"))


async def test_vectors_are_of_unit_length_and_the_same_each_time() -> None:
    first, again = await embed("a castle of sand"), await embed("a castle of sand")
    vector = first["data"][0]["embedding"]
    assert first == again
    assert len(vector) == 1536
    assert sum(value * value for value in vector) == pytest.approx(1.0)
    assert first["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


async def test_alike_texts_are_nearer_than_strange_ones() -> None:
    body = await embed(["red castle by the sea", "blue castle by the sea", "quarterly tax return"])
    one, two, three = (item["embedding"] for item in body["data"])
    near = sum(a * b for a, b in zip(one, two, strict=True))
    far = sum(a * b for a, b in zip(one, three, strict=True))
    assert near > far + 0.3


async def test_base64_carries_the_same_numbers() -> None:
    plain = (await embed("hello", dimensions=8))["data"][0]["embedding"]
    packed = (await embed("hello", dimensions=8, encoding_format="base64"))["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(plain)


async def test_lists_of_tokens_are_taken() -> None:
    assert (await embed([1, 2, 3]))["usage"]["prompt_tokens"] == 3
    assert len((await embed([[1], [2, 3]]))["data"]) == 2


@pytest.mark.parametrize("given", [None, "", [], [""], [{}], {"a": 1}])
async def test_what_cannot_be_embedded_is_refused(given: object) -> None:
    reply = await ask({"model": "sandbox", "input": given}, "/embeddings")
    assert reply.status == 400


async def test_wrong_options_are_refused() -> None:
    for fields in ({"dimensions": -1}, {"encoding_format": "hex"}):
        assert (await ask({"model": "sandbox", "input": "a"} | fields, "/embeddings")).status == 400


async def test_error_models_fail_here_too() -> None:
    assert (await ask({"model": "sandbox/error-503", "input": "a"}, "/embeddings")).status == 503
