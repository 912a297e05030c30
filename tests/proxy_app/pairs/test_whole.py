"""A provider that answers whole, in JSON, what was asked for as a stream: no text of it is lost, and nothing
ends as if it were finished that is not."""

import httpx
import pytest

from tests.proxy_app.pairs.pairing import every_pair, open_pair
from tests.proxy_app.pairs.providing import Provider
from tests.proxy_app.pairs.speaking import FORMATS

#: Formats whose own stream cannot be made of a whole answer without reading what it means.
REFUSED = ("openai_responses", "anthropic")
SENTENCE = "The provider answered whole what was asked for as a stream."


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
    if inbound == upstream and inbound in REFUSED:
        assert heard.status == 502 and SENTENCE in heard.error["message"] and not heard.ended
        return
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


@pytest.mark.parametrize("format", REFUSED)
async def test_what_a_refused_one_used_is_paid_for(make_gateway, format):
    pair = open_pair(make_gateway, format, Whole(format))
    await pair.ask(True)
    [end] = pair.gate.ends
    assert end.status == "error" and end.cost_nanodollars


@pytest.mark.parametrize("inbound", FORMATS)
async def test_the_next_provider_answers_for_one_that_does_not_stream(make_gateway, inbound):
    pair = open_pair(make_gateway, inbound, Whole(inbound), Provider(inbound, "hello"))
    heard = await pair.ask(True)
    assert heard.status == 200 and heard.text == Provider(inbound, "hello").script.text
