import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from keys_app.audit import record_event
from keys_app.issuing import find_key, issue_key
from keys_app.models import AuditEntry, Budget, KeyUse, Membership, RateLimit, Service, User, VirtualKey
from tests.keys_app.cast import person

pytestmark = pytest.mark.django_db

LIST = "/admin/keys_app/virtualkey/"


def management(prefix: str, total: int = 0) -> dict[str, str]:
    return {
        f"{prefix}-TOTAL_FORMS": str(total),
        f"{prefix}-INITIAL_FORMS": "0",
        f"{prefix}-MIN_NUM_FORMS": "0",
        f"{prefix}-MAX_NUM_FORMS": "1000",
    }


def form(**fields: str) -> dict[str, str]:
    return {
        "name": "checkout",
        "environment": "test",
        **management("budgets"),
        **management("ratelimits"),
        **fields,
    }


def shown_secret(page: bytes) -> str:
    found = re.search(r"data-secret translate=\"no\">([^<]+)<", page.decode())
    assert found is not None
    return unescape(found[1])


def path(key: VirtualKey, action: str = "") -> str:
    name = f"_{action}" if action else "_change"
    return reverse(f"admin:keys_app_virtualkey{name}", args=[key.pk])


def test_issuing_shows_the_secret_once_and_stores_its_hash(admin_client: Client, alice: User):
    service = Service.objects.create(name="checkout")
    answer = admin_client.post(
        LIST + "add/",
        form(service=str(service.pk), models_allowed="gpt-*\nclaude-*", networks="10.0.0.0/8"),
    )
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    secret = shown_secret(answer.content)
    key = find_key(secret)
    assert key is not None
    assert (key.name, key.models_allowed, key.networks) == ("checkout", ["gpt-*", "claude-*"], ["10.0.0.0/8"])
    assert key.created_by == alice
    for page in (LIST, path(key)):
        body = admin_client.get(page).content.decode()
        assert secret not in body
        assert key.secret_hash not in body
        assert key.last_four in body
    assert secret not in str(list(AuditEntry.objects.values()))


def test_a_key_s_form_tells_its_last_use_as_a_date_and_leads_to_its_calls(admin_client: Client):
    key, _secret = issue_key(name="x")
    KeyUse.objects.create(key_id=key.pk, last_used_at=datetime(2026, 11, 29, 23, 22, 1, 16000, UTC))
    page = admin_client.get(path(key), headers={"accept-language": "en"}).content.decode()
    assert re.search(r"\d+ Nov 2026, \d\d:\d\d", page)
    assert "016000+00:00" not in page
    assert f'href="/ui/requests/?environment=&amp;service=&amp;key={key.pk}"' in page


def test_a_budget_s_form_explains_its_number(admin_client: Client):
    page = admin_client.get("/admin/keys_app/budget/add/", headers={"accept-language": "en"}).content.decode()
    assert "Number of hours or days" in page
    assert "For a period of every N hours or days" in page


def test_the_secret_s_page_has_no_inline_script(admin_client: Client):
    page = admin_client.post(LIST + "add/", form()).content.decode()
    scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>[^<]*\S[^<]*<", page)
    assert scripts == []
    assert "keys_app/secret.js" in page


def test_budgets_and_limits_are_set_beside_the_key_in_dollars(admin_client: Client):
    inline = {
        **management("budgets", 1),
        "budgets-0-amount_usd": "12.50",
        "budgets-0-period": "day",
        "budgets-0-every": "1",
        "budgets-0-hard": "on",
        "budgets-0-is_enabled": "on",
        **management("ratelimits", 1),
        "ratelimits-0-requests_per_minute": "60",
        "ratelimits-0-is_enabled": "on",
    }
    secret = shown_secret(admin_client.post(LIST + "add/", form(**inline)).content)
    key = find_key(secret)
    budget, limit = Budget.objects.get(), RateLimit.objects.get()
    assert (budget.key, budget.scope, budget.amount_nanodollars) == (key, "key", 12_500_000_000)
    assert (limit.key, limit.scope, limit.requests_per_minute) == (key, "key", 60)


def test_a_wrong_network_is_told_beside_its_field(admin_client: Client):
    answer = admin_client.post(LIST + "add/", form(networks="10.0.0.0/99"))
    assert b"is not a network" in answer.content
    assert not VirtualKey.objects.exists()


@pytest.mark.parametrize("action", ["block", "unblock", "rotate"])
def test_a_link_to_an_action_changes_nothing(admin_client: Client, action: str):
    key, _secret = issue_key(name="x")
    before = VirtualKey.objects.values().get()
    assert admin_client.get(path(key, action)).status_code == 200
    assert VirtualKey.objects.values().get() == before


def test_blocking_asks_then_blocks_and_is_logged(admin_client: Client):
    key, _secret = issue_key(name="x")
    answer = admin_client.post(path(key, "block"), {"reason": "leaked"})
    assert answer.status_code == 302
    key.refresh_from_db()
    assert key.blocked_at is not None
    assert key.blocked_reason == "leaked"
    assert AuditEntry.objects.get().verb == "blocked"
    admin_client.post(path(key, "unblock"))
    key.refresh_from_db()
    assert key.blocked_at is None


def test_rotating_shows_a_new_secret_and_keeps_the_old_one_for_the_grace(admin_client: Client):
    key, old = issue_key(name="x")
    page = admin_client.post(path(key, "rotate"), {"grace_hours": "2"}).content
    new = shown_secret(page)
    assert find_key(new) == find_key(old) == key
    key.refresh_from_db()
    assert key.previous_until is not None


def test_many_keys_are_blocked_at_once(admin_client: Client):
    keys = [issue_key(name=f"k{number}")[0] for number in range(3)]
    chosen = {"action": "block_selected", "_selected_action": [str(key.pk) for key in keys[:2]]}
    admin_client.post(LIST, chosen)
    assert VirtualKey.objects.filter(blocked_at__isnull=False).count() == 2
    assert AuditEntry.objects.filter(verb="blocked").count() == 2


def test_search_finds_by_the_last_four_with_or_without_the_ellipsis(admin_client: Client):
    key, _secret = issue_key(name="needle")
    issue_key(name="hay")
    for text in (key.last_four, key.hint):
        page = admin_client.get(LIST, {"q": text}).content.decode()
        assert "needle" in page


@pytest.mark.parametrize("state", ["active", "blocked", "expired", "unused"])
def test_the_state_filter_answers(admin_client: Client, state: str):
    issue_key(name="x")
    assert admin_client.get(LIST, {"state": state}).status_code == 200


def test_the_list_takes_the_same_queries_for_many_keys(admin_client: Client, django_assert_max_num_queries):
    service = Service.objects.create(name="checkout")
    for number in range(40):
        issue_key(name=f"k{number}", service=service)
    with django_assert_max_num_queries(14):
        admin_client.get(LIST)


def test_a_key_of_a_file_is_read_only_and_marked(admin_client: Client):
    key, _secret = issue_key(name="of the file", managed_by="config.yaml")
    page = admin_client.get(path(key)).content.decode()
    assert "config.yaml" in page
    assert 'name="_save"' not in page
    assert admin_client.post(path(key), form()).status_code == 403
    assert admin_client.post(path(key, "rotate"), {"grace_hours": "1"}).status_code == 403
    assert admin_client.post(path(key, "block"), {"reason": ""}).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.blocked_at is not None) == ("of the file", True)


def test_the_role_decides_who_enters(admin_client: Client):
    bob = person("bob", User.Role.MEMBER)
    fields = {
        "username": "bob",
        "role": "admin",
        "is_active": "on",
        "most_keys": "10",
        **management("memberships"),
        **management("budgets"),
        **management("ratelimits"),
    }
    url = reverse("admin:keys_app_user_change", args=[bob.pk])
    assert admin_client.post(url, fields).status_code == 302
    bob.refresh_from_db()
    assert (bob.is_staff, bob.is_superuser) == (True, True)
    admin_client.post(url, {**fields, "role": "viewer"})
    bob.refresh_from_db()
    assert (bob.is_staff, bob.is_superuser) == (False, False)


def test_the_last_admin_stays_one(admin_client: Client, alice: User):
    fields = {
        "username": "alice",
        "role": "member",
        "is_active": "on",
        "most_keys": "10",
        **management("memberships"),
        **management("budgets"),
        **management("ratelimits"),
    }
    answer = admin_client.post(reverse("admin:keys_app_user_change", args=[alice.pk]), fields)
    assert b"This is the last admin" in answer.content
    alice.refresh_from_db()
    assert alice.role == "admin"
    assert (
        admin_client.post(reverse("admin:keys_app_user_delete", args=[alice.pk]), {"post": "yes"}).status_code
        == 403
    )


def test_a_service_gets_members(admin_client: Client):
    bob = person("bob", User.Role.MEMBER)
    fields = {
        "name": "checkout",
        "is_active": "on",
        "most_keys": "10",
        "models_allowed": "gpt-*",
        **management("memberships", 1),
        "memberships-0-user": str(bob.pk),
        "memberships-0-role": "manager",
        **management("budgets"),
        **management("ratelimits"),
    }
    assert admin_client.post("/admin/keys_app/service/add/", fields).status_code == 302
    member = Membership.objects.get()
    assert (member.user, member.service.name, member.role) == (bob, "checkout", "manager")
    assert member.service.models_allowed == ["gpt-*"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"scope": "key"}, b"This level needs one."),
        ({"scope": "model"}, b"This level needs a name."),
        ({"scope": "global", "target": "gpt"}, b"Not at this level."),
        ({"scope": "global", "every": "3"}, b"except for every N hours"),
    ],
)
def test_a_budget_s_level_and_subject_must_agree(admin_client: Client, fields: dict, complaint: bytes):
    body = {"amount_usd": "1", "period": "day", "every": "1", "hard": "on", "is_enabled": "on", **fields}
    answer = admin_client.post("/admin/keys_app/budget/add/", body)
    assert complaint in answer.content
    assert not Budget.objects.exists()


def test_a_global_budget_is_set_in_dollars(admin_client: Client):
    body = {
        "scope": "global",
        "amount_usd": "0.000000001",
        "period": "month",
        "every": "1",
        "hard": "on",
        "is_enabled": "on",
        "alert_percents": "80, 95",
    }
    assert admin_client.post("/admin/keys_app/budget/add/", body).status_code == 302
    budget = Budget.objects.get()
    assert (budget.amount_nanodollars, budget.alert_percents) == (1, [80, 95])


def test_the_log_is_read_by_nobody_s_pen(admin_client: Client):
    issue = admin_client.post(LIST + "add/", form())
    assert issue.status_code == 200
    entry = AuditEntry.objects.get()
    assert admin_client.get("/admin/keys_app/auditentry/").status_code == 200
    assert (
        admin_client.post(f"/admin/keys_app/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code
        == 403
    )
    assert admin_client.post("/admin/keys_app/auditentry/add/", {}).status_code == 403


def test_the_form_says_how_the_key_stands_in_words(admin_client: Client):
    key, _secret = issue_key(name="x")
    page = admin_client.get(path(key)).content.decode()
    assert "(&#x27;active&#x27;" not in page
    assert "never" in page


def test_the_log_tells_what_was_stopped_in_words(admin_client: Client, alice: User):
    record_event(alice, "stopped", "call", "c-1", {"call_id": [None, "c-1"], "key_id": [None, "k-1"]})
    page = admin_client.get("/admin/keys_app/auditentry/", headers={"accept-language": "ko"}).content.decode()
    assert "call_id" not in page and "key_id" not in page
    assert "키: ∅ → k-1" in page


def test_the_log_of_what_was_added_leaves_out_what_stayed_empty(admin_client: Client, alice: User):
    record_event(alice, "added", "keys_app.service", "s-1", {"id": [None, "s-1"], "name": [None, "shop"]})
    record_event(alice, "added", "keys_app.service", "s-2", {"description": ["", ""], "name": ["", "till"]})
    page = admin_client.get("/admin/keys_app/auditentry/").content.decode()
    assert "name: ∅ → shop" in page and "name: ∅ → till" in page
    assert "∅ → ∅" not in page and "id: ∅" not in page
