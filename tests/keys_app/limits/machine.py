"""A state machine over any limit store: whatever happens in whatever order, the sums hold."""

import asyncio
from collections import defaultdict
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from gateway_project.errors import BudgetExceeded, RateLimited
from keys_app.limits import LimitStore
from tests.keys_app.limits.demands import NOW, budget, demand, rate

BUDGETS = {
    "small": budget("small", 500),
    "large": budget("large", 2_000),
    "soft": budget("soft", 100, hard=False),
}
RATES = {"requests": rate("requests", requests=4), "mixed": rate("mixed", tokens=300, parallel=3)}


class StoreMachine(RuleBasedStateMachine):
    """The model: exact sums of every budget, and the times of every admitted request."""

    calls: Bundle[str] = Bundle("calls")

    def make_store(self) -> LimitStore:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = self.make_store()
        self.run(self.store.load({}, []))
        self.now = NOW
        self.number = 0
        self.held: dict[str, tuple[int, list[str]]] = {}
        self.spent: defaultdict[str, int] = defaultdict(int)
        self.overrun: defaultdict[str, int] = defaultdict(int)
        self.admitted_at: list[int] = []
        self.open_mixed: set[str] = set()
        self.told: set[str] = set()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        for call in list(self.held):
            self.run(self.store.settle(call, 1, 1, self.now))
            self.count(call, 1)
        self.sums_agree()
        assert self.run(self.store.open_calls(self.now + 1)) == ()
        self.clean()
        self.run(self.store.close())
        self.loop.close()

    def clean(self) -> None:
        """Remove what the store keeps outside."""

    @rule(
        target=calls,
        budgets=st.sets(st.sampled_from(sorted(BUDGETS))),
        rates=st.sets(st.sampled_from(sorted(RATES))),
        amount=st.integers(0, 400),
        tokens=st.integers(0, 200),
    )
    def reserve(self, budgets: set[str], rates: set[str], amount: int, tokens: int) -> str:
        self.number += 1
        call = f"c{self.number}"
        wanted = demand(*(BUDGETS[name] for name in budgets), *(RATES[name] for name in rates))
        fits = all(
            not amount
            or not BUDGETS[name].hard
            or self.spent[name] + self.held_of(name) + amount <= BUDGETS[name].limit_nanodollars
            for name in budgets
        )
        try:
            self.run(self.store.reserve(call, wanted, amount, tokens, self.now))
        except BudgetExceeded:
            assert not fits, "refused although there was room"
            return call
        except RateLimited:
            assert rates
            return call
        assert fits, "admitted past a hard budget"
        if budgets or rates:
            self.held[call] = (amount, sorted(budgets))
        if "requests" in rates:
            self.admitted_at.append(self.now)
        if "mixed" in rates:
            self.open_mixed.add(call)
        return call

    @rule(call=calls, amount=st.integers(1, 200))
    def top_up(self, call: str, amount: int) -> None:
        held, budgets = self.held.get(call, (0, []))
        fits = all(
            not BUDGETS[name].hard
            or self.spent[name] + self.held_of(name) + amount <= BUDGETS[name].limit_nanodollars
            for name in budgets
        )
        assert self.run(self.store.top_up(call, amount)) == fits
        if fits and call in self.held:
            self.held[call] = (held + amount, budgets)

    @rule(call=calls, share=st.integers(0, 100), tokens=st.integers(0, 400))
    def settle(self, call: str, share: int, tokens: int) -> None:
        cost = self.held.get(call, (0, []))[0] * share // 100
        self.run(self.store.settle(call, cost, tokens, self.now))
        self.count(call, cost)

    @rule(target=calls, call=calls)
    def settle_for_a_later_cost(self, call: str) -> str:
        later = f"{call}/batch"
        self.run(self.store.settle(call, 0, 1, self.now, later=later))
        self.open_mixed.discard(call)
        if call in self.held:
            amount, budgets = self.held.pop(call)
            if budgets and later not in self.told:
                self.held[later] = amount, budgets
        return later

    @rule(call=calls, share=st.integers(0, 100))
    def tell_a_later_cost(self, call: str, share: int) -> None:
        amount, budgets = self.held.get(call, (0, []))
        if not call.endswith("/batch"):
            return
        cost = amount * share // 100
        charges = [(BUDGETS[name].budget_id, BUDGETS[name].period) for name in budgets]
        self.run(self.store.adjust(call, charges, cost))
        self.held.pop(call, None)
        if call not in self.told:
            self.told.add(call)
            for name in budgets:
                self.spent[name] += cost

    @precondition(lambda self: self.held)
    @rule(call=calls)
    def settle_with_an_overrun(self, call: str) -> None:
        cost = self.held.get(call, (0, []))[0] + 7
        for name in self.held.get(call, (0, []))[1]:
            self.overrun[name] += 7
        self.run(self.store.settle(call, cost, 1, self.now))
        self.count(call, cost)

    @rule(pass_ms=st.integers(1, 150) | st.integers(1, 40_000))
    def wait(self, pass_ms: int) -> None:
        self.now += pass_ms

    def count(self, call: str, cost: int) -> None:
        _, budgets = self.held.pop(call, (0, []))
        self.open_mixed.discard(call)
        for name in budgets:
            self.spent[name] += cost

    def held_of(self, name: str) -> int:
        return sum(amount for amount, budgets in self.held.values() if name in budgets)

    @invariant()
    def sums_agree(self) -> None:
        wanted = demand(*BUDGETS.values())
        for state in self.run(self.store.state(wanted, self.now)):
            assert (state.spent, state.held) == (self.spent[state.id], self.held_of(state.id))

    @invariant()
    def no_hard_budget_is_passed_but_by_overruns(self) -> None:
        for name, each in BUDGETS.items():
            if each.hard:
                used = self.spent[name] + self.held_of(name)
                assert used <= each.limit_nanodollars + self.overrun[name]

    @invariant()
    def no_minute_has_more_requests_than_the_limit(self) -> None:
        for start in self.admitted_at:
            assert sum(start <= at < start + 60_000 for at in self.admitted_at) <= 4

    @invariant()
    def no_more_calls_are_open_than_may_be(self) -> None:
        assert len(self.open_mixed) <= 3
