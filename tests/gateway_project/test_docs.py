"""The documentation agrees with the code, and the rules of the house catch what they should."""

import importlib.util
import re
import subprocess
import sys
from types import ModuleType

import pytest

from gateway_project.conf import BASE_DIR, VARIABLES
from gateway_project.errors import ERROR_CATALOGUE
from proxy_app.urls import ANTHROPIC, GEMINI, OPENAI, PATHS, PATTERNS


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BASE_DIR / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


docs = load("check_docs")
house = load("check_house")


def read(name: str) -> str:
    return (BASE_DIR / name).read_text("utf-8")


def test_every_setting_is_documented_and_no_other() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", read("docs/settings.md"), re.MULTILINE) == list(VARIABLES)
    assert docs.unlisted_variables() == []


def test_every_error_is_documented_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z_]+)` \| (\d+)", read("docs/errors.md"), re.MULTILINE)
    assert dict(listed) == {code: str(error.status_code) for code, error in ERROR_CATALOGUE.items()}


def test_every_address_of_the_data_plane_is_documented() -> None:
    page = read("docs/endpoints.md")
    served = {view: f"{start}{{model}}{end}" for start, end, view in reversed(PATTERNS)}
    served = {view: path.replace("/v1beta/{", "/v1beta/models/{") for view, path in served.items()}
    for kept in ("responses", "files", "batches", "messages/batches"):
        served = {
            view: path.replace(f"/{kept}/{{model}}", f"/{kept}/{{id}}") for view, path in served.items()
        }
    served |= {view: path for path, view in reversed(PATHS.items())}
    for path in served.values():
        assert f"`{path}`" in page, path
    for view in served:
        assert f"`{view.endpoint}`" in page or not view.needs_key, view
    for base in {*OPENAI, *ANTHROPIC, *GEMINI} - {""}:
        assert f"`{base}`" in page, base


def test_a_stale_table_is_noticed() -> None:
    page = read("docs/errors.md")
    assert docs.render("docs/errors.md", page) == page
    stale = page.replace("| 404 |", "| 400 |")
    assert docs.render("docs/errors.md", stale) != stale


def test_links_between_pages_lead_somewhere() -> None:
    pages = [BASE_DIR / "README.md", *sorted((BASE_DIR / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_both_lock_files_pin_the_same_versions() -> None:
    pins = [
        dict(re.findall(r"^([A-Za-z0-9_.\[\]-]+)==(\S+)", read(name), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    ]
    assert pins[0].items() <= pins[1].items()


def test_every_pin_has_hashes() -> None:
    names = ["requirements.txt", "requirements-bedrock.txt", "requirements-dev.txt"]
    for name in [*names, "tests/clients/google_genai/requirements.txt"]:
        for block in re.split(r"\n(?=[A-Za-z0-9])", read(name)):
            if "==" in block.splitlines()[0]:
                assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_shell_script_and_the_makefile_offer_the_same_commands() -> None:
    makefile = re.search(r"^COMMANDS := (.+)$", read("Makefile"), re.MULTILINE)
    assert makefile is not None
    script = re.findall(r"^    ([a-z-]+)(?: \||\))", read("gatehouse"), re.MULTILINE)
    assert set(makefile[1].split()) <= set(script)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_shell_scripts_parse(shell: str) -> None:
    for name in ("gatehouse", ".ci/run", ".ci/test-services", ".ci/test-browser"):
        if shell == "bash" or read(name).startswith("#!/bin/sh"):
            subprocess.run([shell, "-n", BASE_DIR / name], check=True)


BROKEN = {
    "no `global`": "def f():\n    global x\n    x = 1\n",
    "httpx is used only in": "import httpx\n",
    "channels is used only in": "from channels.layers import get_channel_layer\n",
    "the environment is read in env.py only": "import os\n\nx = os.environ['A']\n",
    "a task belongs to": "import asyncio\n\nasyncio.create_task(f())\n",
    "processes are started by the supervisor only": "import subprocess\n",
    "is not a front of keys_app": "from keys_app.limits_table import x\n",
    "f has 61 lines": "def f():\n" + "    x = 1\n" * 60,
    "501 lines": "x = 1\n" * 501,
    "says in one to six lines": "x = 1\n",
}


@pytest.mark.parametrize("complaint", BROKEN)
def test_the_house_rules_catch(complaint: str) -> None:
    import ast

    text = BROKEN[complaint]
    source = house.Source("proxy_app/pipeline.py", text, ast.parse(text))
    found = [each for rule in house.RULES for each in rule(source)]
    assert any(complaint in each.what for each in found if each.hard), found


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("<p style='color: red'>", "no inline style"),
        ("<style>p {}</style>", "no inline style"),
        ("<script>alert(1)</script>", "no inline script"),
        ("<a onclick='f()'>", "no inline event handler"),
        ('<script type="application/json">{}</script><script src="/a.js"></script>', ""),
        ("{# <script>not sent</script> #}<p class='x'>", ""),
    ],
)
def test_templates_stay_within_the_content_policy(template: str, complaint: str) -> None:
    assert [each.what for each in house.check_template("x.html", template)] == (
        [complaint] if complaint else []
    )
