"""A `response.failed` after content, relayed: the provider's own event, whose code clients read."""

import pytest

from tests.proxy_app.formats.wire_bytes import read
from tests.proxy_app.pairs.pairing import open_pair
from tests.proxy_app.pairs.providing import Provider


@pytest.mark.parametrize("message", ["Slow down.", "Slow down, sk-proj-abcdefgh, now."])
async def test_a_failed_response_is_told_by_the_event_itself(make_gateway, message):
    raw = read("openai_responses/failed").replace(b"Slow down.", message.encode())
    pair = open_pair(make_gateway, "openai_responses", Provider("openai_responses", pieces=[*chunked(raw)]))
    await pair.ask(True)
    [end] = pair.gate.ends
    assert (end.status, end.tokens.output_tokens) == ("error", 48) and end.cost_nanodollars
    assert pair.answers[0].body == raw.replace(b"sk-proj-abcdefgh", b"[hidden]")


def chunked(raw: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in raw.split(b"\n\n") if event]
