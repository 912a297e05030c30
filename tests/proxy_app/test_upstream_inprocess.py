"""Answers that are made in this process: what is not read to its end is closed, not left to the collector."""

import asyncio
from collections.abc import AsyncGenerator

from gateway_project.errors import ClientGone, UpstreamCut
from keys_app.tasks import Tasks
from proxy_app.upstream_inprocess import IteratedAnswer


class Source:
    """Two chunks, then silence; it notes when it was closed."""

    def __init__(self) -> None:
        self.is_closed = False
        self.silence = asyncio.Event()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            yield b"two"
            await self.silence.wait()
        finally:
            self.is_closed = True


def answer_from(source: Source, closing: Tasks) -> IteratedAnswer:
    chunks = source.chunks()
    return IteratedAnswer(200, {}, chunks, lambda _error: UpstreamCut(), chunks.aclose, closing)


async def test_an_answer_released_half_way_closes_its_source() -> None:
    source, closing = Source(), Tasks()
    answer = answer_from(source, closing)
    assert await answer.next_chunk() == b"one"
    answer.release()
    answer.release()
    await closing.finish()
    assert source.is_closed


async def test_an_answer_aborted_in_a_read_closes_its_source() -> None:
    source, closing = Source(), Tasks()
    answer = answer_from(source, closing)
    reading = asyncio.ensure_future(answer.read())
    for _ in range(10):
        await asyncio.sleep(0)
    answer.abort(ClientGone())
    ended = await asyncio.gather(reading, return_exceptions=True)
    assert isinstance(ended[0], ClientGone)
    answer.release()
    await closing.finish()
    assert source.is_closed


async def test_an_answer_read_to_its_end_needs_no_closing() -> None:
    source, closing = Source(), Tasks()
    source.silence.set()
    answer = answer_from(source, closing)
    assert await answer.read() == b"onetwo"
    assert source.is_closed
    answer.release()
    assert not closing._running
