"""One call's page: verdict, way, bill to the nanodollar, decision; and a call that is not written yet."""

import html
from datetime import UTC, datetime, timedelta

import pytest

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


def test_a_tool_without_a_price_stands_under_the_bill_and_is_no_estimate_of_counts(
    people: People, browse: Browse
) -> None:
    row = priced_call(people)
    row.usage_source, row.units = "estimate", {"file_searches": 2, "images:high:1024x1024": 1}
    row.decision = {**row.decision, "unpriced": row.units}
    row.save()
    text = browse(people.root).get(f"/ui/requests/{row.pk}/").content.decode()
    assert "Searches of files: 2. The price says nothing of this tool" in text
    assert "Images (high, 1024x1024): 1." in text and "lower bound" in text
    assert "The counts are estimates" not in text


def test_the_bill_names_the_price_its_source_and_since_when(people: People, browse: Browse) -> None:
    row = priced_call(people)
    text = browse(people.root).get(f"/ui/requests/{row.pk}/").content.decode()
    link = '<a class="gh-link underline" href="/ui/prices/?q=gpt-5">openai/gpt-5</a>'
    assert f"{link} · Set here · always" in text
    price = Price.objects.get(pk=row.price_id)
    price.valid_from = datetime(2026, 3, 1, tzinfo=UTC)
    price.source = "list"
    price.save()
    text = browse(people.root).get(f"/ui/requests/{row.pk}/").content.decode()
    assert "Public list · since 1 Mar 2026" in text
    Price.objects.filter(pk=price.pk).update(provider_kind="sandbox")
    text = browse(people.root).get(f"/ui/requests/{row.pk}/").content.decode()
    assert "Sandbox · since 1 Mar 2026" in text
    price.valid_until = datetime(2099, 1, 1, tzinfo=UTC)
    price.save()
    text = browse(people.root).get(f"/ui/requests/{row.pk}/").content.decode()
    assert "from 1 Mar 2026 to 31 Dec 2098" in text


def test_what_this_models_calls_take_stands_behind_the_bar_where_enough_are_known(
    people: People, browse: Browse
) -> None:
    row = priced_call(people)
    client = browse(people.root)
    assert client.get(f"/ui/requests/{row.pk}/").context["usual_marks"] == ()
    save([make_request(people.keys["checkout-prod"], clock.now() - timedelta(minutes=2)) for _ in range(25)])
    text = client.get(f"/ui/requests/{row.pk}/").content.decode()
    assert "half of this model&#x27;s calls took up to" in text
    assert "95 % of them up to" in text
    assert 'class="gh-usual"' in text


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


def test_after_ten_seconds_a_call_that_is_not_there_is_not_waited_for(people: People, browse: Browse) -> None:
    aged = clock.uuid7_at(clock.now_ms() - 12_000, 5)
    text = browse(people.root).get(f"/ui/requests/{aged}/").content.decode()
    assert 'data-left="0"' in text
    assert 'data-when="written" hidden' in text
    assert 'data-when="absent">' in text


def test_somebody_elses_call_is_answered_as_one_that_never_was(people: People, browse: Browse) -> None:
    row = make_request(people.keys["charlie-notebook"], clock.now() - timedelta(seconds=20))
    never = clock.uuid7_at(clock.uuid7_ms(row.pk), 7)
    save([row])
    client = browse(people.bob)
    pages = [client.get(f"/ui/requests/{each}/") for each in (row.pk, never)]
    assert [page.status_code for page in pages] == [200, 200]
    texts = [page.content.decode().split("<section", 1)[1] for page in pages]
    assert texts[0].replace(str(row.pk), "") == texts[1].replace(str(never), "")


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


def test_a_model_s_first_calls_are_not_told_to_be_as_usual(people: People, browse: Browse) -> None:
    def told(count: int) -> str:
        start = clock.now() - timedelta(minutes=5)
        rows = [make_request(people.keys["checkout-prod"], start) for _ in range(count)]
        save(rows)
        return browse(people.root).get(f"/ui/requests/{rows[0].pk}/").content.decode()

    assert "Too few recent calls to compare." in told(1)
    assert "As usual: it took 2.0" in told(4)


@pytest.mark.parametrize("days", [0, 20, 100])
def test_what_a_client_says_of_a_call_leads_to_all_that_say_the_same(
    people: People, browse: Browse, days: int
) -> None:
    at, key = clock.now() - timedelta(days=days, minutes=5), people.keys["checkout-prod"]
    fields = {"session": "a b", "end_user": "ann", "client": "curl/8", "tags": ["x&y", "z"]}
    row, near = make_request(key, at, **fields), make_request(key, at, cost_nanodollars=None, **fields)
    save([row, near, make_request(key, at)])
    client = browse(people.root)
    client.get("/ui/requests/?range=1h&environment=experiment")
    answer = client.get(f"/ui/requests/{row.pk}/")
    links = [link for _label, claims in answer.context["claims"] for _value, link in claims]
    assert len(links) == 5
    for link in links:
        assert html.escape(link) in answer.content.decode()
        found = client.get(link).context["rows_page"].rows
        assert {each.pk for each in found} == {row.pk, near.pk}, link
    around = answer.content.decode().partition("Around it in its session")[2]
    assert "unpriced" in around and "unknown" not in around
