"""Snippets: complete, filled, without a secret; what is Python compiles."""

import pytest

from usage_app.snippets import SNIPPETS, Snippet


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.name)
def test_a_snippet_has_address_model_and_a_key_from_the_environment(snippet: Snippet) -> None:
    text = snippet.filled("https://gate.example/base", "some/model")
    assert "https://gate.example/base/v1" in text
    assert "GATEHOUSE_API_KEY" in text
    assert "{base_url}" not in text
    assert "{model}" not in text
    assert snippet.name == "open-webui" or "some/model" in text
    assert "sk-" not in text


@pytest.mark.parametrize("name", [each.name for each in SNIPPETS if each.language == "python"])
def test_python_is_python(name: str) -> None:
    snippet = next(each for each in SNIPPETS if each.name == name)
    compile(snippet.filled("http://localhost:4000", "sandbox"), name, "exec")
