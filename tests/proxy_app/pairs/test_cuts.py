"""A provider's stream that ends too early, at every boundary of its events and within them, before every pair
of a caller's format and a provider's: an error in the caller's own dialect, and no false finish (pain 27)."""

import json
from itertools import accumulate

import pytest

from tests.proxy_app.pairs.heard import Heard
from tests.proxy_app.pairs.pairing import every_pair, open_pair
from tests.proxy_app.pairs.providing import Provider, asked_for, written
from tests.proxy_app.pairs.speaking import FORMATS
from tests.upstream.script import script_for

#: What is cut: text, then calls; or thoughts, then text.
SAYS = ("talk-tools:2", "think")


def last_needed(upstream: str, says: str) -> int:
    """The number of the event with which the answer is whole: the last, but for Chat Completions, where a
    reason to finish is enough: some servers send nothing after it."""
    frames = written(upstream, says)
    if upstream != "openai_chat":
        return len(frames) - 1
    return next(at for at, frame in enumerate(frames) if b'"finish_reason":"' in frame.raw)


def cuts(upstream: str, says: str) -> list[int]:
    """Where to cut: after every event and thrice within each, up to what makes the answer whole. A last event
    counts as soon as its data are whole, so none is cut behind them."""
    needed = last_needed(upstream, says)
    sizes = [len(frame.raw) for frame in written(upstream, says)[: needed + 1]]
    ends = list(accumulate(sizes))
    inside = [
        end - size + part for end, size in zip(ends, sizes, strict=True) for part in (3, size // 2, size - 4)
    ]
    return sorted({0, *ends[:-1], *inside})


@every_pair
@pytest.mark.parametrize("says", SAYS)
async def test_a_cut_anywhere_is_an_error_and_no_false_finish(make_gateway, inbound, upstream, says):
    whole = b"".join(frame.raw for frame in written(upstream, says))
    provider = Provider(upstream, says)
    pair = open_pair(make_gateway, inbound, provider)
    statuses = set()
    for at in cuts(upstream, says):
        provider.pieces = [whole[:at]]
        pair.forget_failures()
        heard = await pair.ask(True, tools=True, thinks=True)
        check(heard, says, whole[:at])
        # Relayed, Claude's own reason to finish stands before the error: it was not made up.
        assert heard.finish is None or (inbound == upstream == "anthropic" and b"stop_reason" in whole[:at])
        statuses.add(heard.status)
    ends = {(end.status, end.error_code) for end in pair.gate.ends}
    assert ends == {("error", "upstream_cut"), ("truncated", "upstream_cut")} and statuses == {200, 502}
    assert pair.gate.services.calls == {}


def check(heard: Heard, says: str, sent: bytes) -> None:
    """Before anything can be seen it is a real status; after that, an event that says what went wrong."""
    assert heard.error is not None and heard.error["message"], sent
    assert not heard.ended, sent
    if heard.status != 200:
        assert heard.status == 502 and not heard.text and not heard.calls
        return
    script = script_for(asked_for(says))
    assert script.text.startswith(heard.text) and script.thinking.startswith(heard.thoughts)
    for (name, arguments), call in zip(heard.calls, script.calls, strict=False):
        assert name == call.name
        assert call.text.startswith(arguments) or json.loads(arguments) == call.arguments


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("upstream", FORMATS)
async def test_what_is_not_cut_is_whole(make_gateway, inbound, upstream):
    """Else the offsets above would prove nothing."""
    for says in SAYS:
        needed = last_needed(upstream, says)
        pieces = [frame.raw for frame in written(upstream, says)[: needed + 1]]
        pair = open_pair(make_gateway, inbound, Provider(upstream, says, pieces=pieces))
        heard = await pair.ask(True, tools=True, thinks=True)
        script = script_for(asked_for(says))
        assert heard.error is None and heard.ended and heard.finish in ("stop", "tool_calls")
        assert (heard.text, heard.arguments) == (script.text, [(c.name, c.arguments) for c in script.calls])
