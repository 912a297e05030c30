"""The page of a correction: an admin's alone; its effect, its application, and where it is told."""

from datetime import timedelta

import pytest
from django.utils.html import strip_tags

from gateway_project import clock
from keys_app.models import AuditEntry, Budget
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.budget_states import states
from usage_app.models import Adjustment, Price, PriceCorrection

HTMX = {"HX-Request": "true"}


@pytest.fixture
def price() -> Price:
    return Price.objects.create(
        provider_kind="openai", model="gpt-5", source="admin", input_nanodollars=1, output_nanodollars=1
    )


def measured(price: Price, **changes: object) -> PriceCorrection:
    now = clock.now()
    fields = {"since": now - timedelta(days=1), "until": now, "state": "measured", "asked_by": "root"}
    fields |= {"calls": 2, "charged_nanodollars": 100, "difference_nanodollars": 5}
    return PriceCorrection.objects.create(price=price, **fields | changes)


def address(price: Price) -> str:
    return f"/ui/prices/{price.pk}/correction/"


@pytest.mark.parametrize("who", ["alice", "bob", "charlie"])
def test_nobody_but_an_admin_sees_or_applies_one(
    people: People, browse: Browse, price: Price, who: str
) -> None:
    client = browse(getattr(people, who))
    correction = measured(price)
    assert client.get(address(price)).status_code == 403
    assert client.post(address(price), {"apply": str(correction.pk)}).status_code == 403
    assert "correction/" not in client.get("/ui/prices/").content.decode()
    correction.refresh_from_db()
    assert correction.state == "measured"


def test_the_effect_is_asked_for_and_then_applied_once(people: People, browse: Browse, price: Price) -> None:
    client = browse(people.root)
    assert address(price) in client.get("/ui/prices/?q=gpt-5").content.decode()
    page = client.get(address(price)).content.decode()
    assert "Show the effect" in page
    asked = {"since": "2026-01-01T00:00", "until": "2099-01-01T00:00"}
    client.post(address(price), asked)
    correction = PriceCorrection.objects.get()
    assert correction.state == "waiting"
    assert correction.until <= clock.now()  # never what has not happened yet
    assert "being computed" in client.get(address(price)).content.decode()
    client.post(address(price), asked)
    assert PriceCorrection.objects.count() == 1  # one at a time
    PriceCorrection.objects.update(state="measured", calls=2, difference_nanodollars=5)
    assert "Apply: +$0.000000005" in strip_tags(client.get(address(price)).content.decode())
    for _ in range(2):
        client.post(address(price), {"apply": str(correction.pk)})
    correction.refresh_from_db()
    assert (correction.state, correction.applied_by) == ("applying", "root")
    [entry] = AuditEntry.objects.filter(verb="applied")
    assert entry.changes["calls"] == [None, 2]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"since": "x", "until": "y"},
        {"since": "2026-02-01T00:00", "until": "2026-01-01T00:00"},
        {"apply": "x"},
    ],
)
def test_odd_questions_make_nothing(people: People, browse: Browse, price: Price, asked: dict) -> None:
    answer = browse(people.root).post(address(price), asked)
    assert answer.status_code in (302, 404)
    assert not PriceCorrection.objects.exists()


def test_one_without_calls_or_of_another_price_is_not_applied(
    people: People, browse: Browse, price: Price
) -> None:
    empty = measured(price, calls=0)
    other = Price.objects.create(provider_kind="openai", model="other", source="admin")
    client = browse(people.root)
    client.post(address(price), {"apply": str(empty.pk)})
    full = measured(price)
    assert client.post(address(other), {"apply": str(full.pk)}).status_code == 404
    assert set(PriceCorrection.objects.values_list("state", flat=True)) == {"measured"}


def test_a_budget_that_it_would_overdraw_is_told(people: People, browse: Browse, price: Price) -> None:
    budget = Budget.objects.create(scope="global", amount_nanodollars=3, period="month")
    lines = [["gpt-5", "", "a key", "shop", 2, 100, 5]]
    [state] = states([budget])
    budgets = [[str(budget.pk), state.period.key, 5], [str(clock.uuid7()), "2026-11", -5]]
    measured(price, effect={"lines": lines, "budgets": budgets, "left_out": {"later": 3}})
    page = browse(people.root).get(address(price), headers=HTMX).content.decode()
    assert "over its amount" in page
    assert "a deleted budget" in page
    assert "3 calls are left out" in page


def test_the_requests_page_and_the_bill_name_the_correction(
    people: People, browse: Browse, price: Price
) -> None:
    row = make_request(
        people.keys["checkout-prod"], clock.now() - timedelta(minutes=1), cost_nanodollars=None
    )
    save([row])
    client = browse(people.root)
    assert str(row.pk) in client.get("/ui/requests/?unpriced=1&range=24h").content.decode()
    correction = measured(price, state="applied", applied_by="root", applied_at=clock.now())
    Adjustment.objects.create(
        request_id=row.pk,
        cause=f"price:{correction.pk}",
        cost_nanodollars=4_200,
        at=clock.now(),
        is_applied=True,
    )
    assert str(row.pk) not in client.get("/ui/requests/?unpriced=1&range=24h").content.decode()
    page = client.get(f"/ui/requests/{row.pk}/").content.decode()
    assert "$0.0000042" in page
    assert "A correction of prices" in page
