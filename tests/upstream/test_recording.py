import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp

from tests.upstream import CREDENTIALS, MockUpstream
from tests.upstream.test_faults import HEADERS, call

ROOT = Path(__file__).resolve().parents[2]
OURS = {"x-gatehouse-request-id": "0198", "x-gatehouse-attempt": "2"}


async def test_a_request_is_remembered_with_our_id_and_attempt() -> None:
    async with MockUpstream() as up, aiohttp.ClientSession(up.base_url) as http:
        async with http.post(**call("anthropic", "mock", **OURS)) as answer:
            await answer.read()
        [seen] = await up.wait_for(1)
        await seen.ended.wait()
        assert (seen.provider, seen.model, seen.stream) == ("anthropic", "mock", True)
        assert (seen.request_id, seen.attempt) == ("0198", 2)
        assert seen.body["messages"] == [{"role": "user", "content": "hello"}]
        assert seen.headers["x-api-key"] == CREDENTIALS["anthropic"]
        assert seen.closed_early is False


async def test_the_log_is_written_before_the_answer_and_holds_no_credential(tmp_path: Path) -> None:
    log = tmp_path / "seen.jsonl"
    async with (
        MockUpstream(log=log) as up,
        aiohttp.ClientSession(up.base_url) as http,
        http.post(**call("openai", "mock-fault-stall-first", **OURS)) as answer,
    ):
        assert answer.status == 200
        [line] = log.read_text().splitlines()
    told = json.loads(line)
    assert (told["request_id"], told["attempt"], told["provider"]) == ("0198", 2, "openai")
    assert CREDENTIALS["openai"] not in line


async def test_it_runs_as_a_process_and_ends_when_told(tmp_path: Path) -> None:
    log = tmp_path / "seen.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.upstream", "--log", str(log), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        async with aiohttp.ClientSession(address) as http:
            for provider in HEADERS:
                async with http.post(**call(provider, "mock", stream=False)) as answer:
                    assert answer.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    providers = [name.removesuffix("_responses") for name in HEADERS]
    assert [json.loads(line)["provider"] for line in log.read_text().splitlines()] == providers
