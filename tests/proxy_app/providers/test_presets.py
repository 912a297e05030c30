import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from genai_prices import Usage, calc_price, data

import proxy_app
from proxy_app.formats.exchange import choose_format
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.providers.presets import PRESETS, QUIRKS, STARTER_MODELS, Preset, auth_headers
from proxy_app.providers.sandbox import SANDBOX_MODELS

EVERY_PRESET = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
STARTERS = [(kind, model) for kind, models in STARTER_MODELS.items() for model in models if kind != "sandbox"]


@EVERY_PRESET
def test_a_preset_is_filed_under_its_own_kind_and_can_be_stored(preset: Preset) -> None:
    assert PRESETS[preset.kind] is preset
    assert len(preset.kind) <= 32
    assert preset.label


@EVERY_PRESET
def test_an_address_is_public_and_encrypted_or_local_and_marked_so(preset: Preset) -> None:
    if not preset.base_url:
        assert preset.kind in ("openai_compatible", "sandbox")
        return
    address = urlsplit(preset.base_url)
    assert address.scheme == ("http" if preset.may_be_private else "https")
    assert (address.hostname == "127.0.0.1") is preset.may_be_private
    assert not preset.base_url.endswith("/")
    assert preset.models_path.startswith("/")


@EVERY_PRESET
def test_quirks_are_known(preset: Preset) -> None:
    assert set(preset.quirks) <= set(QUIRKS)


@EVERY_PRESET
def test_other_formats_are_spoken_both_ways_and_are_not_the_main_one(preset: Preset) -> None:
    assert preset.format in UPSTREAM and preset.format not in preset.other_formats
    for name in preset.other_formats:
        assert name in UPSTREAM and name in INBOUND


def test_tools_of_a_chat_go_by_responses_to_models_that_want_it_so() -> None:
    preset = PRESETS["openai"]
    formats = (preset.format, *preset.other_formats)
    (astra,) = (model for model in STARTER_MODELS["openai"] if model.upstream_model == "gpt-6-astra")
    plain, with_tools = {"messages": []}, {"messages": [], "tools": [{}]}
    assert choose_format("openai_chat", formats, astra.quirks, plain) == "openai_chat"
    assert choose_format("openai_chat", formats, astra.quirks, with_tools) == "openai_responses"
    assert choose_format("openai_responses", formats, astra.quirks, with_tools) == "openai_responses"
    assert choose_format("openai_chat", formats, preset.quirks, with_tools) == "openai_chat"


def test_every_known_quirk_is_read_somewhere_and_every_one_that_is_read_is_known() -> None:
    sources = [path.read_text("utf-8") for path in Path(proxy_app.__path__[0]).rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'quirks\.get\("(\w+)"', source)}
    assert read == set(QUIRKS)


@EVERY_PRESET
def test_a_price_provider_is_one_that_has_prices(preset: Preset) -> None:
    assert preset.price_provider_id is None or preset.price_provider_id in {
        each.id for each in data.providers
    }


@EVERY_PRESET
def test_a_key_is_hinted_at_where_one_is_sent(preset: Preset) -> None:
    assert bool(preset.key_hint) is (preset.auth != "none")


def test_credentials_travel_in_the_header_their_provider_reads() -> None:
    assert auth_headers("bearer", "s") == {"authorization": "Bearer s"}
    assert auth_headers("x-api-key", "s") == {"x-api-key": "s"}
    assert auth_headers("x-goog-api-key", "s") == {"x-goog-api-key": "s"}
    assert auth_headers("none", "s") == {}
    assert auth_headers("bearer", "") == {}


@pytest.mark.parametrize(("kind", "model"), STARTERS, ids=[model.upstream_model for _, model in STARTERS])
def test_a_starter_model_has_a_price(kind: str, model) -> None:
    provider_id = PRESETS[kind].price_provider_id
    price = calc_price(
        Usage(input_tokens=1_000, output_tokens=1_000), model.upstream_model, provider_id=provider_id
    )
    assert price.total_price > 0


@pytest.mark.parametrize(("kind", "model"), STARTERS, ids=[model.upstream_model for _, model in STARTERS])
def test_a_starter_model_s_quirks_are_ones_that_exist(kind: str, model) -> None:
    assert set(model.quirks) <= set(QUIRKS)


def test_the_sandbox_starts_with_models_it_has() -> None:
    assert {model.upstream_model for model in STARTER_MODELS["sandbox"]} <= set(SANDBOX_MODELS)


def test_starters_belong_to_presets_and_their_names_are_unique() -> None:
    assert set(STARTER_MODELS) <= set(PRESETS)
    names = [
        model.public_name
        for kind in ("openai", "anthropic", "gemini", "sandbox")
        for model in STARTER_MODELS[kind]
    ]
    assert len(names) == len(set(names))
