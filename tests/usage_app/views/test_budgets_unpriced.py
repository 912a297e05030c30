"""What a budget was charged has a plus where calls of its period have no price, wherever it is told."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from keys_app.demanding import kept_apart
from keys_app.models import Budget
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.budget_states import states
from usage_app.budget_unpriced import with_unpriced
from usage_app.ledger_series import reporting_zone, start_series
from usage_app.models import BudgetSpend, ClaimRollup, DayRollup, KnownName, Rollup

DOLLAR = 10**9
CHARGED = '<span>$9.00<span class="gh-warn-text" title="Calls without a price">+</span></span>'


def budget(days: int = 0, period: str = "total", **fields: object) -> Budget:
    row = Budget.objects.create(amount_nanodollars=10 * DOLLAR, time_zone="UTC", period=period, **fields)
    Budget.objects.filter(pk=row.pk).update(created_at=clock.now() - timedelta(days=days, minutes=1))
    row.refresh_from_db()
    (state,) = states([row])
    BudgetSpend.objects.create(
        budget_id=str(row.pk), period=state.period.key, spent_nanodollars=9 * DOLLAR, requests=3
    )
    return row


def marked(rows: list[Budget]) -> list[bool]:
    found = {state.budget.pk: state.has_unpriced for state in with_unpriced(states(rows))}
    return [found[row.pk] for row in rows]


@pytest.mark.parametrize(
    "scope", ["key", "user", "service", "environment", "model", "provider", "deployment", "global"]
)
def test_budgets_of_every_scope_know_their_own_calls_without_a_price(people: People, scope: str) -> None:
    mine, other = people.keys["search-lab"], people.keys["checkout-prod"]
    ref, here = str(clock.uuid7()), mine.environment
    KnownName.objects.create(kind="provider", ref=ref, name="house")
    KnownName.objects.create(kind="deployment", ref=ref, name="house")
    row = make_request(mine, clock.now(), cost_nanodollars=None, provider_id=ref, deployment_id=ref)
    row.user_id = str(people.charlie.pk)
    row.model = "house-llama"
    save([row, make_request(other, clock.now(), cost_nanodollars=5)])
    ours, others = {
        "key": ({"key": mine}, {"key": other}),
        "user": ({"user": people.charlie}, {"user": people.alice}),
        "service": ({"service": people.search}, {"service": people.checkout}),
        "environment": (
            {"target": here},
            {"target": here, "service": people.checkout},
        ),
        "model": ({"target": "house-llama"}, {"target": "gpt-5"}),
        "provider": ({"target": "house"}, {"target": "other"}),
        "deployment": ({"target": "house"}, {"target": "other"}),
        "global": ({}, {}),
    }[scope]
    with CaptureQueriesContext(connection) as queries:
        found = marked([budget(scope=scope, **ours), budget(scope=scope, **others)])
    assert found == [True, scope == "global"]
    assert not any('FROM "usage_app_request"' in each["sql"] for each in queries)


def test_calls_of_before_a_budget_s_period_are_none_of_its_own(people: People) -> None:
    """To a quarter of an hour; and for budgets in total, by days of which quarters are not kept any more."""
    save([make_request(people.keys["search-prod"], clock.now() - timedelta(hours=1), cost_nanodollars=None)])
    old, new = budget(days=400, scope="global"), budget(scope="global")
    assert marked([old, new]) == [True, False]
    for row in DayRollup.objects.all():
        row.day -= timedelta(days=300)
        row.save()
    Rollup.objects.all().delete()
    younger = budget(days=200, scope="global")
    assert marked([old, younger, new]) == [True, False, False]


def test_every_page_that_tells_a_charge_says_what_it_leaves_out(people: People, browse: Browse) -> None:
    key = people.keys["search-prod"]
    now = clock.now()
    save([make_request(key, now, cost_nanodollars=cost) for cost in (9 * DOLLAR, None)])
    row = budget(scope="key", key=key, days=1)
    client = browse(people.root)
    told = f"{CHARGED} / $10.00"
    for page in ("/ui/", "/ui/budgets/", "/admin/keys_app/virtualkey/", "/admin/keys_app/budget/"):
        assert told in client.get(page).content.decode(), page
    page = client.get(f"/ui/budgets/{row.pk}/")
    text = page.content.decode()
    assert f"has spent {CHARGED} of $10.00" in text
    assert "A line that rises to $9.00+" in text
    step = page.context["chart"].steps[-1]
    assert (sum(each.unpriced for each in page.context["chart"].steps), step.left_out) == (1, 1)


def test_a_part_of_a_burn_down_opens_its_calls_and_so_does_its_line_of_the_table(
    people: People, browse: Browse
) -> None:
    key, now = people.keys["search-prod"], clock.now()
    rows = [make_request(key, now - timedelta(days=ago), cost_nanodollars=DOLLAR) for ago in (0, 2, 2)]
    save([*rows, make_request(people.keys["checkout-prod"], now, cost_nanodollars=DOLLAR)])
    row = budget(scope="key", key=key, days=4)
    client = browse(people.root)
    page = client.get(f"/ui/budgets/{row.pk}/")
    text = page.content.decode()
    counted = []
    for column in page.context["chart"].columns:
        address = f"/ui/budgets/{row.pk}/{column.link}&fragment=count".replace(f"budgets/{row.pk}/../../", "")
        said = client.get(address, headers={"HX-Request": "true"}).content.decode()
        counted.append(int(said.split()[0]))
        assert text.count(f'href="{html.escape(column.link)}"') == (2 if column.step.cost else 1)
    assert [count for count in counted if count] == [2, 1]
    assert len(re.findall(r'<a href="[^"]+" tabindex="-1"><rect class="gh-burn-column"', text)) == len(
        counted
    )


def claimed(end_user: str, service_id: str = "", unpriced: int = 1, days_ago: int = 0) -> None:
    """What the ledger sums of a day's calls that name an end user."""
    zone = reporting_zone()
    day = clock.now().astimezone(zone).date() - timedelta(days=days_ago)
    where = {"zone": zone.key, "day": day, "service_id": service_id, "model": "m", "environment": "test"}
    ClaimRollup.objects.create(
        kind="end_user", value=end_user, requests=2, unpriced_requests=unpriced, **where
    )


def test_budgets_of_end_users_know_their_own_calls_without_a_price(people: People) -> None:
    start_series()
    shop, search = str(people.checkout.pk), str(people.search.pk)
    claimed("ada", shop)
    claimed("bob", search, unpriced=0)
    claimed("", search)  # of somebody beyond a day's values
    claimed("eve", search, days_ago=2)
    fields = {"scope": "end_user", "days": 9}
    wanted = {
        budget(target="ada", **fields): True,
        budget(target="ada", service=people.checkout, **fields): True,
        budget(target="ada", service=people.search, **fields): False,
        budget(target="bob", **fields): False,
        budget(target="eve", **fields): True,
        budget(target="eve", period="day", **fields): False,
    }
    assert marked(list(wanted)) == list(wanted.values())


def test_a_budget_for_each_end_user_tells_whose_charge_leaves_some_out(
    people: People, browse: Browse
) -> None:
    """However long the name is: the charge's period has a digest of it then."""
    start_series()
    long = "customer-" + "7" * 40
    row = Budget.objects.create(scope="end_user", amount_nanodollars=10 * DOLLAR, period="total")
    for name in ("ada", "bob", long):
        period = kept_apart("total", name)
        BudgetSpend.objects.create(
            budget_id=str(row.pk), period=period, spent_nanodollars=9 * DOLLAR, requests=3
        )
    claimed("ada")
    claimed(long)
    found = {state.end_user: state.has_unpriced for state in with_unpriced(states([row]))}
    assert found.pop("bob") is False
    assert list(found.values()) == [True, True]
    page = browse(people.root).get(f"/ui/budgets/{row.pk}/").content.decode()
    assert page.count(f"{CHARGED} / $10.00") == 2
