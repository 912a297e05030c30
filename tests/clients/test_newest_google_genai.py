"""The generation of google-genai after the one that the frameworks take, before every kind of provider."""

import os
import sys

import pytest

from tests.clients.node_programs import run
from tests.serving import ROOT

pytestmark = pytest.mark.clients


TESTS = [f"tests/clients/test_{name}.py" for name in ("matrix", "failures", "langchain", "files")]


def test_the_newest_google_genai_hears_what_the_one_before_it_hears() -> None:
    """Chats, streams, tools, schemas, images, thoughts, failures and files: the same tests with the other
    SDK, and with LangChain over it."""
    warnings = [f"-Wignore::{kind}" for kind in ("ResourceWarning", "DeprecationWarning")]
    done = run(
        sys.executable,
        "-m",
        "tests.clients.google_genai.run",
        *TESTS,
        *warnings,
        *("-k", "generate or google or three_apis", "-m", "clients or not clients", "-p", "no:cacheprovider"),
        folder=ROOT,
        HOME=os.environ["HOME"],
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
