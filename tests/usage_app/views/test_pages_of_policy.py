"""Budgets, Models, Prices and the Overview's lower half: figures, forecasts, and who sees what."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlparse

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from keys_app.models import Budget
from proxy_app.models import Deployment, Model, Provider
from tests.seeding import People, make_request, save, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app.budget_states import budgets_in, states
from usage_app.differences import Weights
from usage_app.models import BudgetSpend, KnownName, Price
from usage_app.sight import sight_of
from usage_app.views.overview_parts import weights

DOLLAR = 10**9


def budget(spent: int, amount: int = 10 * DOLLAR, **fields: object) -> Budget:
    row = Budget.objects.create(amount_nanodollars=amount, time_zone="UTC", **fields)
    (state,) = states([row])
    BudgetSpend.objects.create(
        budget_id=str(row.pk), period=state.period.key, spent_nanodollars=spent, requests=3
    )
    return row


@pytest.mark.parametrize("made_before", [timedelta(hours=2), timedelta(days=40)])
def test_a_forecast_is_the_rate_since_it_could_be_charged(people: People, made_before: timedelta) -> None:
    """Of the period so far, or since the budget was made within it: what is new is not calm."""
    row = budget(5 * DOLLAR, scope="global", period="month")
    row.created_at = clock.now() - made_before
    row.save()
    (state,) = states([row])
    at, end = state.at_ms, state.period.end_ms
    assert end is not None and state.period.start_ms is not None
    start = max(state.period.start_ms, int(row.created_at.timestamp() * 1000))
    if at - start > 16 * 60_000:  # the month may have begun just now
        assert state.forecast == 5 * DOLLAR * (end - start) // (at - start)
        due = at + (at - start)  # as much again takes as long again
        assert (state.ends_at is not None) == (due < end)
    assert state.left == 5 * DOLLAR
    full = budget(12 * DOLLAR, scope="global", period="day")
    (state,) = states([full])
    assert (state.left, state.ends_at, state.tone) == (0, None, "error")


def test_everybody_sees_the_budgets_that_are_theirs(people: People, browse: Browse) -> None:
    for name, fields in {
        "everything": {"scope": "global"},
        "checkout": {"scope": "service", "service": people.checkout},
        "search": {"scope": "service", "service": people.search},
        "bob": {"scope": "user", "user": people.bob},
        "checkout key": {"scope": "key", "key": people.keys["checkout-prod"]},
        "charlie's key": {"scope": "key", "key": people.keys["charlie-notebook"]},
    }.items():
        budget(len(name), **fields)

    def seen(user: object) -> set[str]:
        found = budgets_in(sight_of(user))  # type: ignore[arg-type]
        return {str(row.key or row.user or row.service or row.scope) for row in found}

    assert len(seen(people.root)) == 6
    assert seen(people.alice) == {"checkout", str(people.keys["checkout-prod"])}
    assert seen(people.bob) == {"bob"}
    assert seen(people.charlie) == {str(people.keys["charlie-notebook"])}
    other = Budget.objects.get(service=people.checkout)
    assert browse(people.charlie).get(f"/ui/budgets/{other.pk}/").status_code == 404
    assert browse(people.alice).get(f"/ui/budgets/{other.pk}/").status_code == 200


def test_a_budget_tells_its_burn_down_its_history_and_whom_it_refused(people: People, browse: Browse) -> None:
    row = budget(5 * DOLLAR, scope="service", service=people.checkout, period="month")
    BudgetSpend.objects.create(budget_id=str(row.pk), period="2020-01", spent_nanodollars=DOLLAR)
    key, now = people.keys["checkout-prod"], clock.now()
    save([make_request(key, now, cost_nanodollars=DOLLAR)])  # not before the budget's first quarter
    refused = make_request(
        key,
        now - timedelta(minutes=1),
        status="refused",
        error_code="budget_exceeded",
        error_detail="The budget of service checkout is used up.",
        cost_nanodollars=None,
        repeated=4,
    )
    other = make_request(
        people.keys["search-prod"], now, status="refused", error_code="budget_exceeded", cost_nanodollars=None
    )
    save([refused, other])
    answer = browse(people.root).get(f"/ui/budgets/{row.pk}/")
    text = answer.content.decode()
    (told,) = answer.context["refused"]
    assert (told.key_id, told.key_name, told.count) == (str(key.pk), "checkout-prod", 4)
    assert "is used up." in text
    assert "search-prod" not in text.split("<main")[1]
    assert "<polyline" in text
    # The scale, and the same as a table: to the limit, in days of the reporting zone.
    chart = answer.context["chart"]
    assert [chart.steps[-1].spent, chart.steps[-1].cost] == [DOLLAR, DOLLAR]
    assert all(f">{mark.label}</text>" in text for mark in (*chart.money, *chart.times))
    assert "limit $10.00" in text


def test_a_budgets_periods_and_its_people_open_their_calls(people: People, browse: Browse) -> None:
    row = budget(DOLLAR, scope="service", service=people.checkout, period="month")
    for period in ("2020-01", "a former kind"):
        BudgetSpend.objects.create(budget_id=str(row.pk), period=period, spent_nanodollars=DOLLAR)
    client = browse(people.root)
    answer = client.get(f"/ui/budgets/{row.pk}/")
    before = {spell.name: spell.link for spell in answer.context["before"]}
    assert set(before) == {"Jan 2020", "a former kind"}
    assert before["a former kind"] == ""
    asked = parse_qs(urlparse(before["Jan 2020"]).query)
    assert asked["service"] == [str(people.checkout.pk)]
    assert asked["since"] == ["2020-01-01T00:00:00+00:00"]
    assert asked["until"] == ["2020-02-01T00:00:00+00:00"]
    each = budget(0, scope="end_user", period="month")
    (state,) = states([each])
    for period in (f"{state.period.key}/ann", f"{state.period.key}/ben", "2020-01/ann"):
        BudgetSpend.objects.create(budget_id=str(each.pk), period=period, spent_nanodollars=DOLLAR)
    answer = client.get(f"/ui/budgets/{each.pk}/")
    links = {found.end_user: parse_qs(urlparse(link).query) for found, link in answer.context["people"]}
    assert {name: asked["end_user"] for name, asked in links.items()} == {"ann": ["ann"], "ben": ["ben"]}
    (past,) = answer.context["before"]
    assert (past.name, past.person) == ("Jan 2020", "ann")
    assert "2 spent some of it" in answer.content.decode()


@pytest.mark.parametrize("scope", ["provider", "deployment"])
def test_a_budget_of_a_name_is_drawn_of_what_has_it(people: People, browse: Browse, scope: str) -> None:
    """Sums know ids; a budget of a provider or a deployment names it."""
    ref = str(clock.uuid7())
    KnownName.objects.create(kind=scope, ref=ref, name="spare")
    ids = {f"{each}_id": ref if each == scope else "other" for each in ("provider", "deployment")}
    now = clock.now()
    save([make_request(people.keys["search-prod"], now - timedelta(seconds=1), cost_nanodollars=7, **ids)])
    save([make_request(people.keys["search-prod"], now - timedelta(seconds=1), cost_nanodollars=9)])
    row = budget(7, scope=scope, target="spare", period="month")
    context = browse(people.root).get(f"/ui/budgets/{row.pk}/").context
    assert context["chart"].steps[-1].spent == 7
    assert f"{scope}=" in context["link"]
    unknown = budget(7, scope=scope, target="nothing has this name", period="month")
    assert browse(people.root).get(f"/ui/budgets/{unknown.pk}/").context["chart"] is None


def test_a_budget_tells_only_refusals_that_were_its_own(people: People, browse: Browse) -> None:
    """Which budget refused a call is kept with it; several cover the same calls."""
    mine, other = (
        budget(DOLLAR, scope="service", service=people.checkout, period=p) for p in ("month", "day")
    )
    refused = make_request(
        people.keys["checkout-prod"],
        clock.now() - timedelta(minutes=1),
        status="refused",
        error_code="budget_exceeded",
        decision={"allowances": [{"id": str(other.pk), "refused": True}, {"id": str(mine.pk)}]},
    )
    save([refused])
    client = browse(people.root)
    assert client.get(f"/ui/budgets/{mine.pk}/").context["refused"] == []
    assert len(client.get(f"/ui/budgets/{other.pk}/").context["refused"]) == 1
    refused.decision = {}  # of a call whose limits were not kept
    refused.save()
    assert len(client.get(f"/ui/budgets/{mine.pk}/").context["refused"]) == 1
    somewhere = budget(DOLLAR, scope="provider", target="openai", period="month")
    assert client.get(f"/ui/budgets/{somewhere.pk}/").context["refused"] == []


@pytest.fixture
def served(people: People) -> Deployment:
    provider = Provider.objects.create(name="openai", kind="openai")
    model = Model.objects.create(name="gpt-5")
    row = Deployment.objects.create(model=model, provider=provider, upstream_model="gpt-5-2025-08-07")
    Price.objects.create(
        provider_kind="openai",
        model="gpt-5-2025-08-07",
        input_nanodollars=1_250_000_000,
        output_nanodollars=10_000_000_000,
    )
    return row


def test_a_deployment_is_told_by_its_calls_and_its_price(
    people: People, browse: Browse, served: Deployment
) -> None:
    now, key = clock.now(), people.keys["checkout-prod"]
    calls = [
        make_request(key, now - timedelta(minutes=n), deployment_id=str(served.pk)) for n in range(1, 10)
    ]
    failed = make_request(key, now - timedelta(minutes=3), deployment_id=str(served.pk), status="error")
    save([*calls, failed])
    answer = browse(people.root).get("/ui/models/")
    ((name, _spend, _link, (card,)),) = answer.context["groups"]
    assert (name, card.tone, card.totals.requests, card.totals.errors) == ("gpt-5", "error", 10, 1)
    assert "$1.25 / $10.00" in answer.content.decode()
    assert browse(people.charlie).get("/ui/models/").context["groups"] == []
    assert len(browse(people.alice).get("/ui/models/").context["groups"]) == 1


def test_a_model_without_a_price_is_not_said_to_cost_nothing(
    people: People, browse: Browse, served: Deployment
) -> None:
    at, ids = clock.now() - timedelta(minutes=1), {"deployment_id": str(served.pk)}
    save([make_request(people.keys["search-lab"], at, cost_nanodollars=None, **ids)])
    answer = browse(people.root).get("/ui/models/")
    ((_name, spend, _link, _cards),) = answer.context["groups"]
    assert spend.is_unpriced
    assert ">unpriced</span></a></div>" in answer.content.decode()
    save([make_request(people.keys["search-lab"], at, cost_nanodollars=7, **ids)])
    answer = browse(people.root).get("/ui/models/")
    ((_name, spend, _link, _cards),) = answer.context["groups"]
    assert (spend.cost_nanodollars, spend.unpriced_requests) == (7, 1)
    assert '$0.000000007<span class="gh-warn-text" title="without a price: 1 call, in no sum">+</span>' in (
        answer.content.decode()
    )


def test_calls_by_an_alias_or_a_wildcard_count_for_the_deployment_that_answered(
    people: People, browse: Browse, served: Deployment
) -> None:
    Model.objects.filter(pk=served.model_id).update(name="gpt-*")
    twin = Deployment.objects.create(model=served.model, provider=served.provider, upstream_model="gpt-*")
    now, key = clock.now(), people.keys["checkout-prod"]
    rows = []
    for asked, deployment, status in (
        ("gpt-5", served, "ok"),
        ("gpt-5-mini", served, "error"),
        ("gpt-5-mini", served, "ok"),
        ("gpt-5", twin, "ok"),
    ):
        fields = {"deployment_id": str(deployment.pk), "model": asked, "status": status}
        rows.append(make_request(key, now - timedelta(minutes=1), **fields))
    save(rows)
    ((name, spend, _link, cards),) = browse(people.root).get("/ui/models/").context["groups"]
    assert name == "gpt-*"
    assert spend.cost_nanodollars == sum(row.cost_nanodollars or 0 for row in rows)
    seen = {card.deployment.pk: (card.totals.requests, card.totals.errors, card.share) for card in cards}
    assert seen == {served.pk: (3, 1, "75\u202f%"), twin.pk: (1, 0, "25\u202f%")}


def test_without_any_call_models_and_prices_praise_nothing(
    people: People, browse: Browse, served: Deployment
) -> None:
    client = browse(people.root)
    text = client.get("/ui/models/").content.decode()
    assert "None of these deployments was called in this range." in text
    assert "does well" not in text
    assert "No provider was called in this range." in client.get("/ui/prices/").content.decode()
    at = clock.now() - timedelta(minutes=2)
    save([make_request(people.keys["search-lab"], at, deployment_id=str(served.pk))])
    assert "does well" in client.get("/ui/models/").content.decode()
    assert "Every call in this range has a price." in client.get("/ui/prices/").content.decode()


def test_what_has_no_price_is_told_with_what_it_was_called_for(
    people: People, browse: Browse, served: Deployment
) -> None:
    save(
        [
            make_request(
                people.keys["search-lab"],
                clock.now() - timedelta(minutes=2),
                model="house-llama",
                cost_nanodollars=None,
            )
        ]
    )
    answer = browse(people.root).get("/ui/prices/")
    assert [line.ids[0] for line, _deployment in answer.context["unpriced"]] == ["house-llama"]
    assert [price.model for price, *_ in answer.context["prices"]] == ["gpt-5-2025-08-07"]
    assert "house-llama" not in browse(people.charlie).get("/ui/prices/").content.decode()
    found = browse(people.root).get("/ui/prices/?q=GPT-5").context["prices"]
    assert [price.model for price, *_ in found] == ["gpt-5-2025-08-07"]


def test_the_overview_says_why_the_spend_changed_and_the_parts_are_the_difference(
    people: People, browse: Browse
) -> None:
    rows = seed_requests(people, 150, 40)
    context = browse(people.root).get("/ui/?range=24h").context
    since = context["selection"].since
    late = sum(row.cost_nanodollars or 0 for row in rows if row.started_at >= since)
    before = sum(
        row.cost_nanodollars or 0 for row in rows if context["selection"].before[0] <= row.started_at < since
    )
    assert context["difference"] == late - before
    assert sum(cause.nanodollars for cause in context["causes"]) == late - before
    assert {label for _name, label, _rows in context["tops"]} == {"model", "service", "user", "key"}


def test_an_ending_budget_is_on_the_overview_of_who_may_see_it(people: People, browse: Browse) -> None:
    save([make_request(people.keys[name], clock.now()) for name in ("checkout-prod", "charlie-notebook")])
    row = budget(9 * DOLLAR, scope="service", service=people.checkout, period="month")
    assert str(row.pk) in browse(people.root).get("/ui/").content.decode()
    assert str(row.pk) in browse(people.alice).get("/ui/").content.decode()
    assert str(row.pk) not in browse(people.charlie).get("/ui/").content.decode()


def test_queries_do_not_depend_on_how_many_budgets_and_deployments_there_are(
    people: People, browse: Browse, served: Deployment
) -> None:
    seed_requests(people, 40, 10)
    client = browse(people.root)
    counts: dict[str, list[int]] = {"/ui/budgets/": [], "/ui/models/": [], "/ui/prices/": [], "/ui/": []}
    for size in (1, 12):
        for number in range(size):
            budget(DOLLAR * number, scope="user", user=people.bob, period="month")
            model = Model.objects.create(name=f"m-{size}-{number}")
            Deployment.objects.create(model=model, provider=served.provider, upstream_model=f"up-{number}")
        for page, found in counts.items():
            client.get(page)
            with CaptureQueriesContext(connection) as queries:
                client.get(page)
            found.append(len(queries))
    assert all(few == many for few, many in counts.values()), counts
    assert all(many <= 40 for _few, many in counts.values()), counts


def test_what_tokens_cost_is_looked_up_as_for_a_call(people: People) -> None:
    """By the provider and its own name of the model, also of one that comes under a wildcard."""
    for kind, output in (("openai", 7), ("anthropic", 9)):
        provider = Provider.objects.create(name=kind, kind=kind)
        served = Model.objects.create(name=f"{kind}/*")
        Deployment.objects.create(model=served, provider=provider, upstream_model="*")
        Price.objects.create(
            provider_kind=kind, model="same-*", input_nanodollars=1, output_nanodollars=output
        )
    assert weights(["openai/same-1", "anthropic/same-1", "unheard-of"]) == {
        "openai/same-1": Weights(1, 1, 7),
        "anthropic/same-1": Weights(1, 1, 9),
    }


@pytest.mark.parametrize("period", ["month", "total"])
def test_a_budget_without_a_rate_says_that_it_is_too_early(
    people: People, browse: Browse, period: str
) -> None:
    row = budget(DOLLAR, scope="global", period=period)  # made just now
    client = browse(people.root)
    words = "too early for a forecast" + (", resets " if period == "month" else "")
    whole, table = (client.get(page).content.decode() for page in (f"/ui/budgets/{row.pk}/", "/ui/budgets/"))
    assert f"has spent $1.00 of $10.00: {words}" in whole and ": ." not in whole and ": ," not in whole
    assert f'data-label="Forecast">{words}' in table
    assert "No budget is used up." in table and "before it resets" not in table


def test_a_budget_in_total_that_lasts_says_how_long_that_is_known(people: People, browse: Browse) -> None:
    row = budget(1, scope="global", period="total")
    Budget.objects.filter(pk=row.pk).update(created_at=clock.now() - timedelta(days=1))
    text = browse(people.root).get(f"/ui/budgets/{row.pk}/").content.decode()
    assert "of $10.00: not used up within 90 days." in text


REFUSES = "it refuses calls that may cost more than is left"


def test_a_budget_that_refused_calls_is_not_said_to_end_soon(people: People, browse: Browse) -> None:
    row = budget(9 * DOLLAR, scope="service", service=people.checkout, period="total")
    Budget.objects.filter(pk=row.pk).update(created_at=clock.now() - timedelta(hours=50))
    client = browse(people.root)
    assert "at this rate it ends" in client.get(f"/ui/budgets/{row.pk}/").content.decode()
    allowance = {"id": str(row.pk), "period": "total", "limit": 10 * DOLLAR, "refused": True}
    refused = make_request(
        people.keys["checkout-prod"],
        clock.now() - timedelta(minutes=1),
        status="refused",
        error_code="budget_exceeded",
        decision={"allowances": [allowance]},
    )
    save([refused])
    page = client.get(f"/ui/budgets/{row.pk}/").content.decode()
    assert f"of $10.00: {REFUSES}." in page and "at this rate it ends" not in page
    table, overview = (client.get(each).content.decode() for each in ("/ui/budgets/", "/ui/"))
    assert "1 budget refuses calls that may cost more than is left." in table
    assert (
        f'data-label="Forecast">{REFUSES}<' in table
        and f'<span class="gh-muted">{REFUSES}</span>' in overview
    )
    BudgetSpend.objects.update(refused_limit_nanodollars=9 * DOLLAR)  # it was raised since
    for page in (f"/ui/budgets/{row.pk}/", "/ui/budgets/", "/ui/"):
        assert REFUSES not in client.get(page).content.decode()


def test_a_budget_that_no_call_fits_into_is_told_to_refuse_them(people: People, browse: Browse) -> None:
    """What a call may cost is more than all of it: nothing is ever spent, and every call is refused."""
    key = people.keys["checkout-test"]
    row = budget(0, scope="key", key=key, period="total")
    budget(3 * DOLLAR, scope="global", period="total")
    allowance = {"id": str(row.pk), "period": "total", "limit": 10 * DOLLAR, "refused": True}
    fields = {"status": "refused", "error_code": "budget_exceeded", "decision": {"allowances": [allowance]}}
    save([make_request(key, clock.now() - timedelta(minutes=1), repeated=703, **fields)])
    client, told = browse(people.root), "703 calls refused in this period"
    page, table, overview, of_key = (
        client.get(each).content.decode()
        for each in (f"/ui/budgets/{row.pk}/", "/ui/budgets/", "/ui/", f"/ui/keys/{key.pk}/")
    )
    for text in (page, table, overview, of_key):
        assert REFUSES in text and told in text
    assert 'class="gh-verdict is-slow"' in page
    assert "1 budget refuses calls that may cost more than is left." in table
    assert "No budget is used up." not in table
    assert client.get("/ui/budgets/").context["states"][0].budget == row


def test_those_that_refuse_calls_stand_first_on_the_overview(people: People, browse: Browse) -> None:
    calm = [budget(85 * DOLLAR // 10, scope="model", target=f"m{n}", period="day") for n in range(5)]
    row = budget(92 * DOLLAR // 10, scope="service", service=people.checkout, period="month")
    allowance = {
        "id": str(row.pk),
        "period": states([row])[0].period.key,
        "limit": 10 * DOLLAR,
        "refused": True,
    }
    fields = {"status": "refused", "error_code": "budget_exceeded", "decision": {"allowances": [allowance]}}
    save([make_request(people.keys["checkout-prod"], clock.now() - timedelta(minutes=1), **fields)])
    first, *others = browse(people.root).get("/ui/").context["budgets"]
    assert first.budget == row and first.refuses
    assert len(others) == 4 and {each.budget.pk for each in others} < {each.pk for each in calm}


def test_a_budget_that_is_all_but_used_up_is_told_to_refuse_calls(people: People, browse: Browse) -> None:
    row = budget(99 * DOLLAR // 10, scope="global", period="total")
    Budget.objects.filter(pk=row.pk).update(created_at=clock.now() - timedelta(hours=5))
    page = browse(people.root).get("/ui/budgets/").content.decode()
    assert "1 budget refuses calls that may cost more than is left." in page
    assert f'data-label="Forecast">{REFUSES}<' in page and "At this rate" not in page
    Budget.objects.filter(pk=row.pk).update(hard=False)  # it only tells
    assert "At this rate" in browse(people.root).get("/ui/budgets/").content.decode()


def test_the_line_of_a_budget_that_was_made_within_a_quarter_ends_at_what_it_has_spent(
    people: People, browse: Browse
) -> None:
    now = clock.now()
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    made = quarter - timedelta(minutes=4)
    key = people.keys["checkout-prod"]
    before, after = made - timedelta(minutes=2), made + timedelta(minutes=2)
    save([make_request(key, at, cost_nanodollars=cost) for at, cost in ((before, DOLLAR), (after, 7))])
    row = budget(7, scope="service", service=people.checkout, period="total")
    Budget.objects.filter(pk=row.pk).update(created_at=made)
    chart = browse(people.root).get(f"/ui/budgets/{row.pk}/").context["chart"]
    assert [chart.steps[-1].spent, sum(step.cost for step in chart.steps)] == [7, 7]


def test_calls_that_a_budget_ended_midway_are_among_those_it_refused(people: People, browse: Browse) -> None:
    """The one that had the least left ended it; soft ones end nothing."""
    roomy, tight, soft = (
        budget(DOLLAR, scope="service", service=people.checkout, period=period, hard=hard)
        for period, hard in (("month", True), ("day", True), ("week", False))
    )
    stood = ((roomy, 0), (tight, 9 * DOLLAR), (soft, 10 * DOLLAR))
    told = [
        {"kind": "budget", "id": str(each.pk), "limit": 10 * DOLLAR, "spent": spent, "hard": each.hard}
        for each, spent in stood
    ]
    at = clock.now() - timedelta(minutes=1)
    cut = {"status": "cancelled", "error_code": "budget_exceeded", "decision": {"allowances": told}}
    gone = {**cut, "error_code": "client_gone"}
    save([make_request(people.keys["checkout-prod"], at, **fields) for fields in (cut, gone)])
    client = browse(people.root)
    counts = [
        [each.count for each in client.get(f"/ui/budgets/{row.pk}/").context["refused"]]
        for row in (roomy, tight, soft)
    ]
    assert counts == [[], [1], []]


@pytest.mark.parametrize(("told", "shown"), [(3, "3 calls"), (2, "2+ calls")])
def test_a_count_that_was_cut_short_says_that_there_are_more(
    people: People, browse: Browse, monkeypatch: pytest.MonkeyPatch, told: int, shown: str
) -> None:
    monkeypatch.setattr("usage_app.budget_calls.TOLD", told)
    row, at = budget(DOLLAR, scope="service", service=people.checkout), clock.now() - timedelta(minutes=1)
    refused = {"status": "refused", "error_code": "budget_exceeded", "cost_nanodollars": None}
    save([make_request(people.keys["checkout-prod"], at, **refused) for _each in range(3)])
    text = browse(people.root).get(f"/ui/budgets/{row.pk}/").content.decode()
    assert f'<span class="is-number">{shown}</span>' in text


def test_the_sandboxs_own_prices_are_on_no_public_list(people: People, browse: Browse) -> None:
    for kind in ("sandbox", "openai"):
        Price.objects.create(provider_kind=kind, model=f"{kind}-1", source="list", input_nanodollars=1)
    text = browse(people.root).get("/ui/prices/?q=-1").content.decode()
    sources = re.findall(r'data-label="Source"><span class="gh-muted">(.*?)</span>', text)
    assert sources == ["Public list", "Sandbox"]
    client = browse(people.root)
    admin = client.get("/admin/usage_app/price/?q=sandbox-1").content.decode()
    assert re.search(r">\s*Sandbox\s*<", admin)
