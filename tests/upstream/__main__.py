"""`python -m tests.upstream --port N --log FILE`: the mock as a process, until it is told to end."""

import argparse
import asyncio
import signal
from pathlib import Path

from tests.upstream.server import MockUpstream


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=Path, help="one JSON line for each request, written before its answer")
    parser.add_argument("--interval-ms", type=int, default=0, help="pause between the chunks of a stream")
    parser.add_argument("--no-auth", action="store_true", help="accept any credential")
    chosen = parser.parse_args()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    credentials = {} if chosen.no_auth else None
    upstream = MockUpstream(chosen.port, chosen.log, credentials, chosen.interval_ms / 1000)
    async with upstream:
        print(f"listening on {upstream.base_url}", flush=True)
        await stop.wait()


asyncio.run(main())
