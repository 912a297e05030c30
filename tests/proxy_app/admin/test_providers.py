import pytest
from django.test import Client
from django.urls import reverse

from gateway_project.errors import ERROR_CATALOGUE, UpstreamFailed
from proxy_app.admin.outcomes import REASONS
from proxy_app.catalogue_loading import provider_entry
from proxy_app.credentials import read_credential, set_credential
from proxy_app.models import Deployment, Model, Provider
from proxy_app.providers.accounts import AwsKeys, read_account
from proxy_app.setup_catalogue import ensure_sandbox
from tests.proxy_app.providers.accounts_cast import service_account
from usage_app.models import Price

pytestmark = pytest.mark.django_db

CANARY = "sk-canary-000000000000"


@pytest.fixture
def provider() -> Provider:
    row = Provider(name="openai", kind="openai")
    set_credential(row, CANARY)
    row.save()
    return row


def change(row: object) -> str:
    meta = row._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])  # type: ignore[attr-defined]


def test_a_credential_is_written_encrypted_and_never_shown(admin_client: Client):
    body = {"name": "openai", "kind": "openai", "credential": CANARY, "is_enabled": "on"}
    assert admin_client.post("/admin/proxy_app/provider/add/", body).status_code == 302
    row = Provider.objects.get()
    assert read_credential(row) == CANARY
    assert CANARY not in row.credential_encrypted
    for page in ("/admin/proxy_app/provider/", change(row)):
        text = admin_client.get(page).content.decode()
        assert CANARY not in text
        assert row.credential_encrypted not in text
        assert row.credential_hint in text


def test_an_empty_credential_keeps_the_stored_one(admin_client: Client, provider: Provider):
    admin_client.post(change(provider), {"name": "renamed", "kind": "openai", "is_enabled": "on"})
    provider.refresh_from_db()
    assert (provider.name, read_credential(provider)) == ("renamed", CANARY)
    admin_client.post(
        change(provider), {"name": "renamed", "kind": "openai", "is_enabled": "on", "remove_credential": "on"}
    )
    provider.refresh_from_db()
    assert (provider.credential_encrypted, provider.credential_hint) == ("", "")


@pytest.mark.parametrize("body", [{"base_url": "https://evil.example/v1"}, {"kind": "groq"}])
def test_a_stored_credential_does_not_follow_to_another_host(
    admin_client: Client, provider: Provider, body: dict
):
    answer = admin_client.post(
        change(provider), {"name": "openai", "kind": "openai", "is_enabled": "on", **body}
    )
    assert b"belongs to the former address" in answer.content
    provider.refresh_from_db()
    assert (provider.kind, provider.base_url) == ("openai", "")


def test_a_kind_without_an_address_asks_for_one(admin_client: Client):
    body = {"name": "mine", "kind": "openai_compatible", "is_enabled": "on"}
    assert b"This kind needs an address" in admin_client.post("/admin/proxy_app/provider/add/", body).content


def test_testing_a_connection_is_a_button_and_shows_the_models(admin_client: Client):
    ensure_sandbox()
    url = reverse("admin:proxy_app_provider_test_connection", args=[Provider.objects.get().pk])
    assert b"sandbox/fast" not in admin_client.get(url).content
    assert b"sandbox/fast" in admin_client.post(url).content


def test_a_provider_without_its_credential_fails_the_test_with_a_sentence(admin_client: Client):
    row = Provider.objects.create(name="openai", kind="openai")
    url = reverse("admin:proxy_app_provider_test_connection", args=[row.pk])
    assert b"has no credential" in admin_client.post(url).content


def test_a_test_request_answers_and_is_in_the_journal(admin_client: Client):
    from gateway_project.conf import config

    ensure_sandbox()
    row = Deployment.objects.get(upstream_model="sandbox")
    url = reverse("admin:proxy_app_deployment_send_test_request", args=[row.pk])
    page = admin_client.post(url).content.decode()
    assert "It works." in page
    assert "Output tokens" in page
    lines = "".join(path.read_text() for path in config().journal_dir.glob("*/*.jsonl"))
    assert str(row.pk) in lines
    assert '"k":"end"' in lines


def test_a_wildcard_deployment_asks_which_model(admin_client: Client):
    ensure_sandbox()
    row = Deployment.objects.get(upstream_model="sandbox/*")
    url = reverse("admin:proxy_app_deployment_send_test_request", args=[row.pk])
    assert b"It works." not in admin_client.post(url).content
    assert b"It works." in admin_client.post(url, {"model": "sandbox/fast"}).content
    failed = admin_client.post(url, {"model": "sandbox/error-429"}).content.decode()
    assert "It failed. The provider refused the request." in " ".join(failed.split())
    assert '<p class="leading-relaxed mt-1" lang="en">' in failed  # and what it said


def test_every_error_of_a_provider_has_its_words():
    codes = {code for code, error in ERROR_CATALOGUE.items() if issubclass(error, UpstreamFailed)}
    assert codes <= REASONS.keys()


def test_a_model_takes_aliases_but_no_other_model_s_name(admin_client: Client):
    Model.objects.create(name="taken")
    inlines = {}
    for prefix in ("deployments", "fallbacks"):
        inlines |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    body = {"name": "gpt", "strategy": "weighted", "is_enabled": "on", **inlines}
    refused = admin_client.post("/admin/proxy_app/model/add/", {**body, "aliases": "taken"})
    assert b"is a model of its own" in refused.content
    assert admin_client.post("/admin/proxy_app/model/add/", {**body, "aliases": "a, b"}).status_code == 302
    assert Model.objects.get(name="gpt").aliases == ["a", "b"]
    bad = admin_client.post("/admin/proxy_app/model/add/", {**body, "name": "g*t"})
    assert b"at the end only" in bad.content


def test_a_price_of_the_list_is_read_only_and_an_override_is_in_dollars(admin_client: Client):
    listed = Price.objects.create(
        provider_kind="openai", model="gpt", source="list", input_nanodollars=2_500_000_000
    )
    assert b'name="_save"' not in admin_client.get(change(listed)).content
    assert admin_client.post(change(listed), {"model": "x"}).status_code == 403
    body = {
        "provider_kind": "openai",
        "model": "gpt",
        "input_usd": "1.25",
        "output_usd": "0",
        "is_enabled": "on",
    }
    assert admin_client.post("/admin/usage_app/price/add/", body).status_code == 302
    mine = Price.objects.get(source="admin")
    assert (mine.input_nanodollars, mine.output_nanodollars) == (1_250_000_000, 0)
    assert mine.cache_read_nanodollars is None
    empty = {**body, "input_usd": "", "output_usd": ""}
    assert b"Set at least one rate" in admin_client.post("/admin/usage_app/price/add/", empty).content


def test_a_price_of_images_audio_and_searches_is_in_the_dollars_people_know(admin_client: Client):
    body = {
        "model": "dall-e-3",
        "image_usd": "0.04",
        "image_sizes": "hd 0.08\nhd 1024x1792 0.12",
        "audio_usd": "0.36",
        "characters_usd": "15",
        "searches_usd": "2",
        "file_searches_usd": "2.5",
        "code_sessions_usd": "0.03",
        "is_enabled": "on",
    }
    assert admin_client.post("/admin/usage_app/price/add/", body).status_code == 302
    row = Price.objects.get(source="admin")
    assert row.unit_nanodollars == {
        "images": 40_000_000_000_000,
        "images:hd": 80_000_000_000_000,
        "images:hd:1024x1792": 120_000_000_000_000,
        "audio_ms": 100_000_000,
        "characters": 15_000_000_000,
        "searches": 2_000_000_000_000,
        "file_searches": 2_500_000_000_000,
        "code_sessions": 30_000_000_000_000,
    }
    page = admin_client.get(change(row)).content.decode()
    assert "hd 1024x1792 0.12" in page and 'value="0.36"' in page
    wrong = {**body, "image_sizes": "hd 1024x1792 much"}
    assert b"is not a quality" in admin_client.post("/admin/usage_app/price/add/", wrong).content
    Price.objects.filter(pk=row.pk).update(source="list")
    assert "an hour of audio 0.36" in admin_client.get(change(row)).content.decode()


def add(client: Client, **fields: str) -> str:
    body = {"name": "cloud", "is_enabled": "on", **fields}
    return client.post("/admin/proxy_app/provider/add/", body).content.decode()


def test_aws_keys_are_entered_apart_and_stored_as_one_secret(admin_client: Client):
    add(
        admin_client,
        kind="bedrock",
        region="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="wJalr-canary",
        aws_session_token="token-canary",
    )
    row = Provider.objects.get()
    account = read_account("aws-sigv4", read_credential(row))
    assert account == AwsKeys("AKIDEXAMPLE", "wJalr-canary", "token-canary")
    assert (row.settings, row.credential_hint) == ({"region": "eu-central-1"}, "…MPLE")
    page = admin_client.get(change(row)).content.decode()
    assert "canary" not in page and 'value="eu-central-1"' in page
    listed = admin_client.get("/admin/proxy_app/provider/").content.decode()
    assert "https://bedrock-runtime.eu-central-1.amazonaws.com" in listed


def test_a_service_account_is_pasted_whole(admin_client: Client):
    add(admin_client, kind="vertex_claude", credential=service_account(), location="europe-west4")
    row = Provider.objects.get()
    entry = provider_entry(row)
    assert entry is not None
    assert entry.base_url.endswith("/projects/my-project/locations/europe-west4")
    assert row.credential_hint == "gatehouse@my-project.iam"
    page = admin_client.get(change(row)).content.decode()
    assert "PRIVATE KEY" not in page and "gatehouse@my-project.iam" in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "bedrock"}, "This kind needs it."),
        ({"kind": "bedrock", "region": "us-east-1.evil.test/"}, "Enter one such as us-east-1."),
        ({"kind": "openai", "region": "us-east-1"}, "This kind does not take it."),
        ({"kind": "vertex_gemini", "credential": "AIza-not-json"}, "Paste the whole JSON"),
        ({"kind": "bedrock", "region": "us-east-1", "aws_access_key_id": "AKIA"}, "an ID and a secret"),
        (
            {"kind": "openai", "aws_access_key_id": "AKIA", "aws_secret_access_key": "s"},
            "This kind does not take it.",
        ),
        (
            {
                "kind": "bedrock",
                "region": "us-east-1",
                "credential": "key",
                "aws_access_key_id": "AKIA",
                "aws_secret_access_key": "s",
            },
            "Either a key or AWS access keys.",
        ),
        ({"kind": "azure"}, "This kind needs an address."),
    ],
)
def test_what_a_cloud_cannot_be_called_with_is_said(admin_client: Client, fields: dict[str, str], words: str):
    assert words in add(admin_client, **fields)
    assert not Provider.objects.exists()


def test_without_the_library_that_signs_a_provider_says_what_to_install(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
):
    add(
        admin_client,
        kind="bedrock",
        region="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="wJalr-canary",
    )
    monkeypatch.setattr("proxy_app.providers.aws_signing.is_available", lambda: False)
    row = Provider.objects.get()
    assert "requirements-bedrock.txt" in admin_client.get(change(row)).content.decode()
    url = reverse("admin:proxy_app_provider_test_connection", args=[row.pk])
    assert b"needs botocore to sign with AWS access keys" in admin_client.post(url).content
    set_credential(row, "bedrock-api-key")
    entry = provider_entry(row)
    assert entry is not None and entry.credential_state == "ok"


def test_a_price_of_the_list_tells_its_steps_in_words(admin_client: Client):
    row = Price.objects.create(
        provider_kind="openai",
        model="gpt-steps",
        source="list",
        input_nanodollars=10**9,
        tiers=[{"from_input_tokens": 200_001, "cache_read": 5 * 10**8}],
    )
    page = admin_client.get(change(row)).content.decode()
    assert "from 200,001 input tokens · cache read 0.5" in page
