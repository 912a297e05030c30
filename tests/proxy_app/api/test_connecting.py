import pytest
from django.test import Client

from keys_app.models import PolicyVersion
from proxy_app.catalogue_loading import CatalogueSection, load_catalogue
from proxy_app.credentials import read_credential
from proxy_app.models import Deployment, Model, Provider
from proxy_app.setup_catalogue import ensure_sandbox
from tests.keys_app.cast import JSON

pytestmark = pytest.mark.django_db

CANARY = "sk-canary-000000000000"


def connect(client: Client, **body: object) -> dict:
    answer = client.post("/api/v1/providers/", {"kind": "openai", "credential": CANARY, **body}, **JSON)
    assert answer.status_code == 201, answer.content
    assert CANARY not in answer.content.decode()
    return answer.json()


def test_a_provider_is_connected_and_a_model_published(master: Client):
    provider = connect(master, name="openai")
    assert read_credential(Provider.objects.get(pk=provider["id"])) == CANARY
    body = {"name": "gpt", "provider": provider["id"], "upstream_model": "gpt-4.1"}
    model = master.post("/api/v1/models/", body, **JSON).json()
    assert model["deployments"][0]["provider_name"] == "openai"
    entry = load_catalogue().find("gpt")
    assert entry is not None
    assert entry.deployments[0].upstream_model == "gpt-4.1"
    assert entry.deployments[0].provider.headers == {"authorization": f"Bearer {CANARY}"}


def test_a_model_takes_a_list_of_deployments_too(master: Client):
    provider = connect(master)
    body = {"name": "gpt", "deployments": [{"provider": provider["name"], "upstream_model": "gpt-4.1"}]}
    assert len(master.post("/api/v1/models/", body, **JSON).json()["deployments"]) == 1
    assert master.post("/api/v1/models/", body, **JSON).status_code == 409


def test_a_deployment_says_where_its_model_differs(master: Client):
    provider = connect(master, name="openai")
    serving = {"provider": "openai", "upstream_model": "gpt-4.1", "quirks": {"drop_hosted_tools": True}}
    model = master.post("/api/v1/models/", {"name": "gpt", "deployments": [serving]}, **JSON).json()
    (made,) = model["deployments"]
    assert made["quirks"] == {"drop_hosted_tools": True}
    entry = load_catalogue().find("gpt")
    assert entry is not None and entry.deployments[0].provider.quirks["drop_hosted_tools"] is True
    path = f"/api/v1/deployments/{made['id']}/"
    answer = master.patch(path, {"quirks": {"drop_hosted_tool": True}}, **JSON)
    assert answer.status_code == 400 and "drop_hosted_tool" in answer.content.decode()
    assert master.patch(path, {"weight": 2}, **JSON).json()["quirks"] == {"drop_hosted_tools": True}
    assert master.patch(path, {"quirks": {}}, **JSON).json()["quirks"] == {}
    body = {"model": "gpt", "provider": provider["id"], "upstream_model": "gpt-5"}
    assert master.post("/api/v1/deployments/", body, **JSON).json()["quirks"] == {}


def test_a_new_address_needs_its_own_credential(master: Client):
    provider = connect(master)
    path = f"/api/v1/providers/{provider['id']}/"
    assert master.patch(path, {"base_url": "https://evil.example/v1"}, **JSON).status_code == 400
    assert master.patch(path, {"kind": "groq"}, **JSON).status_code == 400
    fresh = {"base_url": "https://eu.example/v1", "credential": "sk-another-1111111111"}
    assert master.patch(path, fresh, **JSON).json()["base_url"] == "https://eu.example/v1"


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "nothing"},
        {"kind": "openai_compatible"},
        {"kind": "openai", "api_key": "x"},
        {"kind": "openai", "name": "a b"},
    ],
)
def test_what_cannot_be_connected_is_refused(master: Client, body: dict):
    assert master.post("/api/v1/providers/", body, **JSON).status_code == 400
    assert not Provider.objects.exists()


def test_the_sandbox_is_tested_listed_and_asked(master: Client):
    ensure_sandbox()
    provider = Provider.objects.get()
    assert master.post(f"/api/v1/providers/{provider.pk}/test/").json()["ok"] is True
    listed = master.get(f"/api/v1/providers/{provider.pk}/models/").json()["results"]
    assert {"id": "sandbox", "label": "sandbox"} in listed
    row = Deployment.objects.get(upstream_model="sandbox")
    trial = master.post(f"/api/v1/deployments/{row.pk}/test/", {}, **JSON).json()
    assert (trial["ok"], trial["output_tokens"] > 0) == (True, True)


def test_a_provider_that_cannot_be_asked_is_a_502_problem(master: Client):
    row = Provider.objects.create(name="openai", kind="openai")
    answer = master.get(f"/api/v1/providers/{row.pk}/models/")
    assert answer.status_code == 502
    assert "no credential" in answer.json()["detail"]


def test_an_unreachable_provider_is_a_sentence(master: Client):
    row = Provider.objects.create(
        name="mine", kind="openai_compatible", base_url="http://127.0.0.1:9/v1", may_be_private=True
    )
    told = master.post(f"/api/v1/providers/{row.pk}/test/").json()
    assert (told["ok"], told["code"]) == (False, "upstream_unreachable")


def test_a_private_address_is_refused_unless_allowed(master: Client):
    row = Provider.objects.create(
        name="mine", kind="openai_compatible", base_url="http://127.0.0.1:9/v1", may_be_private=False
    )
    told = master.post(f"/api/v1/providers/{row.pk}/test/").json()
    assert (told["ok"], told["code"]) == (False, "upstream_address_refused")


def test_what_is_off_is_not_in_the_catalogue(master: Client):
    ensure_sandbox()
    Deployment.objects.filter(upstream_model="sandbox").update(is_enabled=False)
    entry = load_catalogue().find("sandbox")
    assert entry is not None
    assert entry.deployments == ()
    Model.objects.filter(name="sandbox").update(is_enabled=False)
    assert load_catalogue().by_name.get("sandbox") is None


def test_an_unreadable_credential_takes_nothing_else_down(master: Client):
    ensure_sandbox()
    row = Provider.objects.create(name="openai", kind="openai", credential_encrypted="v1.00000000.x")
    model = Model.objects.create(name="gpt")
    Deployment.objects.create(model=model, provider=row, upstream_model="gpt")
    catalogue = CatalogueSection().load()
    assert catalogue.by_name["gpt"].deployments[0].provider.credential_state == "unreadable"
    assert catalogue.by_name["sandbox"].deployments[0].provider.credential_state == "ok"


def test_the_longest_pattern_wins_and_names_beat_patterns(master: Client):
    for name in ("*", "gpt-*", "gpt-4*", "gpt-4o"):
        Model.objects.create(name=name, aliases=["gpt-4o"] if name == "*" else [])
    catalogue = load_catalogue()
    found = {asked: catalogue.find(asked) for asked in ("x", "gpt-3", "gpt-4.1", "gpt-4o")}
    assert {asked: entry.name for asked, entry in found.items() if entry} == {
        "x": "*",
        "gpt-3": "gpt-*",
        "gpt-4.1": "gpt-4*",
        "gpt-4o": "gpt-4o",
    }


def test_every_change_of_the_catalogue_is_a_new_policy_version(master: Client):
    def version() -> int:
        return PolicyVersion.objects.get().version

    ensure_sandbox()
    for model in (Provider, Model, Deployment):
        before = version()
        model.objects.update(is_enabled=False)
        assert version() > before


def test_a_cloud_is_connected_with_its_settings(master: Client):
    keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalr-canary"}
    told = connect(master, kind="bedrock", credential=keys, settings={"region": "us-west-2"})
    assert told["base_url"] == "https://bedrock-runtime.us-west-2.amazonaws.com"
    assert (told["settings"], told["credential_hint"]) == ({"region": "us-west-2"}, "…MPLE")
    path = f"/api/v1/providers/{told['id']}/"
    moved = master.patch(path, {"settings": {"region": "eu-west-1"}}, **JSON).json()
    assert moved["base_url"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert master.patch(path, {"settings": {}}, **JSON).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "bedrock"},
        {"kind": "bedrock", "settings": {"region": "a/b"}},
        {"kind": "bedrock", "settings": {"region": "us-east-1", "colour": "blue"}},
        {"kind": "openai", "settings": {"region": "us-east-1"}},
        {"kind": "vertex_claude", "credential": {"client_email": "a@b"}},
        {"kind": "vertex_claude", "credential": ["a"]},
        {"kind": "openai", "credential": "x" * 9000},
    ],
)
def test_a_cloud_that_cannot_be_called_is_refused(master: Client, body: dict):
    assert master.post("/api/v1/providers/", body, **JSON).status_code == 400
    assert not Provider.objects.exists()
