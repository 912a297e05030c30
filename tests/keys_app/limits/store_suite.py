"""What every limit store must do; one subclass for each home."""

import asyncio

import pytest

from gateway_project.errors import BudgetExceeded, LimitsUnavailable, RateLimited
from keys_app.limits import NO_DEMAND, UNLIMITED, Demand, LimitStore, OpenHold, RateDemand
from keys_app.limits.allowances import granted
from tests.keys_app.limits.demands import NOW, RESETS_AT, budget, demand, rate


async def spent_and_held(store: LimitStore, wanted: Demand) -> list[tuple[int, int]]:
    return [(state.spent, state.held) for state in await store.state(wanted, NOW)]


async def admitted(store: LimitStore, wanted: Demand, count: int, amount: int, at_ms: int, name: str) -> int:
    """How many of `count` calls at once are admitted."""

    async def one(number: int) -> bool:
        try:
            await store.reserve(f"{name}{number}", wanted, amount, 1, at_ms)
        except (BudgetExceeded, RateLimited):
            return False
        return True

    return sum(await asyncio.gather(*(one(number) for number in range(count))))


class StoreSuite:
    """Subclasses give `store`: loaded and empty, and `fresh_store`: not loaded yet."""

    async def test_nothing_limited_costs_nothing(self, store: LimitStore) -> None:
        assert await store.reserve("c", NO_DEMAND, 500, 1, NOW) is UNLIMITED

    async def test_a_store_that_is_not_loaded_refuses_limited_calls_only(
        self, fresh_store: LimitStore
    ) -> None:
        assert fresh_store.needs_load
        assert await fresh_store.reserve("free", NO_DEMAND, 1, 1, NOW) is UNLIMITED
        with pytest.raises(LimitsUnavailable):
            await fresh_store.reserve("limited", demand(budget()), 1, 1, NOW)

    async def test_a_hold_becomes_the_true_cost(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000), budget("b2", limit=5000))
        grant = await store.reserve("c", wanted, 400, 10, NOW)
        assert grant.held_nanodollars == 400
        assert await spent_and_held(store, wanted) == [(0, 400), (0, 400)]
        assert await store.settle("c", 123, 10, NOW)
        assert await spent_and_held(store, wanted) == [(123, 0), (123, 0)]

    async def test_settling_twice_or_an_unknown_call_changes_nothing(self, store: LimitStore) -> None:
        wanted = demand(budget(), rate(tokens=1000))
        await store.reserve("c", wanted, 400, 10, NOW)
        await store.settle("c", 123, 10, NOW)
        before = await store.state(wanted, NOW)
        assert await store.settle("c", 123, 10, NOW)
        assert await store.settle("never-heard-of", 999, 10, NOW)
        assert await store.state(wanted, NOW) == before

    async def test_a_reserve_repeated_counts_once(self, store: LimitStore) -> None:
        wanted = demand(budget(), rate(requests=5))
        await store.reserve("c", wanted, 400, 10, NOW)
        await store.reserve("c", wanted, 300, 10, NOW)
        states = await store.state(wanted, NOW)
        assert [(state.kind, state.spent, state.held) for state in states] == [
            ("budget", 0, 400),
            ("requests", 1, 0),
        ]

    async def test_a_fallback_adds_its_levels_and_raises_the_hold(self, store: LimitStore) -> None:
        first = demand(budget("key", 1000))
        second = demand(budget("key", 1000), budget("provider", 1000), rate("other", requests=1))
        await store.reserve("c", first, 100, 10, NOW)
        await store.reserve("c", second, 250, 10, NOW)
        assert (await spent_and_held(store, second))[:2] == [(0, 250), (0, 250)]
        await store.settle("c", 200, 10, NOW)
        assert (await spent_and_held(store, second))[:2] == [(200, 0), (200, 0)]

    async def test_a_fallback_that_does_not_fit_leaves_the_first_hold(self, store: LimitStore) -> None:
        second = demand(budget("key", 1000), budget("provider", 50))
        await store.reserve("c", demand(budget("key", 1000)), 100, 10, NOW)
        with pytest.raises(BudgetExceeded):
            await store.reserve("c", second, 100, 10, NOW)
        assert await spent_and_held(store, second) == [(0, 100), (0, 0)]

    async def test_charges_narrow_what_the_cost_counts_for(self, store: LimitStore) -> None:
        wanted = demand(budget("served"), budget("not-served"))
        await store.reserve("c", wanted, 100, 10, NOW)
        await store.settle("c", 90, 10, NOW, charges=[("served", "2026-11")])
        assert await spent_and_held(store, wanted) == [(90, 0), (0, 0)]

    async def test_fifty_at_once_cannot_pass_a_budget_of_ten(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000))
        assert await admitted(store, wanted, 50, 100, NOW, "c") == 10

    async def test_one_level_without_room_takes_nothing_from_the_others(self, store: LimitStore) -> None:
        roomy, tight = demand(budget("roomy", 10_000), rate(requests=10)), demand(budget("tight", 10))
        both = demand(*roomy.budgets, *tight.budgets, *roomy.rates)
        with pytest.raises(BudgetExceeded):
            await store.reserve("c", both, 100, 10, NOW)
        assert await spent_and_held(store, roomy) == [(0, 0), (0, 0)]

    async def test_a_spent_budget_says_which_how_much_and_when(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1_000_000_000, name="service search"))
        await store.reserve("c", wanted, 10, 1, NOW)
        await store.settle("c", 1_000_000_000, 1, NOW)
        with pytest.raises(BudgetExceeded) as refused:
            await store.reserve("d", wanted, 10, 1, NOW)
        assert refused.value.detail == (
            "The monthly budget of service search is used up: $1 of $1 spent. "
            "It resets at 2026-11-18 12:06 (UTC)."
        )
        assert refused.value.headers == {
            "x-should-retry": "false",
            "x-gatehouse-resets-at": "2026-11-18T12:06:40Z",
        }
        assert refused.value.retry_after_s is None
        assert RESETS_AT == 1_795_003_600_000

    async def test_a_refusal_by_holds_alone_says_so_and_may_be_retried(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000))
        await store.reserve("a", wanted, 600, 1, NOW)
        await store.reserve("b", wanted, 300, 1, NOW)
        with pytest.raises(BudgetExceeded) as refused:
            await store.reserve("c", wanted, 200, 1, NOW)
        assert "held by 2 calls in flight" in refused.value.detail
        assert refused.value.retry_after_s is not None
        assert "x-should-retry" not in refused.value.headers

    async def test_a_call_larger_than_what_is_left_is_told_so(self, store: LimitStore) -> None:
        with pytest.raises(BudgetExceeded, match="does not cover this call"):
            await store.reserve("c", demand(budget(limit=100)), 101, 1, NOW)

    async def test_what_costs_nothing_passes_a_spent_budget(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=100))
        await store.reserve("c", wanted, 100, 1, NOW)
        await store.settle("c", 150, 1, NOW)
        await store.reserve("free", wanted, 0, 1, NOW)

    async def test_a_soft_budget_counts_and_never_refuses(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=10, hard=False))
        await store.reserve("c", wanted, 100, 1, NOW)
        await store.settle("c", 90, 1, NOW)
        await store.reserve("d", wanted, 100, 1, NOW)
        assert await spent_and_held(store, wanted) == [(90, 100)]
        assert await store.left(wanted) is None

    async def test_a_new_period_starts_at_nothing_and_the_old_one_stays(self, store: LimitStore) -> None:
        november, december = demand(budget(limit=100)), demand(budget(limit=100, period="2026-12"))
        await store.reserve("a", november, 100, 1, NOW)
        await store.reserve("b", december, 100, 1, NOW)
        await store.settle("a", 90, 1, NOW)  # across the boundary: charged where it was admitted
        assert await spent_and_held(store, november) == [(90, 0)]
        assert await spent_and_held(store, december) == [(0, 100)]

    async def test_a_stream_tops_up_until_the_budget_ends(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=250))
        await store.reserve("c", wanted, 100, 1, NOW)
        assert await store.top_up("c", 100)
        assert not await store.top_up("c", 100)
        assert await spent_and_held(store, wanted) == [(0, 200)]
        await store.settle("c", 220, 1, NOW)
        assert await spent_and_held(store, wanted) == [(220, 0)]

    async def test_topping_up_what_nothing_limits_is_fine(self, store: LimitStore) -> None:
        assert await store.top_up("unlimited", 10**12)

    async def test_ten_a_minute_means_ten_in_any_minute(self, store: LimitStore) -> None:
        wanted = demand(rate(requests=10))
        assert await admitted(store, wanted, 100, 0, NOW + 50_000, "a") == 10
        assert await admitted(store, wanted, 100, 0, NOW + 60_500, "b") == 0  # no second burst
        assert await admitted(store, wanted, 100, 0, NOW + 109_999, "c") == 0
        assert await admitted(store, wanted, 100, 0, NOW + 110_000, "d") == 10

    async def test_requests_close_together_count_a_whole_minute_each(self, store: LimitStore) -> None:
        wanted = demand(rate(requests=2))
        await store.reserve("a", wanted, 0, 1, NOW)
        await store.reserve("b", wanted, 0, 1, NOW + 90)
        with pytest.raises(RateLimited):
            await store.reserve("c", wanted, 0, 1, NOW + 60_001)
        await store.reserve("c", wanted, 0, 1, NOW + 60_090)

    async def test_the_wait_of_a_rate_refusal_is_true(self, store: LimitStore) -> None:
        wanted = demand(rate(requests=2))
        await store.reserve("a", wanted, 0, 1, NOW)
        await store.reserve("b", wanted, 0, 1, NOW + 20_000)
        with pytest.raises(RateLimited) as refused:
            await store.reserve("c", wanted, 0, 1, NOW + 30_000)
        assert refused.value.retry_after_s == 30.0
        assert refused.value.detail == "The limit of 2 requests a minute of this key is reached."
        assert refused.value.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(RateLimited):
            await store.reserve("c", wanted, 0, 1, NOW + 59_999)
        await store.reserve("c", wanted, 0, 1, NOW + 60_000)

    async def test_a_refused_call_does_not_count(self, store: LimitStore) -> None:
        wanted = demand(rate(requests=1))
        await store.reserve("a", wanted, 0, 1, NOW)
        for number in range(5):
            with pytest.raises(RateLimited):
                await store.reserve(f"refused{number}", wanted, 0, 1, NOW + 1000)
        await store.reserve("b", wanted, 0, 1, NOW + 60_000)

    async def test_tokens_a_minute_follow_the_true_count(self, store: LimitStore) -> None:
        wanted = demand(rate(tokens=1000))
        await store.reserve("a", wanted, 0, 900, NOW)
        with pytest.raises(RateLimited) as refused:
            await store.reserve("b", wanted, 0, 200, NOW + 1000)
        assert refused.value.retry_after_s == 59.0
        assert refused.value.headers["x-ratelimit-remaining-tokens"] == "100"
        await store.settle("a", 0, 300, NOW + 2000)
        grant = await store.reserve("b", wanted, 0, 200, NOW + 3000)
        assert grant.headers["x-ratelimit-remaining-tokens"] == "500"

    async def test_a_call_larger_than_the_token_limit_passes_alone(self, store: LimitStore) -> None:
        wanted = demand(rate(tokens=1000))
        await store.reserve("large", wanted, 0, 5000, NOW)
        with pytest.raises(RateLimited):
            await store.reserve("small", wanted, 0, 1, NOW + 1000)
        await store.reserve("small", wanted, 0, 1, NOW + 60_000)

    async def test_tokens_settled_after_their_minute_change_nothing(self, store: LimitStore) -> None:
        wanted = demand(rate(tokens=1000))
        await store.reserve("a", wanted, 0, 500, NOW)
        await store.reserve("b", wanted, 0, 10, NOW + 70_000)
        await store.settle("a", 0, 5000, NOW + 80_000)
        state = (await store.state(wanted, NOW + 80_000))[0]
        assert state.spent == 10

    async def test_calls_at_once_are_leases(self, store: LimitStore) -> None:
        wanted = demand(rate(parallel=2))
        await store.reserve("a", wanted, 0, 1, NOW)
        await store.reserve("b", wanted, 0, 1, NOW)
        with pytest.raises(RateLimited, match="This key may have 2 calls open at once"):
            await store.reserve("c", wanted, 0, 1, NOW + 3_600_000)
        await store.settle("a", 0, 1, NOW)
        await store.settle("a", 0, 1, NOW)
        await store.reserve("c", wanted, 0, 1, NOW)
        with pytest.raises(RateLimited):
            await store.reserve("d", wanted, 0, 1, NOW)

    async def test_a_grant_tells_how_each_level_stood(self, store: LimitStore) -> None:
        hard, soft = budget(limit=1000), budget("soft", 10, hard=False)
        wanted = demand(hard, soft, rate(requests=9, tokens=500, parallel=4))
        await store.reserve("a", wanted, 100, 7, NOW)
        await store.settle("a", 30, 7, NOW)
        await store.reserve("b", wanted, 200, 20, NOW)
        grant = await store.reserve("c", wanted, 50, 3, NOW + 20)
        assert list(grant.budgets) == [(30, 200), (30, 200)]  # before it; its own hold apart
        assert grant.rates[0][:2] == (3, 30)  # with it counted in
        told = [each for _name, each in granted(wanted, grant)]
        assert [(each.kind, each.spent, each.held, each.hold) for each in told[:2]] == [
            ("budget", 30, 200, 50)
        ] * 2
        assert [(each.kind, each.limit, each.left, each.reset_ms) for each in told[2:]] == [
            ("requests", 9, 6, 60_000),
            ("tokens", 500, 470, 60_000),
            ("parallel", 4, 2, None),
        ]

    async def test_a_grant_of_a_fallback_tells_what_others_hold(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000), rate(parallel=4))
        await store.reserve("a", wanted, 300, 1, NOW)
        await store.reserve("c", wanted, 50, 1, NOW)
        more = demand(budget(limit=1000), budget("model", 1000), rate(parallel=4))
        grant = await store.reserve("c", more, 80, 1, NOW)
        assert list(grant.budgets) == [(0, 300), (0, 0)]
        assert [each.left for _name, each in granted(more, grant) if each.kind == "parallel"] == [2]

    async def test_a_refusal_carries_the_level_as_it_stood(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000, name="service search"), rate(requests=2, tokens=50))
        await store.reserve("a", wanted, 600, 10, NOW)
        with pytest.raises(BudgetExceeded) as dear:
            await store.reserve("b", wanted, 500, 1, NOW)
        told = dear.value.allowance
        assert (told.refused, told.id, told.period) == (True, "b1", "2026-11")
        assert (told.limit, told.spent, told.held, told.hold, told.asked) == (1000, 0, 600, None, 500)
        with pytest.raises(RateLimited) as long:
            await store.reserve("b", wanted, 1, 45, NOW + 1000)
        told = long.value.allowance
        assert (told.kind, told.limit, told.left, told.asked, told.reset_ms) == ("tokens", 50, 40, 45, 59_000)
        await store.reserve("b", wanted, 1, 5, NOW + 1000)
        with pytest.raises(RateLimited) as many:
            await store.reserve("c", wanted, 1, 5, NOW + 1000)
        assert (many.value.allowance.kind, many.value.allowance.left) == ("requests", 0)
        with pytest.raises(RateLimited) as busy:
            await store.reserve("d", demand(rate("p", parallel=0)), 1, 5, NOW)
        assert (busy.value.allowance.kind, busy.value.allowance.limit) == ("parallel", 0)

    async def test_the_headers_show_the_tightest_level(self, store: LimitStore) -> None:
        wanted = demand(rate("wide", requests=100), rate("tight", requests=3, name="service search"))
        grant = await store.reserve("a", wanted, 0, 1, NOW)
        assert grant.headers == {
            "x-ratelimit-limit-requests": "3",
            "x-ratelimit-remaining-requests": "2",
            "x-ratelimit-reset-requests": "60s",
        }

    async def test_the_state_says_what_binds_first(self, store: LimitStore) -> None:
        wanted = demand(budget("large", 1000), budget("small", 300), rate(requests=9, parallel=4))
        await store.reserve("a", wanted, 100, 1, NOW)
        states = {(state.kind, state.id): state for state in await store.state(wanted, NOW)}
        assert states["budget", "small"].binds_first
        assert not states["budget", "large"].binds_first
        assert states["budget", "small"].left == 200
        assert states["budget", "small"].calls_in_flight == 1
        assert (states["requests", "r1"].left, states["parallel", "r1"].left) == (8, 3)
        assert await store.left(wanted) == 200

    async def test_counters_start_at_the_ledgers_sums_and_the_open_calls(
        self, fresh_store: LimitStore
    ) -> None:
        store, wanted = fresh_store, demand(budget(limit=1000))
        key = ("b1", "2026-11")
        await store.load({key: 700}, [OpenHold("dead", (key,), 200, NOW)])
        assert not store.needs_load
        assert await spent_and_held(store, wanted) == [(700, 200)]
        with pytest.raises(BudgetExceeded):
            await store.reserve("c", wanted, 101, 1, NOW)
        assert await store.open_calls(NOW + 1) == ("dead",)
        await store.settle("dead", 50, 1, NOW)  # its fate is in the ledger
        assert await spent_and_held(store, wanted) == [(750, 0)]
        assert await store.open_calls(NOW + 1) == ()

    async def test_a_later_cost_counts_once_for_each_cause(self, store: LimitStore) -> None:
        wanted = demand(budget())
        for _ in range(2):
            assert await store.adjust("call-1/late", wanted.charges, 40)
        assert await spent_and_held(store, wanted) == [(40, 0)]

    async def test_what_a_later_cost_may_be_stays_held_until_it_is_told(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000), budget("b2", 5000), rate(requests=1, parallel=1))
        await store.reserve("c", wanted, 600, 10, NOW)
        for _ in range(2):
            assert await store.settle("c", 0, 0, NOW, later="c/batch")
        assert await spent_and_held(store, wanted) == [(0, 600), (0, 600), (1, 0), (0, 0)]
        assert await store.open_calls(NOW + 1) == ("c/batch",)
        with pytest.raises(BudgetExceeded, match="held by 1 call in flight"):
            await store.reserve("d", demand(budget(limit=1000)), 500, 1, NOW)
        for _ in range(2):
            assert await store.adjust("c/batch", wanted.charges, 250)
        assert (await spent_and_held(store, wanted))[:2] == [(250, 0), (250, 0)]
        assert await store.open_calls(NOW + 1) == ()
        await store.reserve("d", demand(budget(limit=1000)), 500, 1, NOW)

    async def test_what_is_held_for_a_cost_that_never_comes_is_let_go_once(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000))
        await store.reserve("c", wanted, 600, 10, NOW)
        await store.settle("c", 0, 0, NOW, later="c/batch")
        await store.reserve("d", wanted, 300, 10, NOW)
        for _ in range(2):
            assert await store.settle("c/batch", 0, 0, NOW)
        assert await spent_and_held(store, wanted) == [(0, 300)]
        assert await store.adjust("c/batch", wanted.charges, 250)  # it came after all
        assert await spent_and_held(store, wanted) == [(250, 300)]

    @pytest.mark.parametrize("is_loaded", [False, True], ids=["settled", "loaded"])
    async def test_nobody_is_told_to_wait_seconds_for_what_a_batch_holds_for_hours(
        self, fresh_store: LimitStore, is_loaded: bool
    ) -> None:
        store, wanted = fresh_store, demand(budget(limit=1000))
        held = OpenHold("c/batch", wanted.charges, 600, NOW, is_later=True)
        await store.load({}, [held] if is_loaded else [])
        if not is_loaded:
            await store.reserve("c", wanted, 600, 10, NOW)
            await store.settle("c", 0, 0, NOW, later="c/batch")
        await store.reserve("d", wanted, 300, 1, NOW)
        with pytest.raises(BudgetExceeded, match="of it until batches are done") as hours:
            await store.reserve("e", wanted, 500, 1, NOW)
        assert hours.value.retry_after_s is None and hours.value.headers["x-should-retry"] == "false"
        assert "x-gatehouse-resets-at" in hours.value.headers
        with pytest.raises(BudgetExceeded, match="held by 2 calls in flight") as seconds:
            await store.reserve("e", wanted, 200, 1, NOW)  # once the call beside it is over
        assert seconds.value.retry_after_s is not None
        await store.adjust("c/batch", wanted.charges, 100)
        await store.settle("d", 300, 1, NOW)
        with pytest.raises(BudgetExceeded, match="held by 1 call in flight") as alone:
            await store.reserve("f", wanted, 500, 1, NOW)
            await store.reserve("e", wanted, 500, 1, NOW)
        assert alone.value.retry_after_s is not None

    async def test_only_budgets_that_the_later_cost_counts_for_go_on_holding(self, store: LimitStore) -> None:
        wanted = demand(budget("served"), budget("not-served"))
        await store.reserve("c", wanted, 100, 10, NOW)
        await store.settle("c", 5, 10, NOW, charges=[("served", "2026-11")], later="c/batch")
        assert await spent_and_held(store, wanted) == [(5, 100), (0, 0)]

    async def test_a_later_cost_that_is_told_before_its_call_ends_leaves_nothing_held(
        self, store: LimitStore
    ) -> None:
        wanted = demand(budget())
        await store.reserve("c", wanted, 100, 10, NOW)
        await store.adjust("c/batch", wanted.charges, 40)
        await store.settle("c", 0, 0, NOW, later="c/batch")
        assert await spent_and_held(store, wanted) == [(40, 0)]

    async def test_a_fresh_store_holds_later_costs_and_knows_those_already_counted(
        self, fresh_store: LimitStore
    ) -> None:
        store, wanted = fresh_store, demand(budget())
        pairs = wanted.charges
        await store.load({pairs[0]: 70}, [OpenHold("c/batch", pairs, 200, NOW)], ["told/batch"])
        await store.adjust("told/batch", pairs, 70)
        assert await spent_and_held(store, wanted) == [(70, 200)]
        await store.settle("c", 0, 0, NOW, later="c/batch")  # its worker, after the load
        assert await spent_and_held(store, wanted) == [(70, 200)]
        await store.adjust("c/batch", pairs, 150)
        assert await spent_and_held(store, wanted) == [(220, 0)]

    async def test_large_sums_stay_exact(self, store: LimitStore) -> None:
        cost = 9_007_199_254_740_993  # one more than a double can tell apart
        wanted = demand(budget(limit=9_200_000_000_000_000_000))
        await store.reserve("c", wanted, 1, 1, NOW)
        await store.settle("c", cost, 1, NOW)
        assert await spent_and_held(store, wanted) == [(cost, 0)]

    async def test_where_less_is_left_it_is_held_as_long_as_it_is_worth_a_call(
        self, store: LimitStore
    ) -> None:
        wanted = demand(budget(limit=1000), budget("b2", limit=700))
        first = await store.reserve("a", wanted, 400, 1, NOW, least=100)
        second = await store.reserve("b", wanted, 400, 1, NOW, least=100)
        assert (first.held_nanodollars, second.held_nanodollars) == (400, 300)
        assert await spent_and_held(store, wanted) == [(0, 700), (0, 700)]
        with pytest.raises(BudgetExceeded):
            await store.reserve("c", wanted, 400, 1, NOW, least=100)
        await store.settle("a", 350, 1, NOW)
        with pytest.raises(BudgetExceeded):
            await store.reserve("d", wanted, 400, 1, NOW, least=100)  # 50 are left
        third = await store.reserve("e", wanted, 400, 1, NOW, least=50)
        assert third.held_nanodollars == 50
        for call, cost in (("b", 300), ("e", 50)):
            await store.settle(call, cost, 1, NOW)
        assert await spent_and_held(store, wanted) == [(700, 0), (700, 0)]

    async def test_a_repeated_reserve_gets_no_less_than_it_holds(self, store: LimitStore) -> None:
        wanted = demand(budget(limit=1000))
        await store.reserve("a", wanted, 600, 1, NOW, least=100)
        await store.reserve("b", wanted, 400, 1, NOW)
        again = await store.reserve("a", wanted, 900, 1, NOW, least=100)
        assert again.held_nanodollars == 600
        assert await spent_and_held(store, wanted) == [(0, 1000)]

    async def test_fifty_at_once_are_not_refused_while_anything_worth_a_call_is_left(
        self, store: LimitStore
    ) -> None:
        wanted = demand(budget(limit=1000))

        async def one(number: int) -> int:
            try:
                return (await store.reserve(f"c{number}", wanted, 300, 1, NOW, least=10)).held_nanodollars
            except BudgetExceeded:
                return 0

        held = await asyncio.gather(*(one(number) for number in range(50)))
        assert sum(held) == 1000
        assert sorted(held, reverse=True)[:4] == [300, 300, 300, 100]

    async def test_input_and_output_tokens_are_counted_by_windows_of_their_own(
        self, store: LimitStore
    ) -> None:
        wanted = Demand(
            (),
            (
                RateDemand("r:in", "key", "this key", tokens_per_minute=100, counts="input"),
                RateDemand("r:out", "key", "this key", tokens_per_minute=10, counts="output"),
            ),
        )
        await store.reserve("a", wanted, 0, 60, NOW, 8)
        assert [state.spent for state in await store.state(wanted, NOW)] == [52, 8]
        await store.settle("a", 0, 70, NOW, output_tokens=9)
        assert [state.spent for state in await store.state(wanted, NOW)] == [61, 9]
        with pytest.raises(RateLimited, match="output tokens a minute"):
            await store.reserve("b", wanted, 0, 12, NOW, 2)
        with pytest.raises(RateLimited, match="input tokens a minute"):
            await store.reserve("b", wanted, 0, 41, NOW, 1)
        await store.reserve("b", wanted, 0, 40, NOW, 1)
