import pytest
from django.test import Client

from gateway_project.clock import now
from keys_app.issuing import issue_key
from keys_app.models import Budget, Service, User, VirtualKey
from keys_app.secrets import hash_secret
from tests.keys_app.cast import JSON, signed_in, with_key
from usage_app.models import BudgetSpend

pytestmark = pytest.mark.django_db


def test_a_key_is_generated_from_litellm_s_body(master: Client):
    Service.objects.create(name="checkout")
    body = {
        "key_alias": "app",
        "team_id": "checkout",
        "user_id": "bob@example.org",
        "models": ["gpt-4o"],
        "duration": "30d",
        "max_budget": 10,
        "soft_budget": 5.5,
        "budget_duration": "30d",
        "rpm_limit": 3,
        "tpm_limit": 1000,
        "max_parallel_requests": 2,
        "metadata": {"team": "x"},
    }
    made = master.post("/key/generate", body, **JSON).json()
    key = VirtualKey.objects.get(name="app")
    assert made["key"].startswith("sk-")
    assert made["token"] == hash_secret(made["key"]) == key.secret_hash
    assert (made["max_budget"], made["soft_budget"], made["budget_duration"]) == (10.0, 5.5, "30d")
    assert (made["rpm_limit"], made["tpm_limit"], made["max_parallel_requests"]) == (3, 1000, 2)
    assert (made["metadata"], made["spend"]) == ({"team": "x"}, 0.0)
    assert key.service.name == "checkout"
    hard, soft = Budget.objects.filter(key=key).order_by("-hard")
    assert (hard.hard, hard.period, hard.every, hard.anchor_at is not None) == (True, "every_days", 30, True)
    assert soft.amount_nanodollars == 5_500_000_000


def test_what_automation_keeps_beside_a_key_comes_back_and_spend_is_the_ledger_s(master: Client):
    made = master.post(
        "/key/generate", {"metadata": {"team": "x"}, "max_budget": 2, "budget_duration": "1mo"}, **JSON
    ).json()
    master.post("/key/update", {"key": made["key"], "metadata": {"team": "y", "n": 1}}, **JSON)
    budget = Budget.objects.get()
    period = f"{now():%Y-%m}"
    BudgetSpend.objects.create(budget_id=str(budget.pk), period=period, spent_nanodollars=1_250_000_000)
    info = master.get("/key/info", {"key": made["key"]}).json()["info"]
    assert (info["metadata"], info["spend"], info["max_budget"]) == ({"team": "y", "n": 1}, 1.25, 2.0)
    assert info["budget_reset_at"] is not None
    big = {"key": made["key"], "metadata": {"x": "y" * 9000}}
    assert master.post("/key/update", big, **JSON).status_code == 400


def test_an_unknown_user_id_becomes_a_person_who_cannot_sign_in(master: Client):
    master.post("/key/generate", {"user_id": "carol"}, **JSON)
    carol = User.objects.get(username="carol")
    assert not carol.has_usable_password()
    assert not carol.is_staff


def test_a_key_brought_along_works_and_only_its_hash_is_kept(master: Client):
    secret = "sk-brought-from-litellm-0123"
    assert master.post("/key/generate", {"key": secret}, **JSON).json()["key"] == secret
    assert with_key(secret).get("/api/v1/key").status_code == 200
    assert master.post("/key/generate", {"key": secret}, **JSON).status_code == 400
    assert master.post("/key/generate", {"key": "sk-short"}, **JSON).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"guardrails": ["pii"]},
        {"model_max_budget": {"gpt-4o": 1}},
        {"max_budgett": 5},
        {"max_budget": "5"},
        {"duration": "soon"},
        {"team_id": "nobody"},
        {"models": "gpt-4o"},
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused_in_litellm_s_shape(master: Client, body: dict):
    answer = master.post("/key/generate", body, **JSON)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert not VirtualKey.objects.exists()


@pytest.mark.parametrize("by", ["secret", "hash"])
def test_block_unblock_info_and_delete_take_secret_or_hash(master: Client, by: str):
    key, secret = issue_key(name="x")
    named = secret if by == "secret" else key.secret_hash
    assert master.post("/key/block", {"key": named}, **JSON).json()["blocked"] is True
    assert with_key(secret).get("/api/v1/key").status_code == 401
    assert master.post("/key/unblock", {"key": named}, **JSON).json()["blocked"] is False
    info = master.get("/key/info", {"key": named}).json()
    assert (info["key"], info["info"]["key_alias"], info["info"]["spend"]) == (key.secret_hash, "x", None)
    assert master.post("/key/delete", {"keys": [named]}, **JSON).json() == {"deleted_keys": [named]}
    assert not VirtualKey.objects.exists()


def test_update_changes_only_what_it_names(master: Client):
    made = master.post(
        "/key/generate", {"max_budget": 1, "budget_duration": "12h", "rpm_limit": 5, "models": ["a"]}, **JSON
    ).json()
    changed = master.post("/key/update", {"key": made["key"], "max_budget": 2}, **JSON).json()
    assert (changed["max_budget"], changed["budget_duration"], changed["rpm_limit"]) == (2.0, "12h", 5)
    assert changed["models"] == ["a"]
    assert Budget.objects.count() == 1


def test_list_pages_by_token(master: Client):
    keys = [issue_key(name=f"k{number}")[0] for number in range(3)]
    page = master.get("/key/list?page=1&size=2").json()
    assert page == {
        "keys": [keys[2].secret_hash, keys[1].secret_hash],
        "total_count": 3,
        "current_page": 1,
        "total_pages": 2,
    }
    whole = master.get("/key/list?return_full_object=true&key_alias=k0").json()
    assert [row["key_alias"] for row in whole["keys"]] == ["k0"]


def test_only_the_master_key_may(admin_client: Client, alice: User):
    _key, secret = issue_key(name="x")
    for client in (Client(), with_key(secret), signed_in(alice)):
        for path in ("/key/generate", "/key/block", "/key/update", "/key/delete", "/key/unblock"):
            answer = client.post(path, {"key": secret}, **JSON)
            assert answer.status_code == 401
            assert answer.json()["error"]["type"] == "auth_error"
        assert client.get("/key/list").status_code == 401
        assert client.get("/key/health").status_code == 401


def test_what_litellm_has_and_we_have_not_is_a_404_in_its_shape(master: Client):
    answer = master.get("/key/health")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "404")
