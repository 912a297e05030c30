"""`make check`: every check of the house at once, two at a time, with only the failing ones shown."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

#: name -> command, the slow ones first. `make check ARGS="types house"` runs some of them.
CHECKS: dict[str, tuple[str, ...]] = {
    "types": (str(BIN / "mypy"), "."),
    "migrations": (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"),
    "django": (sys.executable, "manage.py", "check"),
    "layers": (str(BIN / "lint-imports"), "--no-logo"),
    "house": (sys.executable, ".ci/check_house.py"),
    "docs": (sys.executable, ".ci/check_docs.py"),
    "lint": (str(BIN / "ruff"), "check", "."),
    "format": (str(BIN / "ruff"), "format", "--check", "."),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    passed: bool
    seconds: float
    output: str


def run_check(name: str) -> Outcome:
    """Run one check to its end and keep what it said."""
    started = time.monotonic()
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        env={**os.environ, "GATEHOUSE_DATA": os.environ.get("GATEHOUSE_DATA", str(ROOT / "data"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(name, done.returncode == 0, time.monotonic() - started, done.stdout)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"There is no check named {', '.join(unknown)}; there are {', '.join(CHECKS)}.")
        return 2
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(run_check, names or list(CHECKS)))
    for outcome in outcomes:
        print(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.name:<11} {outcome.seconds:5.1f} s")
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed:
        print(f"\n--- {outcome.name}\n{outcome.output.rstrip()}")
    for outcome in outcomes:
        if outcome.passed and outcome.name == "house" and outcome.output.strip():
            print(f"\n{outcome.output.rstrip()}")
    print(f"\n{len(outcomes) - len(failed)} of {len(outcomes)} in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
