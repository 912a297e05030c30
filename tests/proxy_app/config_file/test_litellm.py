import stat
from pathlib import Path
from typing import Any

import pytest

from gateway_project.env import BadSetting
from keys_app.issuing import find_key
from keys_app.models import PolicyVersion, Service, VirtualKey
from proxy_app.catalogue_loading import load_catalogue
from proxy_app.config_file import master_key, read
from proxy_app.config_file.applying import apply, disable_former_files
from proxy_app.config_file.litellm_prices import read_price
from proxy_app.config_file.references import decimal_number
from proxy_app.credentials import read_credential
from proxy_app.models import Deployment, Fallback, Model, Provider
from usage_app.models import Price
from usage_app.pricebook import PriceSection
from usage_app.pricing import Rates

pytestmark = pytest.mark.django_db

LITELLM = """
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/MY_OPENAI
      rpm: 60
      input_cost_per_token: 0.0000025
      output_cost_per_token: 1e-05
      cache_read_input_token_cost: 1.25e-06
      cache_creation_input_token_cost: 3.125e-6
      input_cost_per_token_above_200k_tokens: 5e-06
  - model_name: gpt-4o
    litellm_params:
      {model: openai/gpt-4o, api_base: "https://eu.example.com/v1", api_key: a-literal-key-0123,
       rpm: 20, order: 2}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-6, api_key: os.environ/NOT_SET_ANYWHERE}
  - model_name: local
    litellm_params: {model: openai/llama3, api_base: "http://127.0.0.1:9999/v1", input_cost_per_second: 0.01}
    model_info: {max_input_tokens: 8192, colour: blue}
  - model_name: "gemini/*"
    litellm_params: {model: "gemini/*", api_key: os.environ/MY_GEMINI, timeout: 30, stream_timeout: 5}
  - model_name: sage
    litellm_params: {model: sagemaker/llama, api_key: k}
router_settings:
  routing_strategy: least-busy
  num_retries: 2
  fallbacks: [{"gpt-4o": ["claude", "local"]}, {"gpt-4o": ["missing"]}]
  model_group_alias: {gpt-4: gpt-4o}
litellm_settings:
  drop_params: true
  context_window_fallbacks: [{"local": ["claude"]}]
general_settings: {master_key: os.environ/MY_MASTER}
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OPENAI", "sk-openai-canary-000000000")
    monkeypatch.setenv("MY_GEMINI", "AIza-canary-1111111111111")
    monkeypatch.setenv("MY_MASTER", "sk-master-from-the-file")


def write(folder: Path, text: str = LITELLM) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def load(folder: Path, text: str = LITELLM) -> list[str]:
    declared = read(write(folder, text))
    return [*declared.all_notices(), *apply(declared)]


def rows() -> dict[str, list[Any]]:
    return {
        model.__name__: list(model.objects.order_by("pk").values())
        for model in (Provider, Model, Deployment, Fallback, Price, VirtualKey, Service)
    }


def test_models_and_deployments_are_as_the_file_says(tmp_path: Path):
    load(tmp_path)
    assert set(Model.objects.values_list("name", flat=True)) == {"gpt-4o", "claude", "local", "gemini/*"}
    first, second = Deployment.objects.filter(model__name="gpt-4o").order_by("order")
    assert (first.provider.kind, first.weight, first.requests_per_minute) == ("openai", 60, 60)
    assert (second.provider.kind, second.provider.base_url) == (
        "openai_compatible",
        "https://eu.example.com/v1",
    )
    assert (second.weight, second.order) == (20, 2)
    wildcard = Deployment.objects.get(model__name="gemini/*")
    assert (wildcard.upstream_model, wildcard.total_timeout_s, wildcard.first_content_timeout_s) == (
        "*",
        30.0,
        5.0,
    )
    assert Model.objects.get(name="gpt-4o").aliases == ["gpt-4"]
    assert {row.managed_by for row in Deployment.objects.all()} == {"config.yaml"}


def test_credentials_are_encrypted_and_end_in_the_right_header(tmp_path: Path):
    load(tmp_path)
    stored = str(rows())
    assert "canary" not in stored
    assert "a-literal-key" not in stored
    assert (
        read_credential(Deployment.objects.get(model__name="gemini/*").provider)
        == "AIza-canary-1111111111111"
    )
    catalogue = load_catalogue()
    headers = catalogue.by_name["gpt-4"].deployments[0].provider.headers
    assert headers == {"authorization": "Bearer sk-openai-canary-000000000"}
    assert catalogue.find("gemini/gemini-2.5-pro").name == "gemini/*"  # type: ignore[union-attr]


def test_prices_become_exact_whole_nanodollars_per_million(tmp_path: Path):
    load(tmp_path)
    price = Price.objects.get(model="gpt-4o", deployment_id__isnull=False)
    assert (price.input_nanodollars, price.output_nanodollars) == (2_500_000_000, 10_000_000_000)
    assert (price.cache_read_nanodollars, price.cache_write_nanodollars) == (1_250_000_000, 3_125_000_000)
    assert price.tiers == [{"from_input_tokens": 200_001, "input": 5_000_000_000}]
    assert (price.source, price.managed_by) == ("file", "config.yaml")


@pytest.mark.parametrize(
    ("written", "nanodollars"),
    [("1.5e-07", 150_000_000), ("0.000000075", 75_000_000), ("3e-7", 300_000_000), ("0", 0), ("1e-16", 0)],
)
def test_no_price_passes_through_a_float(written: str, nanodollars: int):
    price = read_price({"input_cost_per_token": written}, set())
    assert price is not None
    assert price.rates == {"input_nanodollars": nanodollars}
    assert decimal_number(float(written)) == decimal_number(written)


USUAL = """      input_cost_per_token_above_200k_tokens: 5e-06
"""
TIERED = LITELLM.replace(
    USUAL,
    USUAL
    + """      input_cost_per_token_priority: 4.5e-06
      output_cost_per_token_priority: 1.8e-05
      input_cost_per_token_above_200k_tokens_priority: 9e-06
      cache_read_input_token_cost_flex: 6e-07
""",
)


def test_what_a_tier_costs_is_a_price_of_its_own_that_says_what_differs(tmp_path: Path):
    load(tmp_path, TIERED)
    book = PriceSection().load()
    deployment = str(Deployment.objects.get(model__name="gpt-4o", requests_per_minute=60).pk)

    def rates(tier: str, input_tokens: int = 1000) -> Rates:
        found = book.find(deployment, "openai", "gpt-4o", 0, tier)
        assert found is not None and found.source == "file"
        return found.rates_at(input_tokens)

    usual, priority, flex = rates(""), rates("priority"), rates("flex")
    assert (usual.input, usual.output) == (2_500_000_000, 10_000_000_000)
    assert (priority.input, priority.output) == (4_500_000_000, 18_000_000_000)
    assert priority.cache_read == usual.cache_read == 1_250_000_000
    assert flex == usual._replace(cache_read=600_000_000)
    assert rates("priority", 200_001).input == 9_000_000_000
    assert rates("flex", 200_001).input == rates("", 200_001).input == 5_000_000_000
    ids = set(Price.objects.values_list("id", flat=True))
    load(tmp_path, TIERED)  # again: nothing is new
    assert set(Price.objects.values_list("id", flat=True)) == ids
    load(tmp_path, "\n".join(line for line in TIERED.splitlines() if "_flex" not in line))
    assert not Price.objects.filter(service_tier="flex", is_enabled=True).exists()
    assert Price.objects.filter(service_tier="priority", is_enabled=True).exists()


def test_a_tier_without_a_usual_price_is_named_and_not_read():
    unknown: set[str] = set()
    settings = {"input_cost_per_token_flex": 1e-06, "input_cost_per_token_batches": 1}
    assert read_price(settings, unknown) is None
    assert unknown == set(settings)


def test_a_price_by_the_second_is_unpriced_and_says_so(tmp_path: Path):
    load(tmp_path)
    price = Price.objects.get(model="llama3")
    assert price.unpriced_reason == "Billed by the second."
    assert price.input_nanodollars is None
    assert price.context_window == 8192


def test_what_litellm_says_of_a_provider_s_own_tools_is_charged_by_their_calls():
    settings = {
        "input_cost_per_token": "2e-6",
        "search_context_cost_per_query": {
            "search_context_size_low": 0.03,
            "search_context_size_medium": 0.035,
            "search_context_size_high": 0.05,
        },
        "file_search_cost_per_1k_calls": 0.0025,
        "code_interpreter_cost_per_session": 0.03,
    }
    unknown: set[str] = set()
    price = read_price(settings, unknown)
    assert price is not None
    assert price.units == {"searches": 35 * 10**12, "code_sessions": 3 * 10**13}
    assert unknown == {"file_search_cost_per_1k_calls"}  # a call's by its use, a thousand's by its name
    assert read_price({**settings, "search_context_cost_per_query": {"x": 1}}, unknown) is not None
    assert "search_context_cost_per_query" in unknown


def test_an_unset_variable_turns_its_deployment_off_and_is_named(tmp_path: Path):
    notices = load(tmp_path)
    assert any("NOT_SET_ANYWHERE is not set" in notice and "claude" in notice for notice in notices)
    assert Deployment.objects.get(model__name="claude").is_enabled is False


def test_unknown_settings_and_providers_are_told_once(tmp_path: Path):
    notices = load(tmp_path)
    [unknown] = [notice for notice in notices if "do nothing here" in notice]
    for name in ("litellm_settings.drop_params", "router_settings.num_retries", "model_info.colour"):
        assert unknown.count(name) == 1
    assert any("sagemaker" in notice for notice in notices)
    assert any("missing" in notice for notice in notices)
    assert any("least-busy" in notice for notice in notices)
    assert "canary" not in " ".join(notices)


def test_fallbacks_keep_cause_and_order(tmp_path: Path):
    load(tmp_path)
    found = [(f.model.name, f.cause, f.target.name, f.order) for f in Fallback.objects.all()]
    assert found == [
        ("gpt-4o", "any", "claude", 1),
        ("gpt-4o", "any", "local", 2),
        ("local", "context_window", "claude", 1),
    ]


def test_loading_twice_changes_no_row_and_no_policy(tmp_path: Path):
    load(tmp_path)
    before, version = rows(), PolicyVersion.objects.get().version
    load(tmp_path)
    assert rows() == before
    assert PolicyVersion.objects.get().version == version


def test_what_leaves_the_file_is_off_and_kept(tmp_path: Path):
    load(tmp_path)
    ids = set(Deployment.objects.values_list("pk", flat=True))
    load(tmp_path, "model_list: []")
    assert set(Deployment.objects.values_list("pk", flat=True)) == ids
    for model in (Provider, Model, Deployment, Price):
        assert not model.objects.filter(managed_by="config.yaml", is_enabled=True).exists()
    assert not Fallback.objects.exists()
    load(tmp_path)
    assert set(Deployment.objects.values_list("pk", flat=True)) == ids
    assert Model.objects.get(name="gpt-4o").is_enabled


def test_without_a_file_what_it_defined_is_off(tmp_path: Path):
    load(tmp_path)
    [notice] = disable_former_files("")
    assert "config.yaml" in notice
    assert not Deployment.objects.filter(is_enabled=True).exists()
    assert disable_former_files("") == []


def test_rows_of_an_admin_are_left_alone_or_their_loss_is_said(tmp_path: Path):
    mine = Provider.objects.create(name="openai-my-openai", kind="openai")
    model = Model.objects.create(name="gpt-4o")
    Deployment.objects.create(model=model, provider=mine, upstream_model="gpt-4o")
    notices = load(tmp_path)
    mine.refresh_from_db()
    assert (mine.managed_by, mine.is_enabled) == ("", True)
    assert any("now defines the model gpt-4o" in notice for notice in notices)
    assert any("openai-my-openai exists" in notice for notice in notices)
    assert not Deployment.objects.get(provider=mine).is_enabled


def test_a_changed_price_is_a_new_row(tmp_path: Path):
    load(tmp_path)
    old = Price.objects.get(model="gpt-4o")
    load(tmp_path, LITELLM.replace("0.0000025", "0.000003"))
    old.refresh_from_db()
    assert not old.is_enabled
    assert Price.objects.get(model="gpt-4o", is_enabled=True).input_nanodollars == 3_000_000_000


def test_equal_deployments_stay_two(tmp_path: Path):
    text = """
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_key: os.environ/MY_OPENAI, weight: 3}}
  - {model_name: m, litellm_params: {model: openai/x, api_key: os.environ/MY_OPENAI, weight: 7}}
"""
    load(tmp_path, text)
    before = rows()["Deployment"]
    assert sorted(row["weight"] for row in before) == [3, 7]
    load(tmp_path, text)
    assert rows()["Deployment"] == before


def test_a_private_address_in_the_file_may_be_private(tmp_path: Path):
    load(tmp_path)
    assert Provider.objects.get(base_url="http://127.0.0.1:9999/v1").may_be_private


def test_the_master_key_is_read_without_the_database(tmp_path: Path):
    assert master_key(write(tmp_path)) == "sk-master-from-the-file"
    assert master_key(write(tmp_path, "model_list: []")) is None
    assert master_key(write(tmp_path, "general_settings: {master_key: os.environ/NOT_SET_X}")) is None


RESPONSES = """
model_list:
  - model_name: by-prefix
    litellm_params: {model: openai/responses/gpt-x, api_base: "http://127.0.0.1:9999/v1", api_key: k}
  - model_name: by-mode
    litellm_params: {model: openai/gpt-y, api_base: "http://127.0.0.1:9999/v1", api_key: k}
    model_info: {mode: responses}
"""


def test_litellms_responses_models_are_called_on_responses_until_the_file_says_otherwise(tmp_path: Path):
    assert load(tmp_path, RESPONSES) == []
    for name, upstream in (("by-prefix", "gpt-x"), ("by-mode", "gpt-y")):
        (deployment,) = load_catalogue().by_name[name].deployments
        assert deployment.upstream_model == upstream
        assert deployment.provider.formats == ("openai_chat", "openai_responses")
        assert deployment.provider.quirks["prefers"] == "openai_responses"
    Deployment.objects.filter(upstream_model="gpt-y").update(quirks={"prefers": "x", "no_reasoning": True})
    load(tmp_path, RESPONSES.replace("mode: responses", "mode: chat"))
    assert Deployment.objects.get(upstream_model="gpt-y").quirks == {"no_reasoning": True}


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list", "\tx: 1"])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str):
    with pytest.raises(BadSetting, match="GATEHOUSE_CONFIG"):
        read(write(tmp_path, text))


OWN = """
master_key: sk-ours-0123456789abcdef
providers:
  - {name: openai, kind: openai, credential: os.environ/MY_OPENAI}
  - {name: house, kind: vllm, base_url: "http://10.0.0.5:8000/v1"}
models:
  - name: fast
    aliases: [quick]
    deployments:
      - {provider: openai, model: gpt-4.1-mini, weight: 2, price: {input: 0.4, output: 1.6}}
      - {provider: house, model: llama, quirks: {no_reasoning: true, colour: blue}}
    fallbacks: [slow]
  - {name: slow, deployments: [{provider: house, model: llama-large}]}
services:
  - {name: checkout, cost_centre: "4711", models: [fast]}
keys:
  - name: checkout production
    key: os.environ/CHECKOUT_KEY
    service: checkout
    models: [fast]
    budgets: [{amount_usd: 100, period: month}]
    limits: {requests_per_minute: 60}
"""


def test_our_own_file_defines_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHECKOUT_KEY", "sk-checkout-0123456789")
    assert load(tmp_path, OWN) == [
        "config.yaml has settings that do nothing here: models.deployments.quirks.colour."
    ]
    llama = Deployment.objects.get(upstream_model="llama")
    assert llama.quirks == {"no_reasoning": True}
    key = find_key("sk-checkout-0123456789")
    assert key is not None
    assert (key.service.name, key.models_allowed, key.managed_by) == ("checkout", ["fast"], "config.yaml")
    assert key.budgets.get().amount_nanodollars == 100_000_000_000
    assert Price.objects.get().input_nanodollars == 400_000_000
    assert Provider.objects.get(name="house").may_be_private
    before, version = rows(), PolicyVersion.objects.get().version
    load(tmp_path, OWN)
    assert (rows(), PolicyVersion.objects.get().version) == (before, version)
    load(tmp_path, "providers: []")
    key.refresh_from_db()
    assert key.blocked_at is not None
    load(tmp_path, OWN)
    key.refresh_from_db()
    assert key.blocked_at is None


def test_a_key_whose_budget_cannot_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHECKOUT_KEY", "sk-checkout-0123456789")
    notices = load(tmp_path, OWN.replace("amount_usd: 100", "amount: 100"))
    assert any("checkout production" in notice for notice in notices)
    assert not VirtualKey.objects.exists()


def test_the_kept_master_key_is_for_its_owner_only(tmp_path: Path):
    from proxy_app.setup_config import store_master_key

    store_master_key(tmp_path, "sk-secret")
    path = tmp_path / "secrets" / "config_master_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store_master_key(tmp_path, None)
    assert not path.exists()
