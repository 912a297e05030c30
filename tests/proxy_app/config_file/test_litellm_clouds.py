from pathlib import Path

import pytest

from proxy_app.catalogue_loading import load_catalogue
from proxy_app.config_file import read
from proxy_app.config_file.applying import apply
from proxy_app.models import Deployment, Provider
from proxy_app.providers.accounts import AwsKeys, ServiceAccount
from tests.proxy_app.providers.accounts_cast import service_account

pytestmark = pytest.mark.django_db

CLOUDS = """
model_list:
  - model_name: azure-gpt
    litellm_params:
      {model: azure/my-gpt, api_base: "https://x.openai.azure.com", api_key: os.environ/MY_AZURE,
       api_version: "2024-10-21"}
  - model_name: azure-new
    litellm_params:
      {model: azure/o_series/my-o3, api_base: "https://x.openai.azure.com", api_key: os.environ/MY_AZURE}
  - model_name: vertex-gemini
    litellm_params:
      {model: vertex_ai/gemini-3.8-flash, vertex_project: mine, vertex_location: europe-west4,
       vertex_credentials: FILE}
  - model_name: vertex-claude
    litellm_params: {model: vertex_ai/claude-opus-5-5, vertex_credentials: FILE}
  - model_name: nova
    litellm_params:
      {model: bedrock/amazon.nova-pro-v1:0, aws_region_name: us-east-1,
       aws_access_key_id: os.environ/MY_KEY_ID, aws_secret_access_key: os.environ/MY_SECRET}
  - model_name: nova-eu
    litellm_params:
      {model: bedrock/converse/amazon.nova-pro-v1:0, aws_region_name: eu-west-1,
       aws_access_key_id: os.environ/MY_KEY_ID, aws_secret_access_key: os.environ/MY_SECRET}
  - model_name: claude-invoked
    litellm_params:
      {model: bedrock/invoke/anthropic.claude-x-v1:0, aws_region_name: us-east-1,
       api_key: os.environ/MY_BEARER}
  - model_name: command
    litellm_params: {model: cohere_chat/command-a, api_key: os.environ/MY_COHERE}
  - model_name: tgi
    litellm_params: {model: huggingface/llama, api_base: "http://127.0.0.1:3000/v1"}
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MY_AZURE", "MY_BEARER", "MY_COHERE", "MY_SECRET"):
        monkeypatch.setenv(name, f"canary-{name.lower()}")
    monkeypatch.setenv("MY_KEY_ID", "AKIDEXAMPLE")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def load(folder: Path, text: str = CLOUDS) -> list[str]:
    account = folder / "account.json"
    account.write_text(service_account())
    path = folder / "config.yaml"
    path.write_text(text.replace("FILE", str(account)))
    declared = read(path)
    return [*declared.all_notices(), *apply(declared)]


def test_a_file_of_litellm_s_reaches_every_cloud(tmp_path: Path):
    assert load(tmp_path) == []
    found = {name: entry.deployments[0] for name, entry in load_catalogue().by_name.items()}
    told = {
        name: (one.provider.kind, one.upstream_model, one.provider.base_url) for name, one in found.items()
    }
    google = "aiplatform.googleapis.com/v1/projects"
    bedrock = "https://bedrock-runtime"
    assert told == {
        "azure-gpt": ("azure", "my-gpt", "https://x.openai.azure.com"),
        "azure-new": ("azure", "my-o3", "https://x.openai.azure.com"),
        "vertex-gemini": (
            "vertex_gemini",
            "gemini-3.8-flash",
            f"https://europe-west4-{google}/mine/locations/europe-west4",
        ),
        "vertex-claude": (
            "vertex_claude",
            "claude-opus-5-5",
            f"https://{google}/my-project/locations/global",
        ),
        "nova": ("bedrock", "amazon.nova-pro-v1:0", f"{bedrock}.us-east-1.amazonaws.com"),
        "nova-eu": ("bedrock", "amazon.nova-pro-v1:0", f"{bedrock}.eu-west-1.amazonaws.com"),
        "claude-invoked": ("bedrock_claude", "anthropic.claude-x-v1:0", f"{bedrock}.us-east-1.amazonaws.com"),
        "command": ("cohere", "command-a", "https://api.cohere.ai/compatibility/v1"),
        "tgi": ("tgi", "llama", "http://127.0.0.1:3000/v1"),
    }
    assert {one.provider.credential_state for one in found.values()} == {"ok"}
    assert found["azure-gpt"].provider.settings == {"api_version": "2024-10-21"}
    assert found["azure-new"].provider.settings == {}
    assert isinstance(found["vertex-claude"].provider.account, ServiceAccount)
    assert found["nova"].provider.account == AwsKeys("AKIDEXAMPLE", "canary-my_secret")
    assert found["claude-invoked"].provider.headers == {"authorization": "Bearer canary-my_bearer"}


def test_loading_it_twice_changes_nothing(tmp_path: Path):
    load(tmp_path)
    before = list(Provider.objects.order_by("pk").values())
    load(tmp_path)
    assert list(Provider.objects.order_by("pk").values()) == before
    assert "canary" not in str(before) and "PRIVATE KEY" not in str(before)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("model: bedrock/x.y, aws_access_key_id: a, aws_secret_access_key: b", "no aws_region_name"),
        ("model: bedrock/x.y, aws_region_name: us-east-1, aws_role_name: r", "aws_role_name is not taken"),
        ("model: azure/x, api_base: 'https://x.test', azure_ad_token: t", "azure_ad_token is not taken"),
        ("model: huggingface/llama", "no api_base"),
    ],
)
def test_what_cannot_be_reached_is_left_out_with_a_sentence(tmp_path: Path, params: str, words: str):
    [notice] = load(tmp_path, f"model_list: [{{model_name: m, litellm_params: {{{params}}}}}]")
    assert words in notice
    assert not Provider.objects.exists()


def test_what_the_environment_lacks_turns_a_deployment_off(tmp_path: Path):
    text = """
model_list:
  - model_name: m
    litellm_params:
      {model: bedrock/x.y, aws_region_name: us-east-1, aws_access_key_id: a,
       aws_secret_access_key: os.environ/NOT_SET_X}
"""
    [notice] = load(tmp_path, text)
    assert "NOT_SET_X is not set" in notice
    assert not Deployment.objects.get().is_enabled


OWN = """
providers:
  - {name: aws, kind: bedrock, region: eu-central-1,
     credential: {access_key_id: os.environ/MY_KEY_ID, secret_access_key: os.environ/MY_SECRET}}
  - {name: google, kind: vertex_claude, project: mine, credential: FILE}
  - {name: ms, kind: azure, base_url: "https://x.openai.azure.com", credential: os.environ/MY_AZURE}
models:
  - {name: a, deployments: [{provider: aws, model: nova}]}
  - {name: g, deployments: [{provider: google, model: claude}]}
"""


def test_our_own_file_names_settings_beside_the_kind(tmp_path: Path):
    assert load(tmp_path, OWN) == []
    found = load_catalogue().by_name
    assert found["a"].deployments[0].provider.account == AwsKeys("AKIDEXAMPLE", "canary-my_secret")
    assert "/projects/mine/" in found["g"].deployments[0].provider.base_url
    assert Provider.objects.get(name="ms").settings == {}
