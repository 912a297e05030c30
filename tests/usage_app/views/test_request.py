"""One call's page: verdict, way, bill to the nanodollar, decision; and a call that is not written yet."""

from datetime import timedelta

from gateway_project import clock
from tests.seeding import People, decision_of, make_attempt, make_request, marks_of, save
from tests.usage_app.views.conftest import Browse
from usage_app.models import Adjustment, Price, Request


def priced_call(people: People) -> Request:
    price = Price.objects.create(
        provider_kind="openai",
        model="gpt-5",
        input_nanodollars=1_250_000_000,
        cache_read_nanodollars=125_000_000,
        output_nanodollars=10_000_000_000,
    )
    row = make_request(
        people.keys["checkout-prod"],
        clock.now() - timedelta(minutes=1),
        input_tokens=1201,
        cache_read_tokens=1000,
        output_tokens=333,
        cost_nanodollars=251_250 + 125_000 + 3_330_000,
        price_id=str(price.pk),
    )
    row.timeline, row.decision = marks_of(row), decision_of(row)
    save([row])
    make_attempt(row).save()
    return row


def test_the_bill_adds_up_to_the_charge(people: People, browse: Browse) -> None:
    row = priced_call(people)
    answer = browse(people.root).get(f"/ui/requests/{row.pk}/")
    bill = answer.context["bill"]
    assert bill.agrees
    assert bill.total_nanodollars == row.cost_nanodollars
    assert "$0.00370625" in answer.content.decode()
    assert {line.units for line in bill.lines} == {201, 1000, 333}


def test_what_came_after_a_call_is_in_its_cost_and_told(people: People, browse: Browse) -> None:
    row = priced_call(people)
    Adjustment.objects.create(
        request_id=row.pk, cause="batch", cost_nanodollars=1_000_000_000, at=clock.now(), is_applied=True
    )
    answer = browse(people.root).get(f"/ui/requests/{row.pk}/")
    assert answer.context["bill"].agrees
    text = answer.content.decode()
    assert "$1.00370625" in text
    assert "$1.00 of it came after the call had ended." in text


def test_the_decision_names_who_was_chosen_and_why_the_others_were_not(
    people: People, browse: Browse
) -> None:
    text = browse(people.root).get(f"/ui/requests/{priced_call(people).pk}/").content.decode()
    assert "weight 3 of 4, healthy" in text
    assert "cooling down for 12 s after 429" in text


def test_an_unpriced_call_says_so_and_never_zero(people: People, browse: Browse) -> None:
    row = make_request(
        people.keys["search-lab"],
        clock.now() - timedelta(minutes=1),
        model="house-llama",
        cost_nanodollars=None,
    )
    save([row])
    text = browse(people.root).get(f"/ui/requests/{row.pk}/").content.decode()
    assert "there is no price for this model" in text
    assert "$0.00" not in text


def test_a_call_that_is_not_in_the_ledger_yet_waits_for_it(people: People, browse: Browse) -> None:
    client = browse(people.root)
    fresh = clock.uuid7()
    page = client.get(f"/ui/requests/{fresh}/")
    assert page.status_code == 200
    assert f'data-pending="{fresh}"' in page.content.decode()
    assert client.get(f"/ui/requests/{fresh}/", headers={"HX-Request": "true"}).status_code == 204


def test_an_old_id_nobody_knows_is_not_found(people: People, browse: Browse) -> None:
    old = clock.uuid7_at(clock.now_ms() - 86_400_000, 5)
    client = browse(people.root)
    assert client.get(f"/ui/requests/{old}/").status_code == 404
    assert client.get("/ui/requests/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_calls_of_the_same_session_are_at_hand(people: People, browse: Browse) -> None:
    rows = [
        make_request(people.keys["search-lab"], clock.now() - timedelta(minutes=n), session="chat-1")
        for n in (3, 2, 1)
    ]
    save(rows)
    near = browse(people.root).get(f"/ui/requests/{rows[1].pk}/").context["neighbours"]
    assert [each.pk for each in near] == [rows[0].pk, rows[2].pk]


def test_a_call_like_it_can_be_copied_without_any_secret(people: People, browse: Browse) -> None:
    text = browse(people.root).get(f"/ui/requests/{priced_call(people).pk}/").content.decode()
    assert "$GATEHOUSE_API_KEY" in text
    assert "/v1/chat/completions" in text
