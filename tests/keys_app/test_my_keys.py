import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from keys_app.issuing import BudgetTerms, issue_key
from keys_app.models import AuditEntry, Membership, Service, User, VirtualKey
from proxy_app.models import Model
from tests.keys_app.cast import person, signed_in, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(db: None) -> User:
    return person("bob", "member")


@pytest.fixture
def browser(bob: User) -> Client:
    return signed_in(bob)


def make(browser: Client, **fields: str) -> str:
    body = {"name": "notebook", "environment": "experiment", "budget_period": "month", **fields}
    answer = browser.post("/ui/keys/new/", body)
    assert answer.status_code == 200, answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert "Content-Encoding" not in answer
    found = re.search(r"sk-gh-\w{43}", answer.content.decode())
    assert found is not None
    return found[0]


def test_a_member_makes_a_key_sees_its_secret_once_and_finds_it_listed(browser: Client, bob: User):
    secret = make(browser, budget_usd="5", models="gpt-* sandbox", days="7", requests_per_minute="9")
    told = with_key(secret).get("/api/v1/key").json()
    assert (told["user_name"], told["models"]) == ("bob", ["gpt-*", "sandbox"])
    assert (told["budgets"][0]["amount_usd"], told["limits"]["requests_per_minute"]) == ("5", 9)
    for path in ("/ui/keys/", f"/ui/keys/{told['id']}/"):
        page = browser.get(path).content.decode()
        assert "notebook" in page and secret not in page


def test_the_page_with_a_new_secret_has_a_first_call_to_paste_and_waits_for_it(browser: Client):
    Model.objects.create(name="lab")
    page = browser.post(
        "/ui/keys/new/", {"name": "x", "environment": "experiment", "budget_period": "month"}
    ).content.decode()
    secret = re.search(r"sk-gh-\w{43}", page)
    assert secret is not None
    assert f"export GATEHOUSE_API_KEY={secret[0]}\ncurl " in page
    assert "$GATEHOUSE_API_KEY" in page
    assert "Waiting for your first call" in page


def test_a_key_that_may_call_nothing_is_given_no_call_to_paste(browser: Client, bob: User):
    Model.objects.create(name="lab")
    User.objects.filter(pk=bob.pk).update(models_allowed=["none-such"])
    body = {"name": "x", "environment": "experiment", "budget_period": "month", "models": "none-such"}
    page = browser.post("/ui/keys/new/", body)
    assert page.status_code == 200
    assert "export GATEHOUSE_API_KEY" not in page.content.decode()


def test_a_key_wider_than_its_maker_is_refused_in_the_form(browser: Client, bob: User):
    User.objects.filter(pk=bob.pk).update(models_allowed=["gpt-*"])
    answer = browser.post(
        "/ui/keys/new/", {"name": "x", "environment": "test", "budget_period": "month", "models": "claude-*"}
    )
    assert answer.status_code == 403
    assert "more than you may use" in answer.content.decode()
    assert not VirtualKey.objects.exists()


def test_a_viewer_is_offered_no_key_and_gets_none():
    vera = signed_in(person("vera", "viewer"))
    assert "/ui/keys/new/" not in vera.get("/ui/keys/").content.decode()
    assert vera.get("/ui/keys/new/").status_code == 403
    assert vera.post("/ui/keys/new/", {"name": "x", "environment": "test"}).status_code == 403
    assert not VirtualKey.objects.exists()


def test_a_manager_makes_a_key_of_the_service_they_manage():
    mona, checkout = person("mona", "manager"), Service.objects.create(name="checkout")
    search = Service.objects.create(name="search")
    Membership.objects.create(user=mona, service=checkout, role="manager")
    browser = signed_in(mona)
    assert (
        with_key(make(browser, service=str(checkout.pk))).get("/api/v1/key").json()["service_name"]
        == "checkout"
    )
    body = {"name": "x", "environment": "test", "budget_period": "month", "service": str(search.pk)}
    assert browser.post("/ui/keys/new/", body).status_code == 400


def test_an_owner_rotates_and_blocks_but_does_not_unblock(browser: Client, bob: User):
    key, secret = issue_key(name="mine", user=bob)
    assert browser.get(f"/ui/keys/{key.pk}/rotate/").status_code == 405
    page = browser.post(f"/ui/keys/{key.pk}/rotate/").content.decode()
    fresh = re.search(r"sk-gh-\w{43}", page)
    assert fresh is not None
    for each in (secret, fresh[0]):
        assert with_key(each).get("/api/v1/key").status_code == 200
    browser.post(f"/ui/keys/{key.pk}/block/")
    assert with_key(fresh[0]).get("/api/v1/key").status_code == 401
    assert browser.post(f"/ui/keys/{key.pk}/unblock/").status_code == 404
    assert VirtualKey.objects.get().blocked_at is not None


def test_an_owner_edits_a_key_and_never_makes_it_wider(browser: Client, bob: User):
    key, _secret = issue_key(name="mine", user=bob, models_allowed=["gpt-*"], networks=["127.0.0.0/8"])
    page = f"/ui/keys/{key.pk}/edit/"
    shown = browser.get(page).content.decode()
    assert 'value="gpt-*"' in shown and 'value="127.0.0.0/8"' in shown
    fields = {"name": "renamed", "models": "gpt-5, gpt-5-mini", "endpoints": "", "networks": "127.0.0.1"}
    assert browser.post(page, fields).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.models_allowed, key.networks) == (
        "renamed",
        ["gpt-5", "gpt-5-mini"],
        ["127.0.0.1/32"],
    )
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb) == ("bob", "changed")
    assert set(entry.changes) == {"name", "models_allowed", "networks"}
    wider = browser.post(page, {**fields, "models": "gpt-5 claude-*"})
    assert wider.status_code == 403
    assert "narrowed" in wider.content.decode()
    for odd in ({"networks": "here"}, {"expires_at": "2001-01-01T00:00"}, {"name": ""}):
        assert browser.post(page, {**fields, **odd}).status_code == 400
    assert browser.post(page, {**fields, "expires_at": "2099-01-01T00:00"}).status_code == 302
    key.refresh_from_db()
    assert key.expires_at is not None
    later = browser.post(page, {**fields, "expires_at": "2099-01-02T00:00"})
    assert later.status_code == 403
    same = browser.post(page, {**fields, "name": "again", "expires_at": "2099-01-01T00:00"})
    assert same.status_code == 302
    assert VirtualKey.objects.get().models_allowed == ["gpt-5", "gpt-5-mini"]


def test_who_may_not_act_on_a_key_edits_nothing():
    viewer, mel = person("vera", "viewer"), person("mel", "member")
    key, _secret = issue_key(name="vera's", user=viewer)
    for who, status in ((viewer, 403), (mel, 404)):
        answer = signed_in(who).post(f"/ui/keys/{key.pk}/edit/", {"name": "x"})
        assert answer.status_code == status
    assert VirtualKey.objects.get().name == "vera's"
    VirtualKey.objects.update(user=mel, managed_by="gatehouse.yaml")
    assert signed_in(mel).post(f"/ui/keys/{key.pk}/edit/", {"name": "x"}).status_code == 403


def test_the_keys_of_others_are_not_there(browser: Client):
    key, _secret = issue_key(name="stranger's", user=person("carol", "member"))
    assert "stranger" not in browser.get("/ui/keys/?all=1").content.decode()
    assert browser.get(f"/ui/keys/{key.pk}/").status_code == 404
    for action in ("rotate", "block"):
        assert browser.post(f"/ui/keys/{key.pk}/{action}/").status_code == 404
    assert VirtualKey.objects.get().blocked_at is None


def test_a_key_s_page_says_what_is_left_of_each_limit(browser: Client, bob: User):
    key, _secret = issue_key(
        name="mine", user=bob, budgets=[BudgetTerms(5 * 10**9, "day"), BudgetTerms(9 * 10**9)]
    )
    page = browser.get(f"/ui/keys/{key.pk}/").content.decode()
    assert "$5.00" in page and "$9.00" in page and "unknown" in page
    assert page.count("binds first") == 1


def test_the_list_takes_the_same_queries_for_one_key_and_for_many(
    browser: Client, bob: User, django_assert_max_num_queries: DjangoAssertNumQueries
):
    for number in range(30):
        issue_key(name=f"k{number}", user=bob)
    with django_assert_max_num_queries(16):
        browser.get("/ui/keys/")
