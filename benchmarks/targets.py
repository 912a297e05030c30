"""The three things that are measured: the mock itself, the bare relay, and Gatehouse as it is run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MASTER_KEY = "sk-gh-master-of-the-benchmark-0123456789"
TICKS = os.sysconf("SC_CLK_TCK")
START_S = 60.0

CONFIG = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{port}/v1
      api_key: bench
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
  - model_name: bench-translated
    litellm_params:
      model: anthropic/bench
      api_base: http://127.0.0.1:{port}
      api_key: bench
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def is_up(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """Every living descendant of a process, itself included."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        found.append(each)
        todo.extend(parents.get(each, []))
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@dataclass(slots=True)
class Target:
    """A running server: where it answers, and which processes its work is charged to."""

    name: str
    port: int
    key: str
    process: subprocess.Popen[bytes]
    folder: Path

    def groups(self) -> dict[str, list[int]]:
        """Process ids by part: server and ledger."""
        pids = children_of(self.process.pid)
        ledger = [pid for pid in pids if "manage.py" in command_of(pid)]  # and the helpers it starts
        server = [pid for pid in pids if "gunicorn" in command_of(pid)]
        return {"server": server or [self.process.pid], "ledger": ledger}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, user and system, by part."""
        return {part: sum(map(cpu_of, pids)) for part, pids in self.groups().items()}

    def memory_kb(self) -> dict[str, int]:
        """Proportional memory by part, so that pages shared with the arbiter count once."""
        return {part: sum(map(memory_of, pids)) for part, pids in self.groups().items()}

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def start_mock(folder: Path, chunks: int, interval_ms: float) -> Target:
    port = free_port()
    command = (sys.executable, "-m", "benchmarks.upstream", str(port), str(chunks), str(interval_ms))
    process = subprocess.Popen(command, cwd=ROOT)
    await_port(port, process)
    return Target("mock", port, "none", process, folder)


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"What should listen on port {port} did not start.")


def start_relay(folder: Path, mock: Target) -> Target:
    port = free_port()
    environment = {**clean_environment(folder, port), "RELAY_UPSTREAM": f"http://127.0.0.1:{mock.port}"}
    command = (
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:gateway_project.gunicorn",
        "benchmarks.relay:app",
    )
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    await_port(port, process)
    return Target("relay", port, "none", process, folder)


def start_gatehouse(
    folder: Path, mock: Target, settings: dict[str, str] | None = None
) -> tuple[Target, float]:
    """Through the real supervisor, from an empty data folder; the target and the seconds it took."""
    port = free_port()
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(port=mock.port))
    environment = clean_environment(folder / "data", port)
    environment |= {"GATEHOUSE_CONFIG": str(config), "GATEHOUSE_MASTER_KEY": MASTER_KEY, **(settings or {})}
    log = (folder / "gatehouse.log").open("wb")
    command = (sys.executable, "-m", "gateway_project.supervisor")
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    log.close()
    while not is_up(port, "/health/live"):
        if process.poll() is not None or time.monotonic() - started > START_S:
            process.kill()
            raise SystemExit("Gatehouse did not start:\n" + (folder / "gatehouse.log").read_text()[-2000:])
        time.sleep(0.02)
    took = time.monotonic() - started
    target = Target("gatehouse", port, "", process, folder)
    try:
        target.key = make_key(port)
    except BaseException:
        target.stop()
        raise
    return target, took


def make_key(port: int) -> str:
    """A virtual key with budgets and limits, so that everything a call can cost is on."""
    service = manage(port, "POST", "/api/v1/services/", {"name": "benchmark"})
    body = {
        "name": "benchmark",
        "service": service["id"],
        "environment": "test",
        "budgets": [{"amount_usd": "1000000", "period": "month", "hard": True}],
        "limits": {
            "requests_per_minute": 100_000_000,
            "tokens_per_minute": 2_000_000_000,
            "parallel": 100_000,
        },
    }
    return str(manage(port, "POST", "/api/v1/keys/", body)["key"])


def manage(port: int, method: str, path: str, body: Any = None) -> Any:
    """One call to the management API with the master key."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"authorization": f"Bearer {MASTER_KEY}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None


def clean_environment(data: Path, port: int) -> dict[str, str]:
    """This environment without any setting of ours, but for the folder and the port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
    for name in ("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        kept.pop(name, None)
    return {**kept, "GATEHOUSE_DATA": str(data), "GATEHOUSE_PORT": str(port)}
