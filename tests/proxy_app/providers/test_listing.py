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
