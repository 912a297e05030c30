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
    named = exchange.name_output_limit(inbound, raw, 321)
    facts = exchange.read_call(inbound, orjson.loads(named), Address(model="m"))
    assert facts.max_output_tokens == 321
    assert b'"unheard_of":1.50' in named
