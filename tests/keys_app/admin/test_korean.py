"""The admin in Korean: what the database keeps as code words is told in words."""

import re

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext

from keys_app.admin.control import scope_label
from keys_app.api.authentication import ALL_SCOPES
from keys_app.audit import record_change
from keys_app.models import AuditEntry, Budget, RateLimit, Service, User
from keys_app.starting import starter_key

pytestmark = pytest.mark.django_db


def test_budgets_and_limits_are_named_in_the_reader_s_language():
    budget, limit = Budget(scope="key", period="month"), RateLimit(scope="service")
    with translation.override("en"):
        assert (str(budget), str(limit)) == ("Key · Month", "Service · rate limit")
    with translation.override("ko"):
        assert (str(budget), str(limit)) == ("키 · 월", "서비스 · 속도 제한")


def test_an_entry_is_kept_in_english_and_told_in_korean():
    budget = Budget.objects.create(scope="global", period="day", amount_nanodollars=1)
    with translation.override("ko"):
        record_change("system", budget, "topped up")
        entry = AuditEntry.objects.get()
        assert str(entry) == "게이트웨이 · 충전됨 · 전체 · 일"
    assert (entry.verb, entry.object_name) == ("topped up", "Everything · Day")


def test_the_name_of_a_key_is_no_word_of_ours():
    entry = AuditEntry(kind="keys_app.virtualkey", actor="alice", verb="invented", object_name="Key · Month")
    with translation.override("ko"):
        assert (entry.object_told, entry.verb_told, entry.actor_told) == ("Key · Month", "invented", "alice")


def test_the_log_tells_fields_values_and_kinds_in_words(admin_client: Client, alice: User):
    alice.language = "ko"
    alice.save()
    service = Service.objects.create(name="checkout")
    record_change(alice, service, "changed", ("budget",), {"is_active": [True, False], "gone": [None, "x"]})
    page = admin_client.get("/admin/keys_app/auditentry/", headers={"accept-language": "ko"}).content.decode()
    for words in ("변경됨", "서비스", "예산", ": 예 → 아니요", "gone: ∅ → x"):
        assert words in page
    assert "keys_app.service<" not in page


@pytest.mark.parametrize("scope", ALL_SCOPES)
def test_every_scope_has_its_words_beside_the_code(scope: str):
    with translation.override("ko"):
        words = scope_label(scope).removesuffix(f" ({scope})")
    assert words
    assert not re.search("[A-Za-z]", words)


def test_one_copy_of_select2_with_the_words_of_the_language(admin_client: Client):
    """Of two copies one is taught the words, and the other one draws."""
    page = admin_client.get(
        "/admin/keys_app/virtualkey/add/", headers={"accept-language": "ko"}
    ).content.decode()
    assert re.findall(r"select2/(select2\.full[^\"]*|i18n/[^\"]*)\"", page) == [
        "select2.full.min.js",
        "i18n/ko.js",
    ]


def test_the_first_service_says_what_it_is_for_in_korean():
    starter_key()
    with translation.override("ko"):
        assert Service.objects.get().described == "게이트웨이를 시험해 보기 위한 서비스입니다."
    assert Service(description="Keys").described == "Keys"


@pytest.mark.parametrize(
    ("path", "english", "korean"),
    [("service", "2 services", "서비스 2개"), ("user", "1 user", "사용자 1명")],
)
def test_a_list_is_counted_in_the_language_s_order(
    admin_client: Client, alice: User, path: str, english: str, korean: str
):
    for name in ("checkout", "search"):
        Service.objects.create(name=name)
    for language, words in (("en", english), ("ko", korean)):
        alice.language = language
        alice.save()
        page = admin_client.get(f"/admin/keys_app/{path}/", headers={"accept-language": language})
        assert words in " ".join(page.content.decode().split())


def test_what_is_chosen_in_a_list_is_counted_in_korean_order():
    with translation.override("ko"):
        all_of_them = gettext("Select all %(total_count)s %(module_name)s")
    assert all_of_them % {"total_count": 120, "module_name": "서비스"} == "서비스 120개 모두 선택"
