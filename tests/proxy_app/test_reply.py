"""The way back to a caller: headers that can be sent, whatever somebody put into them."""

from typing import Any

import pytest

from proxy_app.views.reply import WHOLE_ANSWER, ASGIReply
from tests.proxy_app.harness import completion, deployment, message, model
from tests.proxy_app.test_call import answering


@pytest.mark.parametrize("odd", ["a\0b", "a\x7fb", "a\rb", "a\nb", "a\x1bb", "a\u20acb"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_no_header_may_hold_is_a_question_mark(odd: str, at_once: bool) -> None:
    heads: list[bytes] = []
    sent: list[dict[str, Any]] = []

    def write_whole(extensions: Any, status: int, head: bytes, body: bytes) -> bool:
        heads.append(head)
        return True

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    reply = ASGIReply(receive, send, {WHOLE_ANSWER: write_whole} if at_once else None)
    await reply.whole(200, {"x-odd": odd, "x-even": "a\tb"}, b"{}")
    told = dict(sent[0]["headers"]) if sent else dict(line.split(b": ") for line in heads[0].splitlines())
    assert (told[b"x-odd"], told[b"x-even"], told[b"content-length"]) == (b"a?b", b"a\tb", b"2")


async def test_a_name_of_a_model_that_no_header_may_hold_is_answered(make_gateway) -> None:
    gate = make_gateway(answering(message()), model("claude/*", deployment("alpha", "anthropic")))
    body = {"model": "claude/a\0b", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    answer = await gate.ask(body, path="/v1/messages")
    assert (answer.status, answer.headers["x-gatehouse-model"]) == (200, "claude/a?b")


async def test_the_beginning_of_a_pattern_alone_is_a_name_where_it_is_no_folder(make_gateway) -> None:
    script = answering(completion())
    gate = make_gateway(script, model("claude/*", deployment("alpha")), model("gpt-4*", deployment("beta")))
    for name, status in {"claude/": 404, "claude/x": 200, "gpt-4": 200}.items():
        body = {"model": name, "messages": [{"role": "user", "content": "x"}]}
        assert (await gate.ask(body)).status == status
        assert (await gate.ask(path=f"/v1/models/{name}".rstrip("/"), method="HEAD")).status == (
            200 if status == 200 else 404
        )
