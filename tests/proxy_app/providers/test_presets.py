import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from genai_prices import Usage, calc_price, data

import proxy_app
from proxy_app.catalogue import ProviderEntry
from proxy_app.catalogue_loading import provider_entry
from proxy_app.credentials import set_credential
from proxy_app.formats import exchange
from proxy_app.formats.exchange import choose_format
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.models import Provider
from proxy_app.providers.addressing import listing_url, place
from proxy_app.providers.presets import PRESETS, QUIRKS, SETTINGS, STARTER_MODELS, Preset, auth_headers
from proxy_app.providers.readiness import PROBLEMS
from proxy_app.providers.sandbox import SANDBOX_MODELS
from proxy_app.wire import NOWHERE, Address, Target
from tests.proxy_app.providers.accounts_cast import service_account

EVERY_PRESET = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
STARTERS = [(kind, model) for kind, models in STARTER_MODELS.items() for model in models if kind != "sandbox"]


@EVERY_PRESET
def test_a_preset_is_filed_under_its_own_kind_and_can_be_stored(preset: Preset) -> None:
    assert PRESETS[preset.kind] is preset
    assert len(preset.kind) <= 32
    assert preset.label


@EVERY_PRESET
def test_an_address_is_public_and_encrypted_or_local_and_marked_so(preset: Preset) -> None:
    assert all(path.startswith("/") for path in preset.models_paths)
    if not preset.base_url:
        assert preset.needs_address or preset.kind == "sandbox"
        return
    address = urlsplit(preset.base_url)
    assert address.scheme == ("http" if preset.may_be_private else "https")
    assert (address.hostname == "127.0.0.1") is preset.may_be_private
    assert not preset.base_url.endswith("/")
    named = set(re.findall(r"{(\w+)}", preset.base_url))
    assert named <= set(preset.settings) <= set(SETTINGS)
    assert set(preset.required_settings) <= set(preset.settings)


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
    (luna,) = (model for model in STARTER_MODELS["openai"] if model.upstream_model == "gpt-6-luna")
    unreasoned = {**with_tools, "reasoning_effort": "none"}
    assert choose_format("openai_chat", formats, luna.quirks, with_tools) == "openai_responses"
    assert choose_format("openai_chat", formats, luna.quirks, unreasoned) == "openai_chat"
    assert choose_format("anthropic", formats, luna.quirks, with_tools) == "openai_responses"


SCHEMA = {"type": "json_schema", "schema": {}}


@pytest.mark.parametrize(
    ("body", "chosen"),
    [
        ({"output_config": {"format": SCHEMA}}, "openai_chat"),
        ({"output_format": SCHEMA}, "openai_chat"),
        ({"tool_choice": {"type": "tool", "name": "f"}}, "openai_chat"),
        ({"tool_choice": {"type": "any"}, "output_config": {"effort": "low"}}, "anthropic"),
    ],
)
def test_messages_with_what_llama_cpp_would_pass_over_go_by_chat(body, chosen) -> None:
    preset = PRESETS["llama_cpp"]
    formats = (preset.format, *preset.other_formats)
    assert choose_format("anthropic", formats, preset.quirks, body) == chosen
    assert choose_format("anthropic", formats, {}, body) == "anthropic"


@pytest.mark.parametrize(
    ("effort", "dropped"), [(None, ("temperature",)), ("low", ("temperature",)), ("none", ())]
)
def test_sampling_is_left_out_for_a_model_that_reasons(effort: str | None, dropped: tuple[str, ...]) -> None:
    (luna,) = (model for model in STARTER_MODELS["openai"] if model.upstream_model == "gpt-6-luna")
    body = {"model": "m", "messages": [HELLO], "temperature": 0.5, "reasoning_effort": effort}
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    target = Target("openai_responses", "gpt-6-luna", luna.quirks)
    outgoing = exchange.build_outgoing("openai_chat", target, orjson.dumps(body), body, facts)
    assert outgoing.dropped == dropped
    assert ("temperature" in orjson.loads(outgoing.body)) is not bool(dropped)


def test_every_known_quirk_is_read_somewhere_and_every_one_that_is_read_is_known() -> None:
    sources = [path.read_text("utf-8") for path in Path(proxy_app.__path__[0]).rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'(?:quirks\.get\(|\bquirk=)"(\w+)"', source)}
    assert read == set(QUIRKS)


@EVERY_PRESET
def test_a_price_provider_is_one_that_has_prices_or_it_is_said_why_there_is_none(preset: Preset) -> None:
    assert bool(preset.unpriced) is (preset.price_provider_id is None)
    assert preset.price_provider_id is None or preset.price_provider_id in {
        each.id for each in data.providers
    }


SECRET = "sk-canary-0123456789"
CREDENTIALS = {"google-service-account": service_account()}


def entry(preset: Preset) -> ProviderEntry:
    """The preset as the data plane holds it, with what an admin must add."""
    row = Provider(
        name=preset.kind,
        kind=preset.kind,
        base_url="https://mine.openai.azure.com" if preset.needs_address else "",
        settings={name: SETTINGS[name].example for name in preset.required_settings},
    )
    set_credential(row, CREDENTIALS.get(preset.auth, SECRET) if preset.auth != "none" else "")
    found = provider_entry(row)
    assert found is not None
    return found


@EVERY_PRESET
def test_a_provider_is_usable_with_its_credential_and_shows_it_nowhere(preset: Preset) -> None:
    provider = entry(preset)
    assert provider.credential_state == "ok"
    assert not re.search(r"[{}]", provider.base_url)
    assert SECRET not in repr(provider) and "PRIVATE KEY" not in repr(provider)
    told = " ".join(provider.headers.values())
    assert (SECRET in told) is (preset.auth not in ("none", "google-service-account"))
    assert (provider.account is not None) is (preset.auth == "google-service-account")


@EVERY_PRESET
def test_a_provider_that_needs_a_credential_is_not_used_without(preset: Preset) -> None:
    row = Provider(name=preset.kind, kind=preset.kind, base_url="https://a.test")
    found = provider_entry(row)
    assert found is not None
    expected = "missing" if preset.needs_credential else "ok"
    assert found.credential_state == expected
    assert expected == "ok" or expected in PROBLEMS


@EVERY_PRESET
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("inbound", INBOUND)
def test_a_call_is_built_for_every_provider(preset: Preset, inbound: str, stream: bool) -> None:
    provider = entry(preset)
    body, address = CALLS[inbound](stream)
    facts = exchange.read_call(inbound, body, address)
    target = Target(
        choose_format(inbound, provider.formats, provider.quirks, body), "up/stream:1", provider.quirks
    )
    outgoing = exchange.build_outgoing(inbound, target, orjson.dumps(body), body, facts)
    url, sent = place(provider.addressing, provider.base_url, provider.settings, provider.quirks, outgoing)
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https", "")
    assert "/v1/v1/" not in url and "//" not in parts.path
    assert b"Say hello" in sent.body
    assert ("up/stream:1" in orjson.loads(sent.body).get("model", "")) is (
        preset.addressing not in ("vertex", "bedrock_invoke", "bedrock_converse")
        and target.format != "gemini"
    )


@EVERY_PRESET
def test_a_list_of_models_is_asked_for_at_the_provider_s_own_host(preset: Preset) -> None:
    provider = entry(preset)
    for path in preset.models_paths:
        url = listing_url(
            preset.addressing,
            provider.base_url,
            path,
            provider.settings,
            from_origin=preset.lists_from_origin,
        )
        host, own = urlsplit(url).netloc, urlsplit(provider.base_url).netloc
        assert host == own.replace("bedrock-runtime", "bedrock")


@EVERY_PRESET
def test_a_key_is_hinted_at_where_one_is_sent(preset: Preset) -> None:
    assert bool(preset.key_hint) is (preset.auth != "none")


def _chat(stream: bool) -> tuple[dict[str, Any], Address]:
    return {"model": "m", "messages": [HELLO], "stream": stream}, NOWHERE


def _messages(stream: bool) -> tuple[dict[str, Any], Address]:
    return {"model": "m", "max_tokens": 9, "messages": [HELLO], "stream": stream}, NOWHERE


def _responses(stream: bool) -> tuple[dict[str, Any], Address]:
    return {"model": "m", "input": "Say hello", "stream": stream}, NOWHERE


def _gemini(stream: bool) -> tuple[dict[str, Any], Address]:
    return {"contents": [{"role": "user", "parts": [{"text": "Say hello"}]}]}, Address("m", stream)


HELLO = {"role": "user", "content": "Say hello"}


def _completions(stream: bool) -> tuple[dict[str, Any], Address]:
    return {"model": "m", "prompt": "Say hello", "stream": stream}, NOWHERE


CALLS = {
    "openai_chat": _chat,
    "anthropic": _messages,
    "openai_responses": _responses,
    "openai_completions": _completions,
    "gemini": _gemini,
}


def test_credentials_travel_in_the_header_their_provider_reads() -> None:
    assert auth_headers("bearer", "s") == {"authorization": "Bearer s"}
    assert auth_headers("x-api-key", "s") == {"x-api-key": "s"}
    assert auth_headers("x-goog-api-key", "s") == {"x-goog-api-key": "s"}
    assert auth_headers("api-key", "s") == {"api-key": "s"}
    assert auth_headers("aws-sigv4", "s") == {"authorization": "Bearer s"}
    assert auth_headers("google-service-account", "s") == {}
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
