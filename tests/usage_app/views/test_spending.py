"""The admin's lists tell what was spent against the budget, for a page of rows at once."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from keys_app.issuing import issue_key
from keys_app.models import Budget, Service, User, VirtualKey
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.budget_states import states
from usage_app.models import BudgetSpend
from usage_app.reports import reporting_zone

DOLLAR = 10**9
LISTS = {
    "virtualkey": ("key", "/admin/keys_app/virtualkey/"),
    "user": ("user", "/admin/keys_app/user/"),
    "service": ("service", "/admin/keys_app/service/"),
}


def spent_of(row: Budget, amount: int) -> Budget:
    (state,) = states([row])
    BudgetSpend.objects.create(budget_id=str(row.pk), period=state.period.key, spent_nanodollars=amount)
    return row


def cell(client: Client, address: str, name: str) -> str:
    """What a list says in a row's column of spending, with its link."""
    page = client.get(address).content.decode()
    row = next(part for part in page.split("<tr")[1:] if name in part)
    return row[row.index('class="gh-spending"') :]


@pytest.mark.parametrize("kind", LISTS)
def test_a_row_shows_the_fullest_of_its_budgets_and_opens_it(
    people: People, browse: Browse, kind: str
) -> None:
    scope, address = LISTS[kind]
    subject = {"key": people.keys["search-lab"], "user": people.charlie, "service": people.search}[scope]
    rows = [
        spent_of(
            Budget.objects.create(scope=scope, **{scope: subject}, amount_nanodollars=DOLLAR, period=period),
            spent,
        )
        for period, spent in (("day", DOLLAR // 4), ("total", 3 * DOLLAR // 4))
    ]
    name = {"key": "search-lab", "user": "charlie", "service": "search"}[scope]
    told = cell(browse(people.root), address, name)
    assert f'href="/ui/budgets/{rows[1].pk}/"' in told
    assert "$0.75 / $1.00" in told
    assert "In total +1" in told


def test_a_row_without_a_budget_shows_what_it_spent_this_month(people: People, browse: Browse) -> None:
    key = people.keys["checkout-test"]
    save([make_request(key, clock.now() - timedelta(seconds=1), cost_nanodollars=2 * DOLLAR)])
    client = browse(people.root)
    requests = "/ui/requests/?range=month&amp;environment=&amp;service=&amp;"
    for kind, name, link in (
        ("virtualkey", "checkout-test", f"{requests}key={key.pk}"),
        ("user", "bob", f"{requests}user={people.bob.pk}"),
        ("service", "checkout", f"service={people.checkout.pk}&amp;by=key"),
    ):
        told = cell(client, LISTS[kind][1], name)
        assert "$2.00 this month" in told, kind
        assert link in told, kind
    assert "$0.00 this month" in cell(client, LISTS["virtualkey"][1], "charlie-notebook")


def test_a_row_whose_calls_have_no_price_is_not_said_to_have_spent_nothing(
    people: People, browse: Browse
) -> None:
    at = clock.now() - timedelta(seconds=1)
    save([make_request(people.keys["checkout-test"], at, cost_nanodollars=None)])
    assert "unpriced this month" in cell(browse(people.root), LISTS["virtualkey"][1], "checkout-test")


def test_the_list_of_budgets_tells_how_full_they_are(people: People, browse: Browse) -> None:
    spent_of(Budget.objects.create(scope="global", amount_nanodollars=DOLLAR, period="month"), DOLLAR // 2)
    assert "$0.50 / $1.00" in cell(browse(people.root), "/admin/keys_app/budget/", "All together")


@pytest.mark.parametrize(
    "address", [*(each for _scope, each in LISTS.values()), "/admin/keys_app/budget/", "/ui/keys/?all=1"]
)
def test_more_rows_cost_no_more_queries(people: People, browse: Browse, address: str) -> None:
    client = browse(people.root)

    def grow(start: int, count: int) -> None:
        for number in range(start, start + count):
            user = User.objects.create(username=f"user-{number}")
            service = Service.objects.create(name=f"service-{number}")
            key, _secret = issue_key(name=f"key-{number}", user=user, service=service)
            for fields in ({"key": key}, {"user": user}, {"service": service}) if number % 2 else ():
                spent_of(
                    Budget.objects.create(scope=next(iter(fields)), amount_nanodollars=DOLLAR, **fields), 1
                )

    def count() -> int:
        client.get(address)
        with CaptureQueriesContext(connection) as captured:
            page = client.get(address).content.decode()
        assert "gh-spending" in page or " of $1.00" in page
        return len(captured)

    grow(0, 4)
    few = count()
    grow(4, 20)
    assert count() == few


def own(client: Client, key: VirtualKey) -> dict[str, str]:
    """What My keys says of a key, by column."""
    page = client.get("/ui/keys/?all=1").content.decode()
    row = next(part for part in page.split("<tr")[1:] if f"/ui/keys/{key.pk}/" in part)
    return dict(re.findall(r'class="col-(\w+)[^"]*">(.*?)</td>', row, re.DOTALL))


def calls_behind(client: Client, cell: str) -> str:
    """How many calls the link of a cell opens."""
    (link,) = re.findall(r'href="([^"]+)"', cell)
    answer = client.get(html.unescape(link) + "&fragment=count", headers={"HX-Request": "true"})
    return answer.content.decode().split()[0]


def test_my_keys_tell_this_month_s_spend_which_opens_these_calls(people: People, browse: Browse) -> None:
    key, at = people.keys["search-lab"], clock.now() - timedelta(seconds=1)
    zone = reporting_zone()
    first = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    priced = [make_request(key, at, cost_nanodollars=DOLLAR) for _ in range(3)]
    others = [make_request(key, first - timedelta(hours=1), cost_nanodollars=DOLLAR)]
    others.append(make_request(people.keys["checkout-prod"], at, cost_nanodollars=DOLLAR))
    save([*priced, *others, make_request(key, at, cost_nanodollars=None)])
    client = browse(people.root)
    spent = own(client, key)["spent"]
    assert '$3.00<span class="gh-warn-text" title="without a price: 1 call, in no sum">+</span>' in spent
    assert calls_behind(client, spent) == "4"
    unused = own(client, people.keys["charlie-notebook"])
    assert "$0.00" in unused["spent"] and "href" not in unused["spent"]
    assert "none" in unused["budget"]
    assert f"Months in {zone.key}." in client.get("/ui/keys/?all=1").content.decode()


def test_a_manager_s_number_of_a_key_is_that_of_the_calls_it_opens(people: People, browse: Browse) -> None:
    """Of a key that was another person's before, for one: sums and lists are within one sight."""
    key, at = people.keys["checkout-test"], clock.now() - timedelta(seconds=1)
    moved = make_request(key, at, cost_nanodollars=DOLLAR)
    moved.service_id, moved.user_id = str(people.search.pk), str(people.charlie.pk)
    save([make_request(key, at, cost_nanodollars=DOLLAR), moved])
    client = browse(people.alice)
    spent = own(client, key)["spent"]
    assert ">$1.00<" in spent
    assert calls_behind(client, spent) == "1"


def test_my_keys_tell_which_part_of_a_budget_is_spent(people: People, browse: Browse) -> None:
    key = people.keys["search-lab"]
    fields = {"scope": "key", "key": key, "amount_nanodollars": DOLLAR}
    fuller = spent_of(Budget.objects.create(**fields, period="total"), 3 * DOLLAR // 4)
    spent_of(Budget.objects.create(**fields, period="day"), DOLLAR // 4)
    client = browse(people.root)
    told = own(client, key)["budget"]
    assert f'href="/ui/budgets/{fuller.pk}/"' in told
    assert "75\u202f% of $1.00" in told and "In total +1" in told
    save([make_request(key, clock.now(), cost_nanodollars=None)])
    assert (
        '75\u202f%<span class="gh-warn-text" title="Calls without a price">+</span>'
        in own(client, key)["budget"]
    )
