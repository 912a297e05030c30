"""Corrections of prices: what is shown is what is applied, once, and every sum has it."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from gateway_project.clock import from_ms, now, now_ms, uuid7_at
from keys_app.limits.contract import BudgetDemand, Demand
from keys_app.limits.memory import MemoryStore
from proxy_app.models import Provider
from tests.usage_app.conftest import read_all
from tests.usage_app.views.agreeing import play
from tests.usage_app.workload import CALLER, DEPLOYMENT, PROVIDER, an_end, call_id
from usage_app import corrections, limit_correcting
from usage_app.ledger import Ledger
from usage_app.ledger_audit import budget_differences, check_quarters
from usage_app.limit_correcting import CorrectionTeller
from usage_app.limit_loading import read_standing
from usage_app.models import Adjustment, BudgetSpend, Price, PriceCorrection, Request
from usage_app.pricebook import price_of_row
from usage_app.pricing import cost
from usage_app.records import Adjust, Charge, Tokens
from usage_app.reports import Filters, totals
from usage_app.sight import EVERYTHING

pytestmark = pytest.mark.django_db(transaction=True)

BUDGET = "0190a0b1-0000-7000-8000-000000000001"
CHARGES = (Charge(BUDGET, "2026-11"),)
DOLLAR = 10**9


@pytest.fixture
def provider() -> Provider:
    return Provider.objects.create(id=UUID(PROVIDER), name="openai", kind="openai")


def price(**changes: Any) -> Price:
    fields = {"provider_kind": "openai", "model": "gpt-x", "source": Price.Source.ADMIN}
    fields |= {"input_nanodollars": 2 * DOLLAR, "output_nanodollars": 8 * DOLLAR}
    return Price.objects.create(**fields | changes)


def call(at_ms: int, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "at_ms": at_ms,
        "caller": CALLER,
        "upstream_model": "gpt-x",
        "provider_id": PROVIDER,
        "deployment_id": DEPLOYMENT,
        "tokens": Tokens(input_tokens=1_000, output_tokens=500),
        "cost_nanodollars": None,
        "price_id": "",
        "charges": CHARGES,
    }
    return an_end(call_id(at_ms), **fields | changes)


def ask(of: Price, days: int = 2) -> PriceCorrection:
    return PriceCorrection.objects.create(
        price=of, since=now() - timedelta(days=days), until=now(), asked_by="root"
    )


def journals(folder: Path) -> Path:
    made = folder / "corrections"
    made.mkdir(exist_ok=True)
    return made


def carry_out(correction: PriceCorrection, folder: Path) -> None:
    """Apply, and let the ledger read what was written."""
    PriceCorrection.objects.filter(pk=correction.pk, state="measured").update(state="applying")
    correction.refresh_from_db()
    corrections.apply(correction, journals(folder))
    read(folder)
    corrections.work(journals(folder))
    correction.refresh_from_db()


def read(folder: Path) -> None:
    ledger = Ledger(journals(folder), "here")
    ledger.lock()
    read_all(ledger)
    ledger.unlock()


def differences() -> list[Any]:
    since = now() - timedelta(days=3)
    found = [check_quarters(since, now() + timedelta(hours=1)), *budget_differences()]
    return [each for each in found if not each.is_zero]


def summed() -> Any:
    return totals(now() - timedelta(days=3), now() + timedelta(hours=1), Filters(), EVERYTHING)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "PATIENCE_S", 0.0)


def test_calls_without_a_price_get_one_and_every_sum_has_it(provider: Provider, tmp_path: Path) -> None:
    play(tmp_path, [call(now_ms() - 60_000), call(now_ms() - 50_000)])
    assert summed().unpriced_requests == 2
    correction = ask(price())
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert (correction.state, correction.calls, correction.newly_priced) == ("measured", 2, 2)
    each = 1_000 * 2_000 + 500 * 8_000
    assert correction.difference_nanodollars == 2 * each
    assert not Adjustment.objects.exists()  # shown, not applied
    carry_out(correction, tmp_path)
    assert correction.state == "applied"
    sums = summed()
    assert (sums.cost_nanodollars, sums.unpriced_requests) == (2 * each, 0)
    assert BudgetSpend.objects.get(budget_id=BUDGET).spent_nanodollars == 2 * each
    assert set(Request.objects.values_list("cost_nanodollars", flat=True)) == {None}  # history is as it was
    assert differences() == []


def test_a_price_for_a_tier_corrects_the_calls_that_were_served_in_it_alone(
    provider: Provider, tmp_path: Path
) -> None:
    former = price()
    charged = {"cost_nanodollars": 1_000 * 2_000 + 500 * 8_000, "price_id": str(former.pk)}
    fast = call(now_ms() - 60_000, decision={"service_tier": "priority"}, **charged)
    play(tmp_path, [fast, call(now_ms() - 50_000, **charged)])
    correction = ask(price(service_tier="priority", input_nanodollars=4 * DOLLAR))
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert (correction.calls, correction.difference_nanodollars) == (1, 1_000 * 2_000)


def test_a_price_corrects_the_calls_that_its_model_answered_in_place_of_another(
    provider: Provider, tmp_path: Path
) -> None:
    asked, former = price(), price(model="another", input_nanodollars=3 * DOLLAR)
    charged = {"cost_nanodollars": 1_000 * 3_000 + 500 * 8_000, "price_id": str(former.pk)}
    there = call(now_ms() - 60_000, decision={"answered_by": "another"}, **charged)
    usual = {"cost_nanodollars": 1_000 * 2_000 + 500 * 8_000, "price_id": str(asked.pk)}
    play(tmp_path, [there, call(now_ms() - 50_000, **usual)])
    former.is_enabled = False
    former.save()
    correction = ask(price(model="another", input_nanodollars=4 * DOLLAR))
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert (correction.calls, correction.difference_nanodollars) == (1, 1_000 * 1_000)


def test_a_wrong_price_is_corrected_by_the_difference_both_ways(provider: Provider, tmp_path: Path) -> None:
    wrong = price(input_nanodollars=5 * DOLLAR)
    charged = 1_000 * 5_000 + 500 * 8_000
    play(tmp_path, [call(now_ms() - 60_000, price_id=str(wrong.pk), cost_nanodollars=charged)])
    wrong.is_enabled = False
    wrong.save()
    right = price()
    first = ask(right)
    corrections.work(journals(tmp_path))
    first.refresh_from_db()
    assert first.difference_nanodollars == -3_000_000
    carry_out(first, tmp_path)
    assert summed().cost_nanodollars == charged - 3_000_000
    Price.objects.filter(pk=right.pk).update(is_enabled=False)
    dearer = price(input_nanodollars=7 * DOLLAR)
    again = ask(dearer)
    # The call was charged at a price that is off, and this one holds for it now.
    corrections.work(journals(tmp_path))
    again.refresh_from_db()
    assert again.difference_nanodollars == 5_000_000
    carry_out(again, tmp_path)
    assert summed().cost_nanodollars == 1_000 * 7_000 + 500 * 8_000
    assert differences() == []


def test_applied_twice_and_after_a_kill_it_counts_once(provider: Provider, tmp_path: Path) -> None:
    play(tmp_path, [call(now_ms() - 60_000 + n) for n in range(5)])
    correction = ask(price())
    corrections.work(journals(tmp_path))
    PriceCorrection.objects.filter(pk=correction.pk).update(state="writing")
    correction.refresh_from_db()
    corrections.apply(correction, journals(tmp_path))  # and nobody has read it yet
    assert PriceCorrection.objects.get(pk=correction.pk).state == "writing"
    corrections.apply(correction, journals(tmp_path))  # begun anew after a kill
    read(tmp_path)
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert correction.state == "applied"
    assert Adjustment.objects.count() == 5
    assert summed().cost_nanodollars == correction.difference_nanodollars
    assert summed().unpriced_requests == 0
    later = ask(correction.price)
    corrections.work(journals(tmp_path))
    later.refresh_from_db()
    assert (later.calls, later.difference_nanodollars) == (0, 0)
    assert differences() == []


def test_what_has_changed_since_it_was_shown_is_shown_again_and_not_applied(
    provider: Provider, tmp_path: Path
) -> None:
    play(tmp_path, [call(now_ms() - 60_000)])
    of = price()
    correction = ask(of)
    corrections.work(journals(tmp_path))
    Price.objects.filter(pk=of.pk).update(input_nanodollars=3 * DOLLAR)
    PriceCorrection.objects.filter(pk=correction.pk).update(state="applying")
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert (correction.state, correction.error) == ("measured", corrections.CHANGED)
    assert correction.difference_nanodollars == 1_000 * 3_000 + 500 * 8_000
    assert list(journals(tmp_path).iterdir()) == []


def test_what_cannot_be_told_exactly_is_left_out_and_counted(provider: Provider, tmp_path: Path) -> None:
    of = price()
    exact = 1_000 * 2_000 + 500 * 8_000
    at_ms = now_ms() - 60_000
    batch = call(at_ms)
    play(
        tmp_path,
        [
            batch,
            Adjust(batch.id, at_ms, "batch", 77),
            call(at_ms + 1, price_id=str(of.pk), cost_nanodollars=exact + 5),  # an attempt before it
            call(at_ms + 2, tokens=Tokens()),
            call(at_ms + 3, status="error", usage_source="none", tokens=Tokens()),  # cost nothing
            call(at_ms + 4, upstream_model="another"),
            call(at_ms + 5, price_id=str(of.pk), cost_nanodollars=exact),  # right as it is
        ],
    )
    correction = ask(of)
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert correction.calls == 0
    assert correction.effect["left_out"] == {"later": 1, "attempts": 1, "usage": 1}


def test_calls_outside_of_the_range_stay_as_they_are(provider: Provider, tmp_path: Path) -> None:
    old_ms = now_ms() - 5 * 86_400_000
    play(tmp_path, [call(old_ms), call(now_ms() - 60_000)])
    correction = ask(price(), days=1)
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    assert correction.calls == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_effect_is_what_it_comes_to_to_the_nanodollar(
    provider: Provider, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    former = price(input_nanodollars=dice.randrange(10**10), valid_until=from_ms(now_ms()))
    compiled = price_of_row(str(former.pk))
    assert compiled is not None
    ends = []
    for number in range(60):
        tokens = Tokens(input_tokens=dice.randrange(9_999), output_tokens=dice.randrange(9_999))
        charged = None
        if dice.random() < 0.6:
            charged = cost(compiled, tokens)
        has = {"price_id": str(former.pk), "cost_nanodollars": charged} if charged is not None else {}
        ends.append(call(now_ms() - 3_600_000 + number * 1000, tokens=tokens, **has))
    play(tmp_path, ends)
    Price.objects.filter(pk=former.pk).update(is_enabled=False)
    before = summed()
    correction = ask(
        price(input_nanodollars=dice.randrange(10**10), output_nanodollars=dice.randrange(10**10))
    )
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    carry_out(correction, tmp_path)
    after = summed()
    assert after.cost_nanodollars - before.cost_nanodollars == correction.difference_nanodollars
    assert before.unpriced_requests - after.unpriced_requests == correction.newly_priced
    assert sum(line[6] for line in correction.effect["lines"]) == correction.difference_nanodollars
    [[_, _, charged]] = correction.effect["budgets"]
    assert charged == correction.difference_nanodollars
    assert differences() == []


@pytest.fixture
def over_the_tests_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def here(function: Any, *arguments: Any) -> Any:
        return await sync_to_async(function)(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", here)


@sync_to_async
def entry(amount: int = 7, cause: str = "price:1", **changes: Any) -> Adjustment:
    charges = [{"budget_id": BUDGET, "period": "2026-11"}]
    fields = {"request_id": UUID(call_id()), "at": now(), "charges": charges} | changes
    return Adjustment.objects.create(cause=cause, cost_nanodollars=amount, **fields)


async def spent(store: MemoryStore) -> int:
    demand = Demand((BudgetDemand(BUDGET, "2026-11", 1_000, True, "key", "a key", "month", "UTC", None),), ())
    [state] = await store.state(demand, now_ms())
    return state.spent


@pytest.mark.usefixtures("over_the_tests_connection")
async def test_the_limits_hear_of_each_once_whatever_the_order_in_which_they_come(tmp_path: Path) -> None:
    store = MemoryStore()
    await entry(5)
    await sync_to_async(BudgetSpend.objects.create)(
        budget_id=BUDGET, period="2026-11", spent_nanodollars=5, requests=1
    )
    spend, holds, adjusted, teller = await sync_to_async(read_standing)(tmp_path)
    await store.load(spend, holds, adjusted)
    await teller.tell(store)
    assert await spent(store) == 5  # it was counted already
    await entry()
    await entry(100, "batch", charges=[])
    for _ in range(2):
        await teller.tell(store)
    assert await spent(store) == 12
    await entry(9, id=uuid7_at(now_ms() - 20_000, 1))  # the clock stepped back, or it came late
    await teller.tell(store)
    assert await spent(store) == 21


@pytest.mark.usefixtures("over_the_tests_connection")
async def test_what_nobody_lived_to_tell_is_told_by_the_next_and_what_many_tell_counts_once() -> None:
    store = MemoryStore()
    await store.load({}, [])
    made = now_ms() - 3_600_000
    for number in range(3):
        await entry(id=uuid7_at(made + number), at=from_ms(made))
    for _ in range(2):  # two processes that share the counters, and loaded none of them
        await CorrectionTeller().tell(store)
    assert await spent(store) == 21


@pytest.mark.usefixtures("over_the_tests_connection")
async def test_more_than_a_round_and_a_store_that_is_away_lose_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limit_correcting, "ENTRIES_A_ROUND", 4)
    monkeypatch.setattr(limit_correcting, "AT_ONCE", 2)
    store, teller = MemoryStore(), CorrectionTeller()
    await store.load({}, [])
    made = now_ms() - 3_600_000
    for number in range(10):
        await entry(id=uuid7_at(made + number), at=from_ms(made))
    told, adjust = 0, store.adjust

    async def away_at_times(cause_id: str, charges: Any, nanodollars: int) -> bool:
        nonlocal told
        told += 1
        return told % 3 != 0 and await adjust(cause_id, charges, nanodollars)

    monkeypatch.setattr(store, "adjust", away_at_times)
    for _ in range(12):
        await teller.tell(store)
    assert await spent(store) == 70


def test_the_second_of_two_is_computed_when_the_ledger_has_the_first(
    provider: Provider, tmp_path: Path
) -> None:
    play(tmp_path, [call(now_ms() - 60_000)])
    of = price()
    first, second = sorted((ask(of), ask(of)), key=lambda each: each.pk)  # perhaps of one millisecond
    corrections.work(journals(tmp_path))
    PriceCorrection.objects.update(state="applying")  # both were shown the whole difference
    corrections.work(journals(tmp_path))
    states = list(PriceCorrection.objects.order_by("id").values_list("state", flat=True))
    assert states == ["writing", "applying"]
    corrections.work(journals(tmp_path))  # nobody has read it yet
    read(tmp_path)
    corrections.work(journals(tmp_path))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, second.calls) == ("applied", "measured", 0)
    assert summed().cost_nanodollars == first.difference_nanodollars
    assert differences() == []


def test_lines_that_are_not_listed_are_summed(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "MOST_LINES", 1)
    cheap = Tokens(input_tokens=1)
    play(
        tmp_path,
        [call(now_ms() - 60_000), *(call(now_ms() - 50_000, model=f"m{n}", tokens=cheap) for n in range(3))],
    )
    correction = ask(price())
    corrections.work(journals(tmp_path))
    correction.refresh_from_db()
    [[*_, calls, charged, largest]] = correction.effect["lines"]
    assert (calls, charged) == (1, 0)
    assert correction.effect["rest"] == [3, 3, 0, 6_000]
    assert largest + 6_000 == correction.difference_nanodollars
