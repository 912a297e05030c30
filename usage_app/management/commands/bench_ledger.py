"""How many calls a second the ledger writes: `manage.py bench_ledger`. Empties nothing, keeps its rows.

For a database of its own only: the rows are real rows.
"""

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from gateway_project.clock import now_ms, uuid7
from usage_app.journal import JournalWriter, new_worker_id
from usage_app.ledger import Ledger
from usage_app.management.commands.run_ledger import make_durable
from usage_app.models import Request
from usage_app.records import AttemptBegun, AttemptEnded, Begin, Caller, Charge, End, Mark, Tokens

KEYS = 50


class Command(BaseCommand):
    help = "Writes made-up calls to a journal and times the ledger on them. For an empty database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--calls", type=int, default=20_000)

    def handle(self, *args: Any, **options: Any) -> None:
        if Request.objects.exists():
            raise CommandError("This database holds requests; the benchmark needs one of its own.")
        make_durable(connection)
        with tempfile.TemporaryDirectory() as folder:
            self._run(Path(folder), options["calls"])

    def _run(self, folder: Path, calls: int) -> None:
        writer = JournalWriter(folder, new_worker_id())
        writer.open()
        started = time.perf_counter()
        for number in range(calls):
            for record in one_call(number):
                writer.append(record)
        appending_s = time.perf_counter() - started
        ledger = Ledger(folder, "bench")
        ledger.lock()
        started, cpu_started = time.perf_counter(), time.process_time()
        while ledger.step():
            pass
        took_s = time.perf_counter() - started
        cpu_s = time.process_time() - cpu_started
        writer.close()
        ledger.unlock()
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.stdout.write(
            f"{connection.vendor}: {calls / took_s:,.0f} calls/s, {cpu_s / calls * 1e6:.0f} µs of processor "
            f"each; write lock held {ledger.longest_write_s * 1000:.0f} ms at most; append "
            f"{appending_s / calls / 3 * 1e6:.1f} µs a record; peak memory {peak_mb:.0f} MB"
        )


def one_call(number: int) -> tuple[Begin, AttemptBegun, End]:
    """A finished call as a worker writes it, keys and models in turn."""
    at_ms, call_id = now_ms(), str(uuid7())
    key = f"00000000-0000-7000-8000-{number % KEYS:012d}"
    caller = Caller(key, f"key {number % KEYS}", "sk-gh-…0000", "", "", key, "Service", "production")
    model = ("gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash")[number % 3]
    tokens = Tokens(1200 + number % 500, 300, 0, 0, 450, 0)
    charges = (Charge(key, "2026-11"),)
    route: dict[str, Any] = {
        "deployment_id": key,
        "deployment": f"openai/{model}",
        "provider_id": key,
        "provider": "openai",
    }
    begin = Begin(call_id, at_ms, caller, "chat.completions", "openai_chat", True, model, 1200, charges)
    attempt = AttemptBegun(call_id, 1, at_ms, upstream_model=model, **route)
    ended = AttemptEnded(1, at_ms, upstream_model=model, status="ok", http_status=200, tokens=tokens, **route)
    end = End(
        id=call_id,
        at_ms=at_ms,
        finished_at_ms=at_ms + 900,
        caller=caller,
        endpoint="chat.completions",
        format="openai_chat",
        stream=True,
        model=model,
        served_model=model,
        upstream_model=model,
        status="ok",
        http_status=200,
        finish_reason="stop",
        tokens=tokens,
        usage_source="provider",
        cost_nanodollars=7_500_000 + number,
        ttft_ms=200.0 + number % 300,
        latency_ms=900.0 + number % 3000,
        overhead_ms=0.8,
        attempts=[ended],
        marks=[
            Mark("arrived", 0.0),
            Mark("admitted", 0.2),
            Mark("first_content", 210.0),
            Mark("done", 900.0),
        ],
        decision={"candidates": [{"deployment": route["deployment"], "reason": "weight 1"}]},
        charges=charges,
        **route,
    )
    return begin, attempt, end
