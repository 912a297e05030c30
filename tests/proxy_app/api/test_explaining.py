import pytest
from django.test import Client

from gateway_project.clock import now
from keys_app.issuing import BudgetTerms, block_key, issue_key
from keys_app.models import Budget
from proxy_app.models import Deployment, Model, Provider
from tests.keys_app.cast import JSON, person, signed_in, with_key
from usage_app.models import BudgetSpend, Price

pytestmark = pytest.mark.django_db


@pytest.fixture
def gpt(db: None) -> Model:
    provider = Provider.objects.create(
        name="house", kind="openai_compatible", base_url="http://house.test/v1"
    )
    model = Model.objects.create(name="gpt-test", aliases=["latest"])
    deployment = Deployment.objects.create(model=model, provider=provider, upstream_model="gpt-test")
    Price.objects.create(
        provider_kind="",
        model="gpt-test",
        deployment_id=str(deployment.pk),
        source="admin",
        input_nanodollars=1_000_000_000,
        output_nanodollars=4_000_000_000,
        valid_from=now(),
    )
    return model


def ask(client: Client, key: object, **body: object) -> dict:
    answer = client.post("/api/v1/route/explain/", {"key": str(key), "model": "gpt-test", **body}, **JSON)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_call_that_passes_is_told_where_it_goes_and_what_it_holds(master: Client, gpt: Model):
    key, _secret = issue_key(name="x", budgets=[BudgetTerms(10**9)])
    told = ask(master, key.pk, input_tokens=1000, max_output_tokens=500)
    assert (told["passes"], told["refusal"], told["model"]) == (True, None, "gpt-test")
    assert told["hold_usd"] == "0.006"  # 4,000 bytes of input at most, at $1 a million, and 500 at $4
    assert [each["chosen"] for each in told["plan"]["candidates"]] == [True]
    assert (told["levels"][0]["left"], told["levels"][0]["held"], told["is_live"]) == (10**9, None, False)


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"models_allowed": ["claude-*"]}, "model_not_allowed"),
        ({"no_models": True}, "model_not_allowed"),
        ({"endpoints_allowed": ["embeddings"]}, "endpoint_not_allowed"),
        ({"budgets": [BudgetTerms(1000)]}, "budget_exceeded"),
    ],
)
def test_a_call_that_would_be_refused_is_told_by_what(master: Client, gpt: Model, setting: dict, code: str):
    key, _secret = issue_key(name="x", **setting)
    told = ask(master, key.pk, input_tokens=1000, max_output_tokens=500)
    assert not told["passes"]
    assert told["refusal"]["code"] == code


def test_the_ledger_s_sums_count_where_there_is_no_live_store(master: Client, gpt: Model):
    key, _secret = issue_key(name="x")
    budget = Budget.objects.create(scope="model", target="gpt-test", amount_nanodollars=10**9, period="total")
    BudgetSpend.objects.create(budget_id=str(budget.pk), period="total", spent_nanodollars=10**9 - 5)
    told = ask(master, key.pk, model="latest", input_tokens=10, max_output_tokens=5)
    assert told["refusal"]["code"] == "budget_exceeded"
    assert "model gpt-test" in told["refusal"]["detail"]
    assert told["levels"][0]["binds_first"]


def test_a_blocked_key_an_unknown_model_and_a_deployment_without_price_are_told(master: Client, gpt: Model):
    key, _secret = issue_key(name="x", budgets=[BudgetTerms(10**9)])
    assert ask(master, key.pk, model="nothing")["refusal"]["code"] == "model_not_found"
    Price.objects.all().delete()
    assert ask(master, key.pk)["refusal"]["code"] == "unpriced_model"
    block_key(key)
    assert ask(master, key.pk)["refusal"]["code"] == "key_blocked"


def test_a_stranger_s_key_is_not_explained_and_nothing_is_reserved(gpt: Model):
    bob = person("bob", "member")
    mine, secret = issue_key(name="mine", user=bob)
    other, _secret = issue_key(name="other")
    client = signed_in(bob)
    assert ask(client, mine.pk)["passes"]
    body = {"key": str(other.pk), "model": "gpt-test"}
    assert client.post("/api/v1/route/explain/", body, **JSON).status_code == 404
    assert with_key(secret).post("/api/v1/route/explain/", body, **JSON).status_code == 401
    assert not BudgetSpend.objects.exists()
