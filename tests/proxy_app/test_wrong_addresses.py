"""Addresses that nobody serves: told the right one where it can be guessed, and never a wrong one."""

import pytest

from gateway_project.handler import find_view, is_served
from proxy_app.views.edge import NoSuchPath, explain, meant_by
from proxy_app.views.vitals import Live, Ready
from tests.proxy_app.harness import completion
from tests.proxy_app.test_call import answering

MEANT = {
    "/v1/chat/completions/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/models": "/v1/models",
    "/v1/openai/chat/completions": "/openai/chat/completions",
    "/v1/anthropic/v1/messages": "/anthropic/v1/messages",
    "/v1/messages/v1/messages": "/v1/messages",
    "/api/v1/chat/completions": "/v1/chat/completions",
    "/api/chat/completions": "/v1/chat/completions",
    "/ui/v1/messages": "/v1/messages",
    "/behind/a/proxy/v1/chat/completions": "/v1/chat/completions",
    "//v1/models": "/v1/models",
    "/v1//chat/completions": "/v1/chat/completions",
    "/V1/Chat/Completions": "/v1/chat/completions",
    "/v1beta/v1beta/models": "/v1beta/models",
    "/v1beta/v1beta/models/gpt:generateContent": "/v1beta/models/gpt:generateContent",
    "/v1/v1beta/models/gpt/large:streamGenerateContent": "/v1beta/models/gpt/large:streamGenerateContent",
    "/gemini/v1beta1/models/gpt:countTokens": "/v1beta1/models/gpt:countTokens",
}
UNKNOWN = (
    *("/v1", "/v1/", "/openai/v1", "/v1/nothing", "/v1/threads/t/messages", "/v1/vector_stores/v/files"),
    *("/v1/organization/projects/p/models", "/v1/conversations/c/items", "/" + "v1/" * 5000 + "models"),
)


@pytest.mark.parametrize("path", MEANT)
async def test_a_wrong_base_address_is_told_which_one_was_meant(make_gateway, path: str) -> None:
    assert meant_by(path, is_served) == MEANT[path]
    gate = make_gateway(answering(completion()))
    answer = await gate.ask({}, path=path)
    assert answer.status == 404
    assert f"Did you mean '{MEANT[path]}'?" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_cannot_be_told_is_not_guessed(path: str) -> None:
    assert not is_served(path)
    assert meant_by(path, is_served) == ""


def test_a_base_address_and_what_providers_have_besides_are_told_as_what_they_are() -> None:
    assert explain("/openai/v1/") == "'/openai/v1' is a base address: the path of an endpoint follows it."
    assert explain("/v1/vector_stores").endswith("behind its name: /{provider}/v1/vector_stores.")
    assert explain("/robots.txt") == "There is no endpoint '/robots.txt' here."


@pytest.mark.parametrize("path", ["/openai/deployments/a/b/chat/completions/", "/v1/files/file-1/content/"])
def test_a_slash_at_the_end_changes_no_endpoint(path: str) -> None:
    assert find_view(path) == find_view(path.rstrip("/"))
    assert find_view(path)[0] is not NoSuchPath


def test_probes_as_litellm_has_them_find_the_same() -> None:
    assert [find_view(f"/health/{name}")[0] for name in ("liveness", "liveliness")] == [Live, Live]
    assert find_view("/health/readiness")[0] is Ready
