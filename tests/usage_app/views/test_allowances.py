"""The limits a call met, on its page and over the API: to whom they are told, and what is said of none."""

from datetime import timedelta
from typing import Any

import pytest

from gateway_project import clock
from keys_app.issuing import issue_key
from keys_app.models import Budget, User
from tests.keys_app.cast import with_key
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.models import Request

DOLLAR = 10**9


def a_budget(scope: str, **fields: Any) -> Budget:
    return Budget.objects.create(
        scope=scope, amount_nanodollars=50 * DOLLAR, period="month", time_zone="UTC", **fields
    )


def stood(budget: Budget, name: str = "", **figures: Any) -> dict[str, Any]:
    """A budget as a call's row tells of it."""
    told = {"kind": "budget", "scope": budget.scope, "name": name, "id": str(budget.pk), "period": "2026-11"}
    figures = {"spent": 31 * DOLLAR, "held": 250_000_000, "hold": 4_200_000, **figures}
    return {**told, "per": "month", "limit": 50 * DOLLAR, **figures}


def a_rate(scope: str, name: str = "", **figures: Any) -> dict[str, Any]:
    return {"kind": "requests", "scope": scope, "name": name, "limit": 60, "left": 17, **figures}


def a_call(people: People, *allowances: dict[str, Any], key: str = "checkout-test", **fields: Any) -> Request:
    row = make_request(people.keys[key], clock.now() - timedelta(minutes=1), **fields)
    row.decision = {"allowances": list(allowances)}
    row.charges = [
        {"budget_id": each["id"], "period": each["period"]} for each in allowances if "hold" in each
    ]
    save([row])
    return row


def page(browse: Browse, viewer: User, row: Request) -> str:
    answer = browse(viewer).get(f"/ui/requests/{row.pk}/")
    assert answer.status_code == 200
    text = answer.content.decode()
    return text.partition('id="allowances-title"')[2].partition("</section>")[0]


def test_each_limit_is_told_with_what_was_spent_held_and_left(people: People, browse: Browse) -> None:
    service, everything = a_budget("service", service=people.checkout), a_budget("global", hard=False)
    rows = [
        stood(service, "checkout"),
        stood(everything, hard=False),
        a_rate("key"),
        a_rate("model", "gpt-5"),
    ]
    text = page(browse, people.root, a_call(people, *rows))
    for figure in ("$31.00", "$0.25", "$0.0042", "$18.75", "$50.00", "43", "17", "60"):
        assert f">{figure}<" in text, figure
    assert f'href="/ui/budgets/{service.pk}/"' in text and f'href="/ui/budgets/{everything.pk}/"' in text
    assert text.count("only tells") == 1
    assert "checkout-test" in text and "Requests a minute" in text


def test_whoever_sees_the_key_sees_every_limit_and_links_to_pages_of_their_own(
    people: People, browse: Browse
) -> None:
    service, everything = a_budget("service", service=people.checkout), a_budget("global")
    row = a_call(people, stood(service, "checkout"), stood(everything), a_rate("provider", "openai"))
    manager, member = page(browse, people.alice, row), page(browse, people.bob, row)
    for text in (manager, member):
        assert "checkout" in text and "Everything" in text and "openai" in text
        assert str(everything.pk) not in text
    assert str(service.pk) in manager and str(service.pk) not in member


@pytest.fixture
def lent(people: People) -> Request:
    """A call that a service's key made for charlie, who sees the call and not the key."""
    mine, service = a_budget("user", user=people.charlie), a_budget("service", service=people.search)
    return a_call(
        people,
        stood(mine, "charlie"),
        stood(service, "search", spent=12_345_678_901),
        a_rate("service", "search", limit=77),
        key="search-prod",
        user_id=str(people.charlie.pk),
        user_name="charlie",
    )


def test_who_sees_the_call_and_not_its_key_sees_only_budgets_of_their_own(
    people: People, browse: Browse, lent: Request
) -> None:
    text = page(browse, people.charlie, lent)
    assert ">charlie</a>" in text
    assert "search" not in text and "12.35" not in text and ">77<" not in text
    assert "2 more are not listed." in text


def test_the_api_tells_each_reader_the_same_as_the_page(
    people: People, browse: Browse, lent: Request
) -> None:
    def told(viewer: User) -> dict[str, Any]:
        decision: dict[str, Any] = browse(viewer).get(f"/api/v1/requests/{lent.pk}/").json()["decision"]
        return decision

    assert [each["scope"] for each in told(people.charlie)["allowances"]] == ["user"]
    assert told(people.charlie)["allowances_left_out"] == 2
    assert told(people.root) == lent.decision


def test_a_key_reads_every_limit_of_its_own_calls(people: People) -> None:
    key, secret = issue_key(name="program", service=people.search)
    row = make_request(key, clock.now() - timedelta(minutes=1))
    row.decision = {"allowances": [stood(a_budget("global")), a_rate("key")]}
    save([row])
    answer = with_key(secret).get(f"/api/v1/requests/{row.pk}/").json()
    assert answer["decision"] == row.decision


def test_a_manager_of_the_calls_service_sees_its_limits_after_the_key_is_gone(
    people: People, browse: Browse
) -> None:
    service = a_budget("service", service=people.checkout)
    row = a_call(
        people, stood(service, "checkout"), a_rate("service", "checkout"), a_rate("global", limit=77)
    )
    people.keys["checkout-test"].delete()
    text = page(browse, people.alice, row)
    assert str(service.pk) in text and ">17<" in text
    assert ">77<" not in text and "1 more is not listed." in text


def test_what_refused_a_call_is_marked_and_told_with_what_it_asked(people: People, browse: Browse) -> None:
    key = a_budget("key", key=people.keys["checkout-test"])
    refused = {**stood(key, refused=True, asked=20 * DOLLAR)}
    del refused["hold"]
    text = page(browse, people.bob, a_call(people, refused, status="refused", error_code="budget_exceeded"))
    assert "refused it" in text and ">$20.00<" in text and ">$18.75<" in text
    assert "let go" not in text


def test_a_level_that_was_let_go_for_another_deployment_says_so(people: People, browse: Browse) -> None:
    row = a_call(people, stood(a_budget("provider", target="alpha"), "alpha"))
    Request.objects.filter(pk=row.pk).update(charges=[])
    assert "let go" in page(browse, people.root, row)


def test_limits_that_were_not_checked_say_so(people: People, browse: Browse) -> None:
    key = a_budget("key", key=people.keys["checkout-test"])
    unchecked = {name: value for name, value in stood(key).items() if name not in ("spent", "held", "hold")}
    text = page(browse, people.bob, a_call(people, {**unchecked, "unchecked": True}))
    assert "not checked" in text and ">$50.00<" in text and "$0.00" not in text


@pytest.mark.parametrize(
    ("decision", "fields", "said"),
    [
        ({"allowances": []}, {}, "No limit applied to this call."),
        ({}, {"status": "refused", "error_code": "limits_unavailable"}, "so the call was refused."),
        ({}, {"status": "interrupted"}, "the process that served the call ended before it told."),
        ({}, {}, ""),  # of before these were kept: nothing is claimed
    ],
)
def test_a_call_without_limits_says_why(
    people: People, browse: Browse, decision: dict[str, Any], fields: dict[str, Any], said: str
) -> None:
    row = make_request(people.keys["checkout-test"], clock.now() - timedelta(minutes=1), **fields)
    row.decision = decision
    save([row])
    text = page(browse, people.bob, row)
    assert said in text and bool(said) == bool(text)
