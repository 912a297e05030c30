"""A provider that answers whole, in JSON, what was asked for as a stream: no text of it is lost, and nothing
ends as if it were finished that is not."""

import httpx
import pytest

from tests.proxy_app.harness import streamed
from tests.proxy_app.pairs.pairing import every_pair, open_pair
from tests.proxy_app.pairs.providing import Provider, written


class Whole(Provider):
    """`ending` stands behind the answer; only so much `of` it is sent."""

    ending = b""
    of = 1.0

    def _stream(self, body: object) -> httpx.Response:
        answer = self._plain()
        raw = answer.content[: int(len(answer.content) * self.of)] + self.ending
        return httpx.Response(200, content=raw, headers=answer.headers)


@every_pair
@pytest.mark.parametrize("says", ["hello", "tools:2", "think-tools:2"])
@pytest.mark.parametrize("ending", [b"", b"\n\n"])
async def test_a_whole_answer_is_heard_as_a_stream(make_gateway, inbound, upstream, says, ending):
    provider = Whole(upstream, says)
    provider.ending = ending
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(True, tools=True, thinks=True)
    script = provider.script
    assert (heard.status, heard.starts, heard.ended, heard.error) == (200, 1, True, None)
    assert (heard.text, heard.finish) == (script.text, "tool_calls" if script.calls else "stop")
    assert heard.arguments == [(call.name, call.arguments) for call in script.calls]
    assert heard.thoughts == ("" if upstream == "openai_chat" else script.thinking)
    [end] = pair.gate.ends
    assert (end.status, end.usage_source) == ("ok", "provider")


@every_pair
async def test_half_of_one_is_cut(make_gateway, inbound, upstream):
    provider = Whole(upstream)
    provider.of = 0.5
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(True)
    assert heard.status == 502 and heard.error and not heard.ended
    assert pair.gate.ends[0].error_code == "upstream_cut"


@every_pair
async def test_its_usage_is_told_and_paid_for(make_gateway, inbound, upstream):
    pair = open_pair(make_gateway, inbound, Whole(upstream))
    whole = open_pair(make_gateway, inbound, Provider(upstream))
    heard, wanted = await pair.ask(True), await whole.ask()
    assert heard.usage == wanted.usage and heard.usage is not None
    assert pair.gate.ends[0].cost_nanodollars == whole.gate.ends[0].cost_nanodollars


class Late(Provider):
    """The stream begins, and the answer comes whole all the same."""

    def _stream(self, body: object) -> httpx.Response:
        begun = written(self.format, self.says)[: 2 if self.format == "openai_responses" else 1]
        return streamed([*(frame.raw for frame in begun), self._plain().content])


@pytest.mark.parametrize("format", ["openai_chat", "openai_responses", "anthropic"])
async def test_one_amid_a_stream_is_refused_and_what_it_used_is_paid_for(make_gateway, format):
    pair = open_pair(make_gateway, format, Late(format))
    heard = await pair.ask(True)
    assert heard.status == 502 and "answered whole amid" in heard.error["message"]
    [end] = pair.gate.ends
    assert end.status == "error" and end.cost_nanodollars


async def test_one_that_is_still_being_made_is_cut(make_gateway):
    provider = Whole("openai_responses")
    whole = provider._plain
    begun = {**whole().json(), "status": "queued", "output": [], "usage": None}
    provider._plain = lambda: httpx.Response(200, json=begun)
    heard = await open_pair(make_gateway, "openai_responses", provider).ask(True)
    assert heard.status == 502 and not heard.ended
