"""`make bench`: Gatehouse beside a bare relay over the same mock provider, in one run.

Rounds alternate between the two, so that what else the machine does hurts both alike; each figure is
the median of its rounds. Prints a table and writes JSON (`--out`).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.targets import ROOT, Target, start_gatehouse, start_mock, start_relay

PATH = "/v1/chat/completions"
IDLE_S = 3.0

Round = dict[str, Any]


def body_for(model: str, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Say something. " * 10}]}
    return {**body, "stream": True} if stream else body


def load(mode: str, target: Target, body: dict[str, Any], path: str = PATH, **options: Any) -> dict[str, Any]:
    """One run of the client in a process of its own."""
    spec = {"port": target.port, "path": path, "key": target.key, "body": body}
    if stagger := options.pop("stagger_s", 0.0):
        spec["stagger_s"] = stagger
    command = (sys.executable, "-m", "benchmarks.load", mode, json.dumps({"target": spec, **options}))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"The client failed on {target.name}:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measured(target: Target, mode: str, body: dict[str, Any], **options: Any) -> Round:
    """The client's figures, and the CPU seconds each part of the server used meanwhile."""
    before = target.cpu_s()
    result = load(mode, target, body, **options)
    after = target.cpu_s()
    result["cpu_s"] = {part: after[part] - before.get(part, 0.0) for part in after}
    return result


class Bench:
    """One run's targets and settings, and what was measured so far."""

    def __init__(self, options: argparse.Namespace, mock: Target, relay: Target, gatehouse: Target) -> None:
        self.options = options
        self.mock = mock
        self.relay = relay
        self.gatehouse = gatehouse
        self.report: dict[str, Any] = {}

    def run(self) -> None:
        self.warm_up()
        self.calls()
        self.latency()
        self.chunks()
        self.crowd()
        self.admission()

    def admission(self) -> None:
        """What admission alone costs, in a process of its own; with Redis where one answers."""
        command = (sys.executable, "-m", "benchmarks.admission")
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
        self.report["admission"] = json.loads(done.stdout)

    def warm_up(self) -> None:
        self.report["idle_memory_mb"] = self.idle_memory()
        for target in (self.relay, self.gatehouse):
            for stream in (False, True):
                load("closed", target, body_for("bench", stream), seconds=2, concurrency=8)

    def idle_memory(self) -> dict[str, float]:
        time.sleep(IDLE_S)
        return {part: kb / 1024 for part, kb in self.gatehouse.memory_kb().items()}

    def calls(self) -> None:
        """CPU per call that is not streamed: under the same load, and each server saturated."""
        under_load = {"seconds": self.options.seconds, "rate": self.options.rate}
        flat_out = {"seconds": self.options.seconds, "concurrency": 32}
        self.report["calls"] = self.both("rate", under_load)
        self.report["saturated"] = self.both("closed", flat_out)

    def both(self, mode: str, options: dict[str, Any]) -> dict[str, dict[str, float]]:
        """Relay and Gatehouse in turn, round after round."""
        rounds: dict[str, list[Round]] = {"relay": [], "gatehouse": []}
        for _ in range(self.options.rounds):
            for target in (self.relay, self.gatehouse):
                rounds[target.name].append(measured(target, mode, body_for("bench", False), **options))
        return {name: summed(each) for name, each in rounds.items()}

    def latency(self) -> None:
        """Latency at half of Gatehouse's own capacity, each against the mock asked directly."""
        rate = self.report["saturated"]["gatehouse"]["per_second"] / 2
        rounds: dict[str, list[Round]] = {"mock": [], "relay": [], "gatehouse": []}
        for _ in range(self.options.rounds):
            for target in (self.mock, self.relay, self.gatehouse):
                options = {"seconds": self.options.seconds, "rate": rate}
                rounds[target.name].append(load("rate", target, body_for("bench", False), **options))
        self.report["latency"] = {
            name: {
                "rate": rate,
                "failed": sum(one["failed"] for one in each),
                "p50_ms": statistics.median(one["p50_ms"] for one in each),
                "p99_ms": statistics.median(one["p99_ms"] for one in each),
            }
            for name, each in rounds.items()
        }

    def chunks(self) -> None:
        """CPU per streamed chunk, same format and translated."""
        chunks, count = self.options.chunks, self.options.streams // 4
        plans = (
            ("relay", self.relay, "bench"),
            ("gatehouse", self.gatehouse, "bench"),
            ("translated", self.gatehouse, "bench-translated"),
        )
        rounds: dict[str, list[Round]] = {name: [] for name, _, _ in plans}
        for _ in range(self.options.rounds):
            for name, target, model in plans:
                options = {"count": count, "rounds": 1}
                rounds[name].append(measured(target, "streams", body_for(model, True), **options))
        self.report["chunks"] = {}
        for name, each in rounds.items():
            per_chunk = [one["cpu_s"]["server"] / (one["streams"] * chunks) * 1e6 for one in each]
            ledger = [one["cpu_s"].get("ledger", 0.0) / (one["streams"] * chunks) * 1e6 for one in each]
            self.report["chunks"][name] = {
                "cpu_us": statistics.median(per_chunk),
                "ledger_us": statistics.median(ledger),
                "unclean": sum(one["streams"] - one["clean"] for one in each),
            }

    def crowd(self) -> None:
        """Many streams at once: whole, prompt, and with no longer gaps than the mock's own."""
        count = self.options.streams
        self.report["crowd"] = {}
        for target in (self.mock, self.relay, self.gatehouse):
            before = target.memory_kb().get("server", 0)
            # The client runs beside us, so that memory can be read while its streams are open.
            command = ("streams", target, body_for("bench", True))
            result, peak = self.watched(*command, count=count)
            result["kb_per_stream"] = max(0, peak - before) / count
            self.report["crowd"][target.name] = result

    def watched(self, mode: str, target: Target, body: dict[str, Any], **options: Any) -> tuple[Round, int]:
        """Run the client and read the server's memory meanwhile; its result and the highest reading."""
        spec = {"port": target.port, "path": PATH, "key": target.key, "body": body}
        command = (sys.executable, "-m", "benchmarks.load", mode, json.dumps({"target": spec, **options}))
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        peak = 0
        while process.poll() is None:
            peak = max(peak, target.memory_kb().get("server", 0))
            time.sleep(0.25)
        assert process.stdout is not None
        with process.stdout as output:
            result: Round = json.loads(output.read())
        return result, peak


def summed(rounds: list[Round]) -> dict[str, float]:
    """Medians over rounds: CPU per call by part, calls a second, latencies."""
    return {
        "cpu_us": statistics.median(one["cpu_s"]["server"] / one["calls"] * 1e6 for one in rounds),
        "ledger_us": statistics.median(
            one["cpu_s"].get("ledger", 0.0) / one["calls"] * 1e6 for one in rounds
        ),
        "per_second": statistics.median(one.get("per_second", 0.0) for one in rounds),
        "p50_ms": statistics.median(one["p50_ms"] for one in rounds),
        "p99_ms": statistics.median(one["p99_ms"] for one in rounds),
        "failed": sum(one["failed"] for one in rounds),
    }


def ratios(report: dict[str, Any]) -> dict[str, float]:
    """The figures design decisions are made by: Gatehouse over the relay, in this run."""
    calls, chunks, latency = report["calls"], report["chunks"], report["latency"]
    crowd, memory, saturated = report["crowd"], report["idle_memory_mb"], report["saturated"]
    return {
        "cpu_per_call": calls["gatehouse"]["cpu_us"] / calls["relay"]["cpu_us"],
        "cpu_per_call_saturated": saturated["gatehouse"]["cpu_us"] / saturated["relay"]["cpu_us"],
        "cpu_per_chunk_same_format": chunks["gatehouse"]["cpu_us"] / chunks["relay"]["cpu_us"],
        "cpu_per_chunk_translated": chunks["translated"]["cpu_us"] / chunks["relay"]["cpu_us"],
        "added_latency_p50_ms": latency["gatehouse"]["p50_ms"] - latency["mock"]["p50_ms"],
        "added_latency_p99_ms": latency["gatehouse"]["p99_ms"] - latency["mock"]["p99_ms"],
        "first_token_p50_ms": crowd["gatehouse"]["first_p50_ms"],
        "gap_over_mock_ms": crowd["gatehouse"]["gap_max_ms"] - crowd["mock"]["gap_max_ms"],
        "kb_per_stream": crowd["gatehouse"]["kb_per_stream"],
        "idle_memory_mb": memory["server"] + memory.get("ledger", 0.0),
        "start_s": report["start_s"],
        **{name: figure for name, figure in report["admission"].items() if figure is not None},
    }


#: figure -> (what it is called, target as designed)
TARGETS: dict[str, tuple[str, float]] = {
    "cpu_per_call": ("CPU per call under the same load, x the relay", 2.0),
    "cpu_per_chunk_same_format": ("CPU per streamed chunk, same format, x the relay", 1.5),
    "cpu_per_chunk_translated": ("CPU per streamed chunk, translated, x the relay", 4.0),
    "added_latency_p50_ms": ("latency added at half load, p50, ms", 1.5),
    "added_latency_p99_ms": ("latency added at half load, p99, ms", 6.0),
    "first_token_p50_ms": ("first token of many streams at once, p50, ms", 100.0),
    "gap_over_mock_ms": ("longest gap over the mock's own, ms", 50.0),
    "kb_per_stream": ("memory per open stream, KB", 120.0),
    "idle_memory_mb": ("idle memory, server and ledger, MB", 250.0),
    "start_s": ("first start to first answer, s", 60.0),
    "admission_memory_us": ("admission in memory (in and out), CPU µs", 60.0),
    "admission_redis_us": ("admission with Redis, 32 at once, the gateway's CPU µs", 150.0),
}


def print_report(report: dict[str, Any]) -> None:
    calls, chunks = report["calls"], report["chunks"]
    print(f"\n{'':32}{'relay':>12}{'gatehouse':>12}{'+ ledger':>12}")
    row = "{:32}{:>12.1f}{:>12.1f}{:>12.1f}"
    plain, streamed = calls["gatehouse"], chunks["gatehouse"]
    print(row.format("CPU per call, us", calls["relay"]["cpu_us"], plain["cpu_us"], plain["ledger_us"]))
    print(
        row.format("CPU per chunk, us", chunks["relay"]["cpu_us"], streamed["cpu_us"], streamed["ledger_us"])
    )
    full = report["saturated"]
    row_of = ("CPU per call, saturated, us", full["relay"]["cpu_us"], full["gatehouse"]["cpu_us"])
    print(row.format(*row_of, full["gatehouse"]["ledger_us"]))
    rates = [full[name]["per_second"] for name in ("relay", "gatehouse")]
    print(f"{'calls a second, one worker':32}{rates[0]:>12.0f}{rates[1]:>12.0f}")
    for name, each in report["crowd"].items():
        print(
            f"{each['streams']} streams, {name}: {each['clean']} clean, "
            f"first p50 {each['first_p50_ms']:.0f} ms, "
            f"gap p99 {each['gap_p99_ms']:.1f} ms, longest {each['gap_max_ms']:.1f} ms"
        )
    print(f"\n{'figure':52}{'measured':>10}{'target':>10}")
    for name, (title, target) in TARGETS.items():
        if (value := report["ratios"].get(name)) is None:
            print(f"{title:52}{'none':>10}{target:>10.2f}")
            continue
        print(f"{title:52}{value:>10.2f}{target:>10.2f}  {'' if value <= target else 'over'}")
    failed = sum(each["failed"] for each in calls.values())
    unclean = sum(each["unclean"] for each in chunks.values())
    print(f"\ncalls that failed: {failed}; streams that were not whole: {unclean}")


def as_page(report: dict[str, Any]) -> str:
    """The figures as the table of docs/performance.md."""
    calls, chunks = report["calls"], report["chunks"]
    lines = [
        f"Measured {time.strftime('%Y-%m-%d')} with {report['machine']}, "
        f"{os.cpu_count()} cores shared by client, mock and server.",
        "",
        "| figure | measured | target |",
        "|---|---|---|",
    ]
    for name, (title, target) in TARGETS.items():
        if (value := report["ratios"].get(name)) is None:
            continue
        shown = f"**{value:.2f}**" if value > target else f"{value:.2f}"
        lines.append(f"| {title} | {shown} | {target:g} |")
    lines += ["", "| | relay | Gatehouse | ledger process |", "|---|---|---|---|"]
    parts = (
        ("CPU per call under the same load, µs", calls),
        ("CPU per call, each saturated, µs", report["saturated"]),
        ("CPU per streamed chunk, µs", chunks),
    )
    for title, each in parts:
        ours = each["gatehouse"]
        figures = (each["relay"]["cpu_us"], ours["cpu_us"], ours["ledger_us"])
        lines.append(f"| {title} | {' | '.join(f'{figure:.0f}' for figure in figures)} |")
    rates = [report["saturated"][name]["per_second"] for name in ("relay", "gatehouse")]
    lines.append(f"| calls a second, one worker | {rates[0]:.0f} | {rates[1]:.0f} | |")
    return "\n".join(lines)


def write_page(report: dict[str, Any]) -> None:
    path = ROOT / "docs" / "performance.md"
    before, rest = path.read_text("utf-8").split("<!-- table:begin -->\n")
    after = rest.split("<!-- table:end -->")[1]
    table = f"<!-- table:begin -->\n{as_page(report)}\n<!-- table:end -->"
    path.write_text(before + table + after, "utf-8")


def parse_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of every figure (the median counts)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one round")
    parser.add_argument("--rate", type=float, default=1000.0, help="calls a second of the same load")
    parser.add_argument("--streams", type=int, default=512, help="streams at once")
    parser.add_argument("--chunks", type=int, default=256, help="chunks of a stream")
    parser.add_argument("--interval-ms", type=float, default=20.0, help="time between chunks")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "bench.json", help="where the JSON goes")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/performance.md")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_options(arguments)
    started = time.monotonic()
    running: list[Target] = []
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder = Path(name)
        for each in ("relay", "gatehouse"):
            (folder / each).mkdir(mode=0o700)
        try:
            running.append(start_mock(folder, options.chunks, options.interval_ms))
            running.append(start_relay(folder / "relay", running[0]))
            gatehouse, took = start_gatehouse(folder / "gatehouse", running[0])
            running.append(gatehouse)
            bench = Bench(options, *running)
            bench.report["start_s"] = took
            bench.run()
        finally:
            for target in reversed(running):
                target.stop()
    report = bench.report
    report["ratios"] = ratios(report)
    report["machine"] = (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    )
    report["took_s"] = time.monotonic() - started
    print_report(report)
    options.out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    if options.docs:
        write_page(report)
    print(f"{options.out} written after {report['took_s']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
