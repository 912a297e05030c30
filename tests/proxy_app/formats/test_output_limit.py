"""An output limit that the gateway names lands where each format keeps it, and touches nothing else."""

import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.formats.registry import INBOUND
from proxy_app.wire import JSON, Address

BODIES: dict[str, JSON] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai_responses": {"model": "m", "input": "hi"},
    "openai_completions": {"model": "m", "prompt": "hi"},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"parts": [{"text": "hi"}]}], "generation_config": {"top_p": 0.5}},
}


@pytest.mark.parametrize("inbound", INBOUND)
def test_the_named_limit_is_what_the_format_reads_back(inbound: str) -> None:
    body = BODIES[inbound]
    raw = orjson.dumps({**body, "unheard_of": 1.5}).replace(b"1.5", b"1.50")
    named, told = exchange.name_output_limit(inbound, raw, orjson.loads(raw), 321)
    assert orjson.loads(named) == told
    facts = exchange.read_call(inbound, told, Address(model="m"))
    assert facts.max_output_tokens == 321
    assert b'"unheard_of":1.50' in named


@pytest.mark.parametrize("told", [b"null", b'null,  "max_completion_tokens" : null'])
def test_a_limit_of_null_is_replaced(told: bytes) -> None:
    raw = b' {"max_completion_tokens":%b,"model":"m"}' % told
    named, body = exchange.name_output_limit("openai_chat", raw, orjson.loads(raw), 7)
    assert orjson.loads(named) == body == {"max_completion_tokens": 7, "model": "m"}
    assert named.count(b"max_completion_tokens") == 1


def test_blanks_before_a_body_do_not_matter() -> None:
    raw = b'\n { "model" : "{m}" }'
    named, body = exchange.name_output_limit("openai_chat", raw, orjson.loads(raw), 7)
    assert orjson.loads(named) == body == {"max_completion_tokens": 7, "model": "{m}"}
