"""Snippets: complete, filled, without a secret; what is Python compiles."""

import tomllib

import pytest

from usage_app.snippets import BY_NAME, SNIPPETS, Snippet

#: Clients that add the version to the address by themselves.
ROOTED = {"anthropic-python", "google-genai", "claude-code"}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.name)
def test_a_snippet_has_address_model_and_a_key_from_the_environment(snippet: Snippet) -> None:
    text = snippet.filled("https://gate.example/base", "some/model")
    assert ("https://gate.example/base" if snippet.name in ROOTED else "https://gate.example/base/v1") in text
    assert snippet.name not in ROOTED or "/v1" not in text
    assert "GATEHOUSE_API_KEY" in text
    assert "{base_url}" not in text
    assert "{model}" not in text
    assert snippet.name == "open-webui" or "some/model" in text
    assert "sk-" not in text


@pytest.mark.parametrize("name", [each.name for each in SNIPPETS if each.language == "python"])
def test_python_is_python(name: str) -> None:
    snippet = next(each for each in SNIPPETS if each.name == name)
    compile(snippet.filled("http://localhost:4000", "sandbox"), name, "exec")


def test_the_settings_of_codex_are_what_it_reads() -> None:
    """As docs/coding-agents.md has them, and the tests of coding agents run them."""
    read = tomllib.loads(BY_NAME["codex"].filled("http://localhost:4000", "gpt-6-sol"))
    provider = read["model_providers"][read["model_provider"]]
    assert (read["model"], provider["base_url"]) == ("gpt-6-sol", "http://localhost:4000/v1")
    assert (provider["env_key"], provider["wire_api"]) == ("GATEHOUSE_API_KEY", "responses")


def test_every_client_of_the_documentation_has_a_tab() -> None:
    assert {"anthropic-python", "google-genai", "claude-code", "codex", "cursor"} <= set(BY_NAME)
