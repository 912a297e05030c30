"""What `make run` prints: nothing to guess for a newcomer, and no secret a second time."""

import dataclasses
import json
import shlex

import pytest

from gateway_project import conf
from gateway_project.banner import render

FIRST = {
    "admin_password": "correct-horse-battery",
    "key": "sk-gh-first-key",
    "model": "sandbox",
    "notices": ["os.environ/NOT_SET is not set, so the deployment gpt-x is disabled."],
    "providers": ["sandbox"],
}
LATER = {"admin_password": None, "key": None, "model": "sandbox", "notices": [], "providers": ["sandbox"]}


@pytest.fixture
def config() -> conf.Config:
    return dataclasses.replace(conf.load(), host="127.0.0.1", port=4000, public_url="http://localhost:4000")


def test_the_first_start_tells_everything(config: conf.Config) -> None:
    text = render(config, FIRST)
    for words in ("http://localhost:4000/v1", "http://localhost:4000/ui", "admin", "correct-horse-battery"):
        assert words in text
    assert text.count("sk-gh-first-key") == 3  # by itself, in the curl, in the snippet
    assert "GATEHOUSE_HOST=0.0.0.0" in text
    assert "gpt-x is disabled" in text
    assert "make demo" in text


def test_the_printed_curl_is_a_command(config: conf.Config) -> None:
    text = render(config, FIRST)
    command = text[text.index("curl ") : text.index("\n\n", text.index("curl "))]
    words = shlex.split(command)
    assert words[1] == "http://localhost:4000/v1/chat/completions"
    assert "Authorization: Bearer sk-gh-first-key" in words
    assert json.loads(words[-1])["model"] == "sandbox"


def test_the_printed_snippet_is_python(config: conf.Config) -> None:
    text = render(config, FIRST)
    snippet = text[text.index("from openai") : text.index("\n\n", text.index("from openai"))]
    compile(snippet, "snippet", "exec")


def test_a_later_start_says_how_to_get_them_again(config: conf.Config) -> None:
    text = render(config, LATER)
    assert "make key" in text
    assert "make admin" in text
    assert "curl" not in text


def test_listening_for_the_network_is_said(config: conf.Config) -> None:
    text = render(dataclasses.replace(config, host="0.0.0.0"), LATER)
    assert "for the network" in text
    assert "only this machine" not in text


def test_connected_providers_are_named(config: conf.Config) -> None:
    text = render(config, {**LATER, "providers": ["openai", "sandbox"]})
    assert "Providers: openai." in text
