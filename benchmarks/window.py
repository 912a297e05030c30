"""What watching costs: the Live page in Chromium while calls come and go, and while hundreds of streams run.

`python -m benchmarks.window` prints JSON. Each load runs twice, unwatched and watched: the difference is what
the worker pays for its viewer. The time to the screen is counted in the page, from a call's arrival (its id
says when) to the frame after the one that drew it.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.run import PATH, body_for, load
from benchmarks.targets import Target, children_of, command_of, cpu_of, start_gatehouse, start_mock

PASSWORD = "a password of the benchmark"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
SETTLE_S = 3.0
SHARES = {"p50": 0.5, "p95": 0.95, "max": 1.0}

#: Notes, for every call the socket tells of, when the page had drawn it; and the time between frames.
WATCH = """
(() => {
  const told = new Set();
  window.measured = { screen: [], frames: [], bytes: 0, messages: 0 };
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", (event) => {
        window.measured.bytes += event.data.length;
        window.measured.messages += 1;
        const frame = JSON.parse(event.data);
        if (!frame.epoch) return;
        const calls = [...frame.open, ...frame.end].filter((call) => !told.has(call.id));
        calls.forEach((call) => told.add(call.id));
        if (frame.whole || !calls.length) return;
        requestAnimationFrame(() => requestAnimationFrame(() => {
          const now = Date.now();
          window.measured.screen.push(...calls.map((call) => now - call.at));
        }));
      });
    }
  };
  let last = 0;
  const tick = (now) => {
    if (last) window.measured.frames.push(now - last);
    last = now;
    if (window.measured.counts) requestAnimationFrame(tick);
  };
  window.countFrames = () => {
    window.measured.counts = true;
    requestAnimationFrame(tick);
  };
})();
"""


def percentile(values: list[float], share: float) -> float:
    found = sorted(values)
    return round(found[min(len(found) - 1, int(len(found) * share))], 1) if found else float("nan")


def processes_of_chromium() -> dict[str, list[int]]:
    """Ids of the browser's processes that we started: that of the page, and the others."""
    mine = [pid for pid in children_of(os.getpid()) if "chrom" in command_of(pid)]
    page = [pid for pid in mine if "--type=renderer" in command_of(pid)]
    return {"page": page, "others": [pid for pid in mine if pid not in page]}


def cpu_now(gatehouse: Target) -> dict[str, float]:
    browser = {name: sum(map(cpu_of, pids)) for name, pids in processes_of_chromium().items()}
    return {"worker": gatehouse.cpu_s()["server"], **browser}


class Scene:
    """One load, unwatched and watched. `counts_frames` costs the page some frames of its own."""

    def __init__(
        self, gatehouse: Target, mode: str, *, stream: bool, counts_frames: bool = False, **options: Any
    ) -> None:
        self.gatehouse = gatehouse
        self.counts_frames = counts_frames
        self._load = (mode, gatehouse, body_for("bench", stream), PATH)
        self._options = options

    def play(self) -> dict[str, Any]:
        """The load once; CPU seconds of each part, per second of the time it took."""
        before, started = cpu_now(self.gatehouse), time.monotonic()
        result = load(*self._load, **self._options)
        took = time.monotonic() - started
        after = cpu_now(self.gatehouse)
        cpu = {name: (after[name] - before[name]) / took * 100 for name in after}
        return {"failed": result.get("failed", 0), "cpu": cpu, "took_s": took}

    def measured(self, page: Page, rounds: int) -> dict[str, Any]:
        """Both ways in turn, and what the page saw."""
        alone, watched = [], []
        for _ in range(rounds):
            page.goto("about:blank")
            time.sleep(SETTLE_S)
            alone.append(self.play())
            page.goto(f"http://127.0.0.1:{self.gatehouse.port}/ui/live/")
            page.wait_for_selector("[data-connection].is-live")
            time.sleep(SETTLE_S)
            if self.counts_frames:
                page.evaluate("countFrames()")
            watched.append(self.play())
            watched[-1]["seen"] = page.evaluate("measured")
        return summary(alone, watched)


def summary(alone: list[dict[str, Any]], watched: list[dict[str, Any]]) -> dict[str, Any]:
    def cpu(runs: list[dict[str, Any]], part: str) -> float:
        return float(statistics.median(one["cpu"][part] for one in runs))

    screen = [ms for one in watched for ms in one["seen"]["screen"]]
    frames = [ms for one in watched for ms in one["seen"]["frames"]]
    sent = sum(one["seen"]["bytes"] / one["took_s"] for one in watched) / len(watched)
    found: dict[str, Any] = {
        "worker_percent": round(cpu(alone, "worker"), 1),
        "worker_for_its_viewer_percent": round(cpu(watched, "worker") - cpu(alone, "worker"), 1),
        "page_percent": round(cpu(watched, "page"), 1),
        "browser_besides_percent": round(cpu(watched, "others"), 1),
        "calls_seen": len(screen),
        "arrival_to_screen_ms": {name: percentile(screen, share) for name, share in SHARES.items()},
        "kb_per_second": round(sent / 1024, 1),
        "failed": sum(one["failed"] for one in (*alone, *watched)),
    }
    if frames:
        found["between_frames_ms"] = {name: percentile(frames, share) for name, share in SHARES.items()}
    return found


@contextmanager
def running(folder: Path, chunks: int, interval_ms: float) -> Iterator[Target]:
    folder.mkdir(mode=0o700)
    mock = start_mock(folder, chunks, interval_ms)
    try:
        gatehouse, _took = start_gatehouse(folder, mock, {"GATEHOUSE_ADMIN_PASSWORD": PASSWORD})
        try:
            yield gatehouse
        finally:
            gatehouse.stop()
    finally:
        mock.stop()


def signed_in(page: Page, gatehouse: Target) -> None:
    page.add_init_script(WATCH)
    page.goto(f"http://127.0.0.1:{gatehouse.port}/ui/sign-in/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click(".gh-sign-in button")
    page.wait_for_url(lambda url: "sign-in" not in url)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.window", description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--streams", type=int, default=500, help="streams at once")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of every load (the median counts)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each load")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {"machine": f"{platform.python_version()}, {os.cpu_count()} cores"}
    chromium = os.environ.get("GATEHOUSE_CHROMIUM", "/usr/bin/chromium")
    with tempfile.TemporaryDirectory(prefix="gatehouse-window-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for chunks, interval_ms, scenes in (
            (20, 50.0, ("plain calls", "streamed calls")),
            (int(options.seconds * 5), 200.0, ("many streams",)),
        ):
            with running(Path(name) / scenes[0], chunks, interval_ms) as gatehouse:
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                signed_in(page, gatehouse)
                for scene in scenes:
                    report[scene] = scene_of(scene, gatehouse, options).measured(page, options.rounds)
                page.context.close()
        browser.close()
    print(json.dumps(report, indent=2))
    return 0


def scene_of(name: str, gatehouse: Target, options: argparse.Namespace) -> Scene:
    if name == "many streams":
        return Scene(gatehouse, "streams", stream=True, counts_frames=True, count=options.streams)
    every = {"seconds": options.seconds, "rate": options.rate}
    return Scene(gatehouse, "rate", stream=name == "streamed calls", **every)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
