"""What the window's pages cost over millions of calls, asked through Django's test client.

`python -m benchmarks.big_ledger --rows 5000000` makes a database `gatehouse_big_ledger` at --postgres
(one that is there is refused), fills it with calls of 90 days, their attempts, late costs and sums, opens
each page and report six times and prints JSON: the first and the median milliseconds, the queries, and
whether calls were read or sums alone. The database is dropped at the end, unless --keep; --again asks one
that was kept, --only NAME the pages of that name. `--sqlite FOLDER` does the same in a SQLite file.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.big_filling import fill, tell
from benchmarks.big_house import House

if TYPE_CHECKING:
    from django.test import Client

NAME = "gatehouse_big_ledger"
TURNS = 6
CALLS = re.compile(r'\b(?:FROM|JOIN) "?usage_app_(?:request|attempt|adjustment)\b')


def _lists(facts: dict[str, str]) -> dict[str, str]:
    """Lists of calls: what they are of -> query."""
    return {
        "": "range=24h",
        ", 90 days": "range=90d",
        ", one status": "range=90d&status=interrupted",
        ", a key and a status": f"range=90d&key={facts['key']}&status=cancelled",
        ", a client (no index)": "range=90d&client=nobody",
        ", an environment (no index)": "range=90d&environment=experiment",
        ", a cost (no index)": "range=90d&min_cost_usd=0.9",
        ", oldest first, no index": "range=90d&client=nobody&sort=started",
        ", deep": f"range=90d&after=0.0~{facts['deep']}",
        ", deep, going back": f"range=90d&before=0.0~{facts['deep']}",
        ", by cost": "range=90d&sort=-cost",
        ", by cost, of a model": "range=90d&sort=-cost&model=model-3",
        ", by latency": "range=90d&sort=-latency",
        ", by cost, no index": "range=90d&sort=-cost&client=agent/3",
    }


def pages(facts: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What is asked: name -> (who, path)."""
    month, quarter = "range=last_month", "range=quarter"
    return {
        "Overview": ("root", "/ui/?range=24h"),
        "Overview, 90 days": ("root", "/ui/?range=90d&by=key"),
        "Overview of a manager": ("alice", "/ui/?range=90d"),
        **{f"Requests{name}": ("root", f"/ui/requests/?{query}") for name, query in _lists(facts).items()},
        "Requests of a manager": ("alice", "/ui/requests/?range=90d"),
        "Requests of a member": ("bob", "/ui/requests/?range=90d"),
        "Requests, by cost, of a member": ("bob", "/ui/requests/?range=90d&sort=-cost"),
        "Requests, count": ("root", "/ui/requests/?range=90d&fragment=count"),
        "Requests, choices": ("root", "/ui/requests/?range=90d&fragment=choices"),
        "Request": ("root", f"/ui/requests/{facts['call']}/"),
        "Usage, month": ("root", f"/ui/usage/?{month}"),
        "Usage, quarter by key and day": ("root", f"/ui/usage/?{quarter}&by=key&and=model&columns=day"),
        "Usage, quarter by user and model": (
            "root",
            f"/ui/usage/?{quarter}&by=user&and=model&columns=second",
        ),
        "Usage, 90 days by client": ("root", "/ui/usage/?range=90d&by=client"),
        "Usage, 3 days by hour": ("root", f"/ui/usage/?since={facts['three_days']}&by=key&columns=hour"),
        "Budgets": ("root", "/ui/budgets/"),
        "Models": ("root", "/ui/models/?range=30d"),
        "Prices": ("root", "/ui/prices/?range=30d"),
        "Exports": ("root", "/ui/exports/"),
        "API usage by key and model": ("root", f"/api/v1/usage/?since={facts['month']}&group_by=key,model"),
        "API usage by day": ("root", f"/api/v1/usage/?since={facts['month']}&group_by=service&interval=day"),
        "API requests": ("root", f"/api/v1/requests/?since={facts['month']}"),
        "API requests of a key": ("root", f"/api/v1/requests/?since={facts['month']}&key={facts['key']}"),
        "API requests, no index": (
            "root",
            f"/api/v1/requests/?since={facts['month']}&environment=experiment&status=interrupted",
        ),
        "API request": ("root", f"/api/v1/requests/{facts['call']}/"),
    }


# ---------------------------------------------------------------- the questions


def facts() -> dict[str, str]:
    """What addresses need: a key, a call, a place deep in the list, instants."""
    from gateway_project.clock import now, uuid7_at
    from usage_app.models import Request

    at = now()
    middle = uuid7_at(int((at - timedelta(days=45)).timestamp() * 1000))
    call = Request.objects.filter(status="ok").order_by("-id")[100]
    return {
        "key": call.key_id,
        "call": str(call.pk),
        "deep": middle.hex,
        "month": (at - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "three_days": (at - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"),
    }


def ask(only: str) -> dict[str, Any]:
    """Each page's figures; each in a browser of its own, for the window remembers what was chosen."""
    from django.test import Client

    from keys_app.models import User

    found = {}
    for name, (who, path) in pages(facts()).items():
        if only in name:
            client = Client()
            client.force_login(User.objects.get(username=who))
            found[name] = measured(client, path)
            tell(f"{name}: {found[name]}")
    return found


def measured(client: "Client", path: str) -> dict[str, Any]:
    """Milliseconds on the wall, and of processors: of this process and of the database's that serves it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    headers = {"HX-Request": "true"} if "fragment=" in path else {}
    taken, cpu = [], []
    for _turn in range(TURNS):
        began, used = time.perf_counter(), cpu_ms(connection)
        answer = client.get(path, headers=headers)
        answer.getvalue()
        taken.append((time.perf_counter() - began) * 1000)
        cpu.append(cpu_ms(connection) - used)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    with CaptureQueriesContext(connection) as queries:
        client.get(path, headers=headers)
    return {
        "first_ms": round(taken[0]),
        "then_ms": round(median(taken[1:])),
        "cpu_ms": round(median(cpu[1:])),
        "queries": len(queries),
        "reads": "calls" if any(CALLS.search(each["sql"]) for each in queries) else "sums",
    }


def cpu_ms(connection: Any) -> float:
    """Processor time so far: what others on the machine do is not in it."""
    used = time.process_time() * 1000
    if connection.vendor != "postgresql":
        return used
    connection.ensure_connection()
    try:
        told = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text()
    except OSError:  # the database is on another machine
        return used
    ticks = sum(map(int, told.rpartition(")")[2].split()[11:13]))
    return used + ticks * 1000 / os.sysconf("SC_CLK_TCK")


def sizes() -> dict[str, int]:
    from usage_app.models import Adjustment, ClaimRollup, DayRollup, Request, Rollup

    return {
        model.__name__: model._default_manager.count()
        for model in (Request, Adjustment, Rollup, DayRollup, ClaimRollup)
    }


# ---------------------------------------------------------------- the run


@contextmanager
def database(options: argparse.Namespace) -> Iterator[str]:
    """The address of a database of this run's own."""
    if options.sqlite:
        yield f"sqlite:///{options.sqlite}/{NAME}.sqlite3"
        return
    with psycopg.connect(options.postgres, autocommit=True) as server:
        known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
        if known and not options.again:
            raise SystemExit(f"There is a database {NAME} already: drop it, or ask it --again.")
        if not known:
            server.execute(f"CREATE DATABASE {NAME}")
    try:
        yield options.postgres.rsplit("/", 1)[0] + f"/{NAME}"
    finally:
        if not options.keep:
            from django.db import connections

            connections.close_all()
            with psycopg.connect(options.postgres, autocommit=True) as server:
                server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_ledger", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="calls")
    parser.add_argument("--postgres", default="postgresql://postgres:postgres@127.0.0.1:5432/postgres")
    parser.add_argument("--sqlite", default="", help="a folder for a SQLite file instead")
    parser.add_argument("--keep", action="store_true", help="keep the database")
    parser.add_argument("--again", action="store_true", help="ask the one that was kept")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gatehouse-big-") as folder, database(options) as address:
        os.environ |= {
            "GATEHOUSE_DATA": folder,
            "GATEHOUSE_DATABASE_URL": address,
            "DJANGO_SETTINGS_MODULE": "gateway_project.settings",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        if not options.again:
            fill(House(), options.rows)
        report = {"machine": f"{os.cpu_count()} cores", "rows": sizes(), "pages": ask(options.only)}
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
