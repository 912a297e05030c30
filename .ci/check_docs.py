"""Keeps the generated tables of the documentation true: settings, errors, providers, what converts to what.

Checks by default; `--write` renders the tables between their markers again.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / ".ci")]

from compatibility import compatibility_tables  # noqa: E402
from provider_tables import provider_tables  # noqa: E402

from gateway_project.conf import VARIABLES  # noqa: E402
from gateway_project.errors import ERROR_CATALOGUE  # noqa: E402

FAULTS = {
    "caller": "the caller",
    "admin": "an administrator",
    "provider": "the provider",
    "gateway": "the gateway",
}


def settings_table() -> str:
    rows = [f"| `{name}` | {default} | {meaning} |" for name, (default, meaning) in VARIABLES.items()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def errors_table() -> str:
    errors = sorted(ERROR_CATALOGUE.values(), key=lambda error: (error.status_code, error.code))
    rows = [
        f"| `{error.code}` | {error.status_code} | {error.default_detail} | {FAULTS[error.fault]} "
        f"| {error.remedy} |"
        for error in errors
    ]
    header = "| code | status | what it says | who can help | what to do |"
    return "\n".join([header, "|---|---|---|---|---|", *rows])


#: page -> table; each page has one pair of markers.
TABLES = {
    "docs/settings.md": settings_table,
    "docs/errors.md": errors_table,
    "docs/compatibility.md": compatibility_tables,
    "docs/providers.md": provider_tables,
}
_BLOCK = re.compile(r"(<!-- table:begin -->\n).*?(\n<!-- table:end -->)", re.DOTALL)


def render(page: str, text: str) -> str:
    """The page with its table rendered again; a page without markers is a mistake."""
    table = TABLES[page]()
    if not _BLOCK.search(text):
        raise ValueError(f"{page} has no table markers")
    return _BLOCK.sub(lambda match: match[1] + table + match[2], text)


def stale_pages(write: bool) -> list[str]:
    stale = []
    for page in TABLES:
        path = ROOT / page
        text = path.read_text("utf-8")
        fresh = render(page, text)
        if fresh != text:
            stale.append(page)
            if write:
                path.write_text(fresh, "utf-8")
    return stale


def unlisted_variables() -> list[str]:
    """Variables the code reads that nobody documented, and documented ones nobody reads."""
    reads = re.compile(r"env_(?:str|int|bool|list|choice|path)\(\s*[\"']([A-Z_]+)[\"']")
    internal = {"TZ", "GATEHOUSE_LIFELINE_FD"}
    read: set[str] = set()
    for path in ROOT.glob("*_*/**/*.py"):
        read.update(reads.findall(path.read_text("utf-8")))
    documented = {name for name in VARIABLES if name.startswith("GATEHOUSE_")}
    unlisted = [
        f"{name} is read but not in conf.VARIABLES" for name in sorted(read - set(VARIABLES) - internal)
    ]
    return unlisted + [f"{name} is documented but nobody reads it" for name in sorted(documented - read)]


def main(arguments: list[str]) -> int:
    write = "--write" in arguments
    complaints = unlisted_variables()
    stale = stale_pages(write)
    if not write:
        complaints += [f"{page} is stale: .venv/bin/python .ci/check_docs.py --write" for page in stale]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
