"""The rules of the house that no linter knows: sizes, names, and who may import what.

Every rule is a function from a parsed file to complaints; hard ones fail the check, soft ones are
listed. Standard library only, so that it runs in a bare checkout too.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FILE_SOFT, FILE_HARD = 300, 500
FUNCTION_SOFT, FUNCTION_HARD = 40, 60
BANNED_NAMES = frozenset({"utils.py", "helpers.py", "common.py", "manager.py", "misc.py"})

#: module -> where it may be imported. Tests and benchmarks drive the product from outside.
OUTSIDE = ("tests/*", "benchmarks/*")
ONLY_IN: dict[str, tuple[str, ...]] = {
    "httpx": ("proxy_app/upstream*", "gateway_project/lifespan.py"),
    "httpx_aiohttp": ("proxy_app/upstream*", "gateway_project/lifespan.py"),
    "aiohttp": ("proxy_app/upstream*", "gateway_project/lifespan.py"),
    "requests": (),
    "channels": (
        "usage_app/live*",
        "usage_app/consumers*",
        "usage_app/routing.py",
        "gateway_project/asgi.py",
        "gateway_project/lifespan.py",  # hands the layer to the publisher
        "gateway_project/settings.py",
    ),
    "environ": ("gateway_project/settings.py",),
}

#: Processes are started from these files only, and from nothing a request carries.
STARTS_PROCESSES = (
    "gateway_project/supervisor.py",
    "gateway_project/programs.py",
    "usage_app/ledger_upkeep.py",  # the price list, in a process that gives its memory back
    ".ci/*",
    *OUTSIDE,
)
READS_ENVIRONMENT = ("gateway_project/env.py", "manage.py", ".ci/*", *OUTSIDE)
#: Modules that keep a registry of their tasks: failures are logged, shutdown awaits them.
TASK_REGISTRIES = (
    "*/tasks.py",
    "gateway_project/lifespan.py",
    "proxy_app/guard.py",  # one watch a call, cancelled when the call closes
    "proxy_app/upstream_inprocess.py",  # one step of a read, cancelled by the reader
    *OUTSIDE,
)
#: The fronts by which one app uses another; the control plane's rooms may use models besides.
FRONTS: dict[str, tuple[str, ...]] = {
    "keys_app": (
        *("policy", "demanding", "snapshot", "limits", "models", "secrets", "entries", "crypto"),
        *("frame", "periods", "snapshot_rows", "alert_targets"),
        *("tasks", "connections", "audit", "grants", "rights", "retention", "identity_proof", "spending"),
    ),
    "usage_app": (
        "journal",
        "pricing",
        "live",
        "records",
        "models",
        "usage",
        "pricebook",
        "stored",
        "captured",
        "transcript",
    ),
}
OUTER_ROOMS = (
    "gateway_project/*",  # the composition root puts everything together
    "*/management/*",
    "*/admin/*",
    "*/api/*",
    "*/urls.py",
    "proxy_app/config_file/*",
    "proxy_app/setup*.py",
    *OUTSIDE,
)


@dataclass(frozen=True, slots=True)
class Complaint:
    where: str
    what: str
    hard: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file of the project."""

    path: str
    text: str
    tree: ast.Module

    def is_in(self, patterns: Iterable[str]) -> bool:
        return any(fnmatchcase(self.path, pattern) for pattern in patterns)


def check_names(source: Source) -> Iterator[Complaint]:
    if Path(source.path).name in BANNED_NAMES:
        yield Complaint(source.path, "a module is named after what it owns, never utils or helpers")


def check_sizes(source: Source) -> Iterator[Complaint]:
    lines = source.text.count("\n")
    if lines > FILE_SOFT:
        yield Complaint(source.path, f"{lines} lines (at most {FILE_SOFT})", hard=lines > FILE_HARD)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_SOFT:
                where = f"{source.path}:{node.lineno}"
                what = f"{node.name} has {length} lines (at most {FUNCTION_SOFT})"
                yield Complaint(where, what, hard=length > FUNCTION_HARD)


def check_docstring(source: Source) -> Iterator[Complaint]:
    may_be_bare = not source.text.strip() or source.path.endswith("__init__.py")
    may_be_bare = may_be_bare or source.path.startswith("tests/")  # a test file's name says it
    if not may_be_bare and ast.get_docstring(source.tree) is None:
        yield Complaint(source.path, "a module says in one to six lines what it owns")


def check_globals(source: Source) -> Iterator[Complaint]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield Complaint(f"{source.path}:{node.lineno}", "no `global`")


def check_imports(source: Source) -> Iterator[Complaint]:
    for line, module in imported_modules(source.tree):
        where, top = f"{source.path}:{line}", module.split(".")[0]
        if top in ONLY_IN and not source.is_in((*ONLY_IN[top], *OUTSIDE)):
            yield Complaint(where, f"{top} is used only in {', '.join(ONLY_IN[top]) or 'no file'}")
        if top == "subprocess" and not source.is_in(STARTS_PROCESSES):
            yield Complaint(where, "processes are started by the supervisor only")
        if top in FRONTS and not source.path.startswith(f"{top}/") and not source.is_in(OUTER_ROOMS):
            room = module.partition(".")[2].partition(".")[0]
            if room and room not in FRONTS[top]:
                yield Complaint(where, f"{module} is not a front of {top}: {', '.join(FRONTS[top])}")


def imported_modules(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module in FRONTS:
                for alias in node.names:
                    yield node.lineno, f"{node.module}.{alias.name}"
            else:
                yield node.lineno, node.module


def check_environment(source: Source) -> Iterator[Complaint]:
    if source.is_in(READS_ENVIRONMENT):
        return
    for node in ast.walk(source.tree):
        reads = isinstance(node, ast.Attribute) and dotted(node) in ("os.environ", "os.getenv", "os.putenv")
        named = isinstance(node, ast.ImportFrom) and node.module == "os"
        if reads or (named and any(alias.name in ("environ", "getenv") for alias in node.names)):
            yield Complaint(f"{source.path}:{node.lineno}", "the environment is read in env.py only")


def check_tasks(source: Source) -> Iterator[Complaint]:
    if source.is_in(TASK_REGISTRIES):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = dotted(node.func.value)
            starts = node.func.attr in ("create_task", "ensure_future")
            if starts and owner.endswith(("asyncio", "loop", "loop()")):
                what = "a task belongs to a task group or a registry that awaits it"
                yield Complaint(f"{source.path}:{node.lineno}", what)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return node.id if isinstance(node, ast.Name) else ""


RULES = (
    check_names,
    check_sizes,
    check_docstring,
    check_globals,
    check_imports,
    check_environment,
    check_tasks,
)

_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.DOTALL | re.IGNORECASE)
_INLINE_STYLE = re.compile(r"<style[\s>]|\sstyle\s*=\s*[\"']", re.IGNORECASE)
_INLINE_HANDLER = re.compile(r"<[^>]*\son[a-z]+\s*=\s*[\"']", re.IGNORECASE)
_COMMENT = re.compile(r"{#.*?#}|{% comment.*?endcomment %}|<!--.*?-->", re.DOTALL)


def check_template(path: str, text: str) -> Iterator[Complaint]:
    """The content security policy forbids inline scripts and styles; data in JSON is neither."""
    text = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    for match in _SCRIPT.finditer(text):
        attributes = match["attributes"].lower()
        if match["body"].strip() and "src=" not in attributes and "json" not in attributes:
            yield Complaint(f"{path}:{line_of(text, match.start())}", "no inline script")
    for pattern, what in ((_INLINE_STYLE, "no inline style"), (_INLINE_HANDLER, "no inline event handler")):
        for match in pattern.finditer(text):
            yield Complaint(f"{path}:{line_of(text, match.start())}", what)


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def tracked_files() -> list[str]:
    """What git would commit: tracked files and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return sorted({line for line in listed.stdout.splitlines() if (ROOT / line).is_file()})
    skipped = (".venv/", "data/", "staticfiles/", ".git/")
    found = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.startswith(skipped))


def complaints(paths: Iterable[str]) -> Iterator[Complaint]:
    for path in paths:
        if path.endswith(".py") and "/migrations/" not in path:
            text = (ROOT / path).read_text("utf-8")
            source = Source(path, text, ast.parse(text, path))
            for rule in RULES:
                yield from rule(source)
        elif path.endswith(".html"):
            yield from check_template(path, (ROOT / path).read_text("utf-8"))


def main() -> int:
    found = list(complaints(tracked_files()))
    for complaint in sorted(found, key=lambda each: (not each.hard, each.where)):
        print(f"{'error' if complaint.hard else 'note '} {complaint.where}: {complaint.what}")
    return 1 if any(complaint.hard for complaint in found) else 0


if __name__ == "__main__":
    sys.exit(main())
