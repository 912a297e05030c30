import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from keys_app.issuing import BudgetTerms, issue_key
from keys_app.models import (
    AuditEntry,
    Budget,
    EnvironmentDefaults,
    ManagementKey,
    RateLimit,
    Service,
    User,
    VirtualKey,
)
from tests.keys_app.cast import person, with_key

pytestmark = pytest.mark.django_db
LIST = "/admin/keys_app/virtualkey/"


def chosen(action: str, *keys: VirtualKey, **more: str) -> dict:
    return {"action": action, "_selected_action": [str(key.pk) for key in keys], **more}


def test_selected_keys_expire_and_are_handed_over(admin_client: Client):
    first, second = issue_key(name="one")[0], issue_key(name="two")[0]
    admin_client.post(LIST, chosen("end_selected", first))
    first.refresh_from_db()
    assert first.expires_at is not None
    checkout = Service.objects.create(name="checkout")
    asked = admin_client.post(LIST, chosen("move_selected", second))
    assert "two" in asked.content.decode()
    admin_client.post(LIST, chosen("move_selected", second, hand_over="1", service=str(checkout.pk)))
    second.refresh_from_db()
    assert second.service == checkout
    assert AuditEntry.objects.filter(verb="moved").count() == 1


def test_a_key_made_in_the_admin_starts_with_its_environment_s_defaults(admin_client: Client):
    EnvironmentDefaults.objects.create(
        environment="test", models_allowed=["sandbox*"], key_days=7, budget_nanodollars=10**9, parallel=2
    )
    nothing = {
        f"{kind}-{count}": "0"
        for kind in ("budgets", "ratelimits")
        for count in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    answer = admin_client.post(LIST + "add/", {"name": "new", "environment": "test", **nothing})
    assert answer.status_code == 200, answer.content.decode()[:2000]
    key = VirtualKey.objects.get()
    assert (key.models_allowed, key.expires_at is not None) == (["sandbox*"], True)
    assert Budget.objects.get(key=key).amount_nanodollars == 10**9
    assert RateLimit.objects.get(key=key).parallel == 2


def test_selected_keys_are_exported_without_secrets(admin_client: Client):
    key, secret = issue_key(name="one")
    answer = admin_client.post(LIST, chosen("export_selected", key))
    text = answer.content.decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(text)))["name"] == "one"
    assert secret not in text


def test_a_file_in_gives_a_file_of_secrets_out_once(admin_client: Client):
    file = SimpleUploadedFile("keys.csv", b"name,environment\r\none,test\r\ntwo,\r\n")
    answer = admin_client.post(LIST + "import/", {"file": file})
    assert answer["Content-Type"].startswith("text/csv")
    assert "no-store" in answer["Cache-Control"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["name"] for row in rows] == ["one", "two"]
    assert with_key(rows[0]["key"]).get("/api/v1/key").json()["environment"] == "test"
    bad = SimpleUploadedFile("keys.csv", b"name,environment\r\none,moon\r\n")
    page = admin_client.post(LIST + "import/", {"file": bad})
    assert "Line 2" in page.content.decode()
    assert VirtualKey.objects.count() == 2


def test_a_clone_asks_and_shows_its_secret(admin_client: Client):
    key, _secret = issue_key(name="one", budgets=[BudgetTerms(10**9)])
    path = f"{LIST}{key.pk}/clone/"
    assert admin_client.get(path).status_code == 200
    assert VirtualKey.objects.count() == 1
    page = admin_client.post(path).content.decode()
    secret = re.search(r"sk-gh-\w{43}", page)
    assert secret is not None
    assert with_key(secret[0]).get("/api/v1/key").json()["name"] == "one copy"


def test_the_effective_policy_of_a_key_is_a_page(admin_client: Client):
    key, _secret = issue_key(name="one", budgets=[BudgetTerms(5 * 10**9, "day")])
    Budget.objects.create(scope="model", target="gpt-5", amount_nanodollars=2 * 10**9, period="total")
    page = admin_client.get(f"{LIST}{key.pk}/policy/").content.decode()
    assert "$5.00" in page and "$2.00" in page and "gpt-5" in page
    page = admin_client.get(f"{LIST}{key.pk}/policy/?model=gpt-5").content.decode()
    assert "$2.00" in page and page.count("binds first") == 1


def test_a_person_gets_a_link_and_leaves(admin_client: Client):
    bob = person("bob", "member")
    key, _secret = issue_key(name="bob's", user=bob)
    path = f"/admin/keys_app/user/{bob.pk}/"
    page = admin_client.post(path + "link/").content.decode()
    assert re.search(r"/ui/password/\w{43}/", page)
    assert "bob&#x27;s" in admin_client.get(path + "leave/").content.decode()
    assert admin_client.post(path + "leave/", {}).status_code == 302
    key.refresh_from_db()
    assert key.blocked_at is not None
    assert not User.objects.get(pk=bob.pk).is_active


def test_credit_and_an_increase_are_given_in_the_admin(admin_client: Client):
    budget = Budget.objects.create(scope="global", amount_nanodollars=10**9, period="total")
    path = f"/admin/keys_app/budget/{budget.pk}/"
    assert admin_client.post(path + "top-up/", {"amount": "2.5", "note": "n"}).status_code == 302
    body = {"amount": "1", "until_0": "2099-01-01", "until_1": "00:00:00"}
    assert admin_client.post(path + "increase/", body).status_code == 302
    budget.refresh_from_db()
    assert (budget.amount_nanodollars, budget.extra_nanodollars) == (3_500_000_000, 10**9)


def test_a_management_key_is_made_with_its_scopes_and_shown_once(admin_client: Client):
    body = {"name": "robot", "scopes": ["keys:read"]}
    page = admin_client.post("/admin/keys_app/managementkey/add/", body).content.decode()
    secret = re.search(r"mk-gh-\w{43}", page)
    assert secret is not None
    assert with_key(secret[0]).get("/api/v1/keys/").status_code == 200
    assert ManagementKey.objects.get().created_by == "alice"
    assert secret[0] not in admin_client.get("/admin/keys_app/managementkey/").content.decode()


def test_the_audit_log_of_the_admin_shows_what_changed(admin_client: Client):
    service = Service.objects.create(name="checkout")
    form = {
        "name": "checkout",
        "cost_centre": "42",
        "is_active": "on",
        **{
            f"{kind}-{count}": "0"
            for kind in ("memberships", "budgets", "ratelimits")
            for count in ("TOTAL_FORMS", "INITIAL_FORMS")
        },
    }
    assert admin_client.post(f"/admin/keys_app/service/{service.pk}/change/", form).status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.changes["cost_centre"]) == ("alice", "changed", ["", "42"])
    page = admin_client.get("/admin/keys_app/auditentry/").content.decode()
    assert "cost centre: ∅ → 42" in page
    history = admin_client.get(f"/admin/keys_app/service/{service.pk}/history/")
    assert str(service.pk) in history["Location"]
    assert admin_client.get(history["Location"]).status_code == 200


def test_a_count_of_what_was_changed_reads_as_a_count(admin_client: Client):
    for name in ("checkout", "search"):
        AuditEntry.objects.create(actor="alice", verb="made", kind="keys_app.service", object_name=name)
    page = admin_client.get("/admin/keys_app/auditentry/").content.decode()
    assert re.search(r"\b2\s+audit entries", page)
