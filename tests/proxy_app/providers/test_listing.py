import pytest

from proxy_app.providers.listing import ListedModel, UnreadableListing, next_page, parse_listing


def ids(format: str, body: object) -> list[str]:
    return [model.id for model in parse_listing(format, body)]


def test_openai_names_that_do_other_work_are_left_out() -> None:
    names = [
        "gpt-6.1-sol",
        "text-embedding-3-small",
        "whisper-1",
        "tts-1-hd",
        "gpt-image-2",
        "gpt-realtime-2",
        "omni-moderation-latest",
        "gpt-4o-mini-transcribe",
        "o3",
        "gpt-audio",
        "gpt-live-1",
    ]
    body = {
        "object": "list",
        "data": [{"id": name, "object": "model", "owned_by": "openai"} for name in names],
    }
    assert ids("openai_chat", body) == ["gpt-6.1-sol", "o3"]


def test_what_a_listing_says_outright_counts_more_than_a_name() -> None:
    body = {
        "data": [
            {"id": "m1", "capabilities": {"completion_chat": True}},
            {"id": "m2", "capabilities": {"completion_chat": False}},
            {"id": "m3", "supports_chat": False},
            {"id": "m4", "architecture": {"output_modalities": ["image"]}},
            {"id": "m5-embed-but-chats", "architecture": {"output_modalities": ["text"]}},
            {"id": "m6", "active": False},
        ]
    }
    assert ids("openai_chat", body) == ["m1", "m5-embed-but-chats"]


def test_a_bare_list_with_types_is_read() -> None:
    body = [{"id": "a", "type": "chat", "display_name": "A"}, {"id": "b", "type": "embedding"}]
    assert parse_listing("openai_chat", body) == [ListedModel("a", "A")]


def test_anthropic_models_carry_their_display_names() -> None:
    body = {
        "data": [{"type": "model", "id": "claude-opus-5-5", "display_name": "Claude Opus 5.5"}],
        "has_more": True,
        "last_id": "claude-opus-5-5",
    }
    assert parse_listing("anthropic", body) == [ListedModel("claude-opus-5-5", "Claude Opus 5.5")]
    assert next_page("anthropic", body) == {"after_id": "claude-opus-5-5"}
    assert next_page("anthropic", body | {"has_more": False}) == {}


def test_gemini_models_lose_their_prefix_and_those_that_cannot_chat() -> None:
    body = {
        "models": [
            {
                "name": "models/gemini-4-argon",
                "displayName": "Gemini 4 Argon",
                "supportedGenerationMethods": ["generateContent"],
            },
            {"name": "models/gemini-embedding-2", "supportedGenerationMethods": ["embedContent"]},
            {"name": "models/gemini-3.8-flash-tts", "supportedGenerationMethods": ["generateContent"]},
        ],
        "nextPageToken": "more",
    }
    assert parse_listing("gemini", body) == [ListedModel("gemini-4-argon", "Gemini 4 Argon")]
    assert next_page("gemini", body) == {"pageToken": "more"}


def test_doubles_and_entries_that_make_no_sense_are_dropped() -> None:
    assert ids("openai_chat", {"data": [{"id": "a"}, {"id": "a"}, {}, "b", {"id": 7}]}) == ["a"]


@pytest.mark.parametrize("format", ["openai_chat", "anthropic", "gemini"])
@pytest.mark.parametrize("body", [None, "text", {"data": "x", "models": 1}, {"error": {"message": "no"}}])
def test_anything_else_is_unreadable(format: str, body: object) -> None:
    with pytest.raises(UnreadableListing):
        parse_listing(format, body)


def test_an_empty_project_has_no_models() -> None:
    assert parse_listing("gemini", {}) == []
    assert parse_listing("openai_chat", {"data": []}) == []


def test_a_cloud_s_list_names_models_its_own_way() -> None:
    vertex = {
        "publisherModels": [
            {"name": "publishers/google/models/gemini-3.8-flash", "versionId": "default"},
            {"name": "publishers/google/models/gemini-embedding-2"},
        ],
        "nextPageToken": "more",
    }
    assert ids("gemini", vertex) == ["gemini-3.8-flash"]
    assert next_page("gemini", vertex) == {"pageToken": "more"}
    claude = {"publisherModels": [{"name": "publishers/anthropic/models/claude-opus-5-5"}]}
    assert ids("anthropic", claude) == ["claude-opus-5-5"]


def test_bedrock_lists_models_on_demand_and_profiles() -> None:
    models = {
        "modelSummaries": [
            {
                "modelId": "amazon.nova-pro-v1:0",
                "modelName": "Nova Pro",
                "inferenceTypesSupported": ["ON_DEMAND"],
            },
            {"modelId": "anthropic.claude-opus-4-8", "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
            {"modelId": "amazon.titan-embed-text-v2:0", "inferenceTypesSupported": ["ON_DEMAND"]},
        ]
    }
    assert parse_listing("bedrock_converse", models) == [ListedModel("amazon.nova-pro-v1:0", "Nova Pro")]
    profiles = {
        "inferenceProfileSummaries": [
            {
                "inferenceProfileId": "global.anthropic.claude-opus-4-8",
                "inferenceProfileName": "Global Claude Opus 4.8",
                "status": "ACTIVE",
            }
        ],
        "nextToken": "t2",
    }
    expected = [ListedModel("global.anthropic.claude-opus-4-8", "Global Claude Opus 4.8")]
    assert parse_listing("bedrock_converse", profiles) == expected
    assert next_page("bedrock_converse", profiles) == {"nextToken": "t2"}


def test_cohere_lists_its_models_by_name() -> None:
    body = {"models": [{"name": "command-a-03-2025", "endpoints": ["chat"]}], "next_page_token": "n"}
    assert ids("openai_chat", body) == ["command-a-03-2025"]
    assert next_page("openai_chat", body) == {"page_token": "n"}
