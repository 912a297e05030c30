"""Opening a page costs the same few queries whatever there is, and sums come from roll-ups alone.

Pages come from the URL configuration: one that reads the ledger's rows has to be named here.
"""

import random
import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from keys_app.models import Budget, Membership, Service, User, VirtualKey
from proxy_app.models import Deployment, Model, Provider
from tests.keys_app.matrix.walking import routes
from tests.seeding import PASSWORD, People, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.models import BudgetSpend, Price
from usage_app.pivot import ALL_DIMENSIONS
from usage_app.request_search import UNSEEN

LEDGER = re.compile(r'\b(?:FROM|JOIN) "?usage_app_(request|attempt|adjustment|capturedbody)\b')
#: The Overview asks the most: a dozen sums, each of days and of the quarters of an hour around them.
MOST_QUERIES = 55
#: Pages of calls, not of sums: bounded by the range and by a page's length.
OF_CALLS = ("/ui/requests/", "/ui/get-started/")
#: The sums of what lists and files show.
SUMS = (
    "/ui/?fragment=body&by=key&range=7d",
    "/ui/requests/?fragment=count&range=7d",
    "/ui/requests/?fragment=choices&range=7d",
    *(f"/ui/usage/?by={name}&range=7d" for name in ALL_DIMENSIONS),
    "/ui/usage/?by=key&and=user&columns=day&range=7d",
    "/ui/usage/?by=model&and=key&columns=second&range=30d&compare=1",
    "/ui/usage/?by=service&columns=hour&range=24h",
    "/api/v1/usage/?group_by=key,user,service,model,deployment,provider",
    "/api/v1/usage/?group_by=key&interval=hour",
)
PAGES = tuple(f"/{route}" for route in routes() if route.startswith("ui/") and "<" not in route)


def grow(people: People, rows: int, entities: int) -> None:
    """So many more people, services, keys, models, deployments and budgets, and calls of all of them."""
    dice, now, start = random.Random(rows), clock.now(), Service.objects.count()
    provider = Provider.objects.get_or_create(name="openai", kind="openai")[0]
    keys: list[VirtualKey] = []
    for number in range(start, start + entities):
        service = Service.objects.create(name=f"service-{number}")
        user = User.objects.create(username=f"user-{number}", password=PASSWORD)
        Membership.objects.create(user=people.alice, service=service, role=Membership.Role.MANAGER)
        key = VirtualKey(name=f"key-{number}", service=service, user=user, secret_hash=f"{number + 500:064x}")
        key.save()
        keys.append(key)
        for fields in ({"scope": "service", "service": service}, {"scope": "key", "key": key}):
            budget = Budget.objects.create(amount_nanodollars=10**9, period="total", **fields)
            BudgetSpend.objects.create(budget_id=str(budget.pk), period="total", spent_nanodollars=9 * 10**8)
        model = Model.objects.create(name=f"model-{number}")
        Deployment.objects.create(model=model, provider=provider, upstream_model=model.name)
        Price.objects.create(
            provider_kind="openai", model=model.name, input_nanodollars=1, output_nanodollars=1
        )
    deployments = list(Deployment.objects.filter(model__name__startswith="model-"))
    own = [people.keys["charlie-notebook"]]
    found = []
    for number in range(rows):
        served = deployments[number % len(deployments)]
        # The first few lie in the period before, so that comparisons have something to name.
        hours = 100 + 24 * number if number < 4 else dice.uniform(0, 20)
        # Everybody sees a late one without a price: where there is any, more is asked.
        unpriced = number in (5, 9)
        row = make_request(
            (own + keys)[number % (len(keys) + 1)],
            now - timedelta(hours=hours, minutes=1),
            deployment_id=str(served.pk),
            provider_id=str(provider.pk),
            cost_nanodollars=None if unpriced else dice.choice([None, 100 + number]),
            status="ok" if unpriced else dice.choice(["ok", "ok", "error", "refused"]),
        )
        row.model = served.model.name
        found.append(row)
    save(found)


def queries_of(client: Client, address: str) -> list[str]:
    """The SQL of a page's second opening."""
    headers = {"HX-Request": "true"} if "fragment" in address else {}
    client.get(address, headers=headers)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address, headers=headers)
    assert answer.status_code == 200, address
    return [each["sql"] for each in captured]


def measured(client: Client, addresses: list[str]) -> tuple[date, dict[str, list[str]]]:
    """The queries of each page, and the day that all of them were opened on."""
    while True:
        day = clock.now().date()
        found = {address: queries_of(client, address) for address in addresses}
        if clock.now().date() == day:
            return day, found


@pytest.mark.parametrize("who", ["root", "alice", "charlie"])
def test_ten_calls_or_two_thousand_cost_the_same_queries_and_sums_read_no_call(
    people: People, browse: Browse, who: str
) -> None:
    client = browse(getattr(people, who))
    pages = [page for page in PAGES if client.get(page).status_code == 200]
    addresses = [*pages, *SUMS]
    grow(people, 10, 4)
    day, few = measured(client, addresses)
    grow(people, 2_000, 60)
    today, many = measured(client, addresses)
    if today != day:  # ranges consist of other days since
        few = many
        grow(people, 2_000, 60)
        _same, many = measured(client, addresses)
    grown = {
        address: set(map(shape, many[address])) ^ set(map(shape, few[address]))
        for address in addresses
        if len(few[address]) != len(many[address])
    }
    assert grown == {}
    assert max(map(len, many.values())) <= MOST_QUERIES
    reading = {address for address in addresses for sql in many[address] if LEDGER.search(sql)}
    assert "/ui/requests/" in reading
    assert reading <= set(OF_CALLS)


def shape(sql: str) -> str:
    """A query without its values."""
    return re.sub(r"\((?:'[^']*'|\d+|%s)(?:, (?:'[^']*'|\d+|%s))*\)", "(…)", sql)[:200]


def test_a_list_of_calls_reads_nothing_that_it_does_not_show(people: People, browse: Browse) -> None:
    grow(people, 120, 4)
    client = browse(people.root)
    for address in (
        "/ui/requests/",
        "/ui/requests/?fragment=table&sort=-cost",
        "/ui/requests/?environment=test",
        "/ui/requests/?status=ok",
    ):
        for sql in queries_of(client, address):
            assert "capturedbody" not in sql
            assert "DISTINCT" not in sql
            if 'FROM "usage_app_request"' in sql:
                assert not [name for name in UNSEEN if f'"{name}"' in sql], sql
                assert re.search(r"LIMIT \d+", sql), sql
