"""The list of models in the shape of whoever asks, page by page."""

from dataclasses import replace
from datetime import datetime

import pytest
from anthropic.types import ModelInfo
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Model

from gateway_project.errors import BadRequest
from proxy_app.model_lists import (
    Listed,
    anthropic_list,
    codex_catalogue,
    gemini_list,
    litellm_list,
    openai_list,
)
from tests.proxy_app.harness import SECRET, deployment, model

ANTHROPIC = {"anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": SECRET}


def listed(*names: str) -> list[Listed]:
    return [Listed(name, 1_700_000_000, "alpha", "", 200_000) for name in sorted(names)]


def three(make_gateway, **key):
    models = [model(name, deployment(name)) for name in ("claude-b", "gpt-a", "tuned/c")]
    return make_gateway(None, *models, **key)


@pytest.mark.parametrize(
    ("path", "headers", "query", "names"),
    [
        ("/v1/models", {}, "", lambda body: [entry["id"] for entry in body["data"]]),
        ("/v1/models", ANTHROPIC, "limit=1000", lambda body: [entry["id"] for entry in body["data"]]),
        ("/anthropic/v1/models", {}, "", lambda body: [entry["id"] for entry in body["data"]]),
        (
            "/v1/models",
            {},
            "client_version=0.171.0",
            lambda body: [entry["slug"] for entry in body["models"]],
        ),
    ],
)
async def test_whoever_asks_gets_the_list_in_its_shape(make_gateway, path, headers, query, names):
    gate = three(make_gateway, models_allowed=("claude-*", "tuned/*"))
    answer = await gate.ask(path=path, method="GET", headers=headers, query=query)
    assert answer.status == 200
    assert names(answer.json()) == ["claude-b", "tuned/c"]


async def test_one_model_is_told_in_the_shape_of_whoever_asks(make_gateway):
    gate = three(make_gateway)
    told = (await gate.ask(path="/v1/models/tuned/c", method="GET", headers=ANTHROPIC)).json()
    assert (told["type"], told["id"], told["display_name"]) == ("model", "tuned/c", "C")
    assert (await gate.ask(path="/v1/models/gpt-a", method="GET")).json()["object"] == "model"
    assert (await gate.ask(path="/v1beta/models/gpt-a", method="GET")).json()["name"] == "models/gpt-a"
    missing = await gate.ask(path="/v1/models/none", method="GET", headers=ANTHROPIC)
    assert missing.status == 404 and missing.json()["error"]["type"] == "not_found_error"


async def test_a_page_that_cannot_be_is_refused_in_dialect(make_gateway):
    answer = await three(make_gateway).ask(
        path="/v1/models", method="GET", headers=ANTHROPIC, query="limit=0"
    )
    assert answer.status == 400 and answer.json()["error"]["type"] == "invalid_request_error"


def test_entries_are_what_the_official_sdks_expect():
    for entry in openai_list(listed("gpt"))["data"]:
        Model.model_validate(entry, strict=True)
    for entry in anthropic_list(listed("claude"), {})["data"]:
        assert ModelInfo.model_validate(entry).created_at == datetime.fromisoformat(entry["created_at"])
    for entry in gemini_list(listed("gemini"), {})["models"]:
        del entry["supportedGenerationMethods"]  # which that SDK calls supported_actions, once it has read it
        assert types.Model.model_validate(entry).name == "models/gemini"


def test_a_name_is_shown_as_people_write_it():
    shown = {
        "claude-sonnet-5": "Claude Sonnet 5",
        "openai/gpt-5.2-codex": "GPT 5.2 Codex",
        "sandbox": "Sandbox",
    }
    assert {name: Listed(name, 0, "x").display_name for name in shown} == shown


NAMES = st.lists(st.text("abc-/.", min_size=1, max_size=4), unique=True, max_size=12)


@given(NAMES, st.integers(1, 5))
def test_anthropics_pages_forwards_give_every_model_once(names, limit):
    models, seen, query = listed(*names), [], {"limit": str(limit)}
    while True:
        page = anthropic_list(models, query)
        seen += [entry["id"] for entry in page["data"]]
        if not page["has_more"]:
            break
        query["after_id"] = page["last_id"]
    assert seen == sorted(names)


@given(NAMES, st.integers(1, 5))
def test_anthropics_pages_backwards_give_every_model_once(names, limit):
    models, seen, query = listed(*names, "~"), [], {"limit": str(limit), "before_id": "~"}
    while True:
        page = anthropic_list(models, query)
        seen = [entry["id"] for entry in page["data"]] + seen
        if not page["has_more"]:
            break
        query["before_id"] = page["first_id"]
    assert seen == sorted(names)


@pytest.mark.parametrize("name", ["after_id", "before_id"])
def test_a_page_beside_a_model_that_is_not_there_is_refused(name):
    with pytest.raises(BadRequest, match=name):
        anthropic_list(listed("a", "c"), {name: "b"})


@given(NAMES, st.integers(1, 5))
def test_geminis_pages_give_every_model_once(names, size):
    models, seen, query = listed(*names), [], {"pageSize": str(size)}
    while True:
        page = gemini_list(models, query)
        seen += [entry["name"].removeprefix("models/") for entry in page["models"]]
        if "nextPageToken" not in page:
            break
        query["pageToken"] = page["nextPageToken"]
    assert seen == sorted(names)


@pytest.mark.parametrize(
    ("size", "shown"), [("0", 50), ("", 50), ("7", 7), ("1000", 60), ("2000000000000", 60)]
)
def test_geminis_pages_are_as_long_as_they_may_be(size, shown):
    names = [f"m{number:02}" for number in range(60)]
    assert len(gemini_list(listed(*names), {"pageSize": size})["models"]) == shown


@pytest.mark.parametrize("size", ["-1", "many", "1.5"])
def test_a_page_of_no_size_is_refused(size):
    with pytest.raises(BadRequest, match="pageSize"):
        gemini_list(listed("a"), {"pageSize": size})


@pytest.mark.parametrize("token", ["no base64!", "/////w=="])
def test_a_page_token_of_somebody_else_is_refused(token):
    with pytest.raises(BadRequest):
        gemini_list(listed("a"), {"pageToken": token})


def test_codex_finds_all_that_its_catalogue_demands():
    (entry,) = codex_catalogue(listed("gpt"))["models"]
    required = {
        "slug",
        "display_name",
        "supported_reasoning_levels",
        "shell_type",
        "visibility",
        "supported_in_api",
        "priority",
        "base_instructions",
        "supports_reasoning_summaries",
        "support_verbosity",
        "truncation_policy",
        "supports_parallel_tool_calls",
        "experimental_supported_tools",
    }
    assert required <= set(entry) and entry["base_instructions"] and entry["context_window"] == 200_000


@pytest.mark.parametrize("path", ["/v1/model/info", "/model/info"])
async def test_litellms_list_tells_what_a_model_takes_and_costs(make_gateway, path):
    gate = three(make_gateway, models_allowed=("gpt-a",))
    [told] = (await gate.ask(path=path, method="GET")).json()["data"]
    assert (told["model_name"], told["litellm_params"]) == ("gpt-a", {"model": "gpt-a"})
    info = told["model_info"]
    assert (info["input_cost_per_token"], info["output_cost_per_token"]) == (1e-6, 4e-6)
    assert (info["cache_read_input_token_cost"], info["supports_prompt_caching"]) == (1e-7, True)


async def test_what_one_of_several_ways_costs_is_not_told_for_all(make_gateway):
    unpriced = replace(deployment("b"), upstream_model="other")
    gate = make_gateway(None, model("gpt-a", deployment("a"), unpriced))
    [told] = (await gate.ask(path="/v1/model/info", method="GET")).json()["data"]
    assert told["model_info"]["input_cost_per_token"] is None


def test_litellms_list_says_nothing_of_what_nobody_told():
    info = litellm_list([Listed("a", 1, "alpha")])["data"][0]["model_info"]
    assert (info["max_input_tokens"], info["output_cost_per_token"]) == (None, None)
    assert info["supports_prompt_caching"] is False
    assert litellm_list(listed("a"))["data"][0]["model_info"]["max_input_tokens"] == 200_000
