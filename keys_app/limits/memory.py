"""The limit store of exactly one admitting worker: plain dictionaries, no await inside a step.

Atomic because one event loop runs each step to its end. What it counts is the ledger's sums plus
what this worker holds; a restart loads both again.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping

from gateway_project.errors import LimitsUnavailable
from keys_app.limits.contract import (
    NO_DEMAND,
    UNLIMITED,
    BudgetDemand,
    Demand,
    Grant,
    LevelState,
    OpenHold,
    RateDemand,
    RateState,
)
from keys_app.limits.counters import Counter, Hold, Window
from keys_app.limits.refusals import budget_refusal, parallel_refusal, requests_refusal, tokens_refusal
from keys_app.limits.states import level_states, tightest

_SWEEP_EVERY = 20_000
_ADJUSTMENTS_KEPT = 10_000


class MemoryStore:
    """See `contract.LimitStore`."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], Counter] = {}
        self._windows: dict[str, Window] = {}
        self._holds: dict[str, Hold] = {}
        self._adjusted: OrderedDict[str, None] = OrderedDict()
        self._loaded = False
        self._until_sweep = _SWEEP_EVERY

    @property
    def fails_open(self) -> bool:
        return False

    @property
    def is_away(self) -> bool:
        return False

    @property
    def needs_load(self) -> bool:
        return not self._loaded

    async def reserve(
        self,
        call_id: str,
        demand: Demand,
        nanodollars: int,
        tokens: int,
        now_ms: int,
        output_tokens: int = 0,
        least: int | None = None,
    ) -> Grant:
        if demand is NO_DEMAND or demand.is_empty:
            return UNLIMITED
        if not self._loaded:
            raise LimitsUnavailable(retry_after_s=1)
        hold = self._holds.get(call_id)
        if demand.budgets:
            nanodollars = self._affordable(demand.budgets, hold, nanodollars, least)
        if demand.rates:
            self._check_rates(demand.rates, hold, (tokens, output_tokens), now_ms)
        if hold is None:
            hold = self._holds[call_id] = Hold(now_ms)
        budgets: list[tuple[int, int]] = []
        rates: list[tuple[int, int, int, int]] = []
        for budget in demand.budgets:
            budgets.append(self._hold_budget(hold, budget, nanodollars))  # noqa: PERF401  3.11 calls those
        requests_state: RateState | None = None
        tokens_state: RateState | None = None
        for rate in demand.rates:
            window = self._hold_rate(hold, rate, rate.counted(tokens, output_tokens), now_ms)
            reset_ms = window.reset_ms(now_ms)
            used = window.requests, window.tokens, window.open, reset_ms
            requests_state = tightest(requests_state, rate.requests_per_minute, used[0], reset_ms)
            tokens_state = tightest(tokens_state, rate.tokens_per_minute, used[1], reset_ms)
            rates.append(used)
        self._until_sweep -= 1
        if not self._until_sweep:
            self._sweep(now_ms)
        held = nanodollars if budgets else 0
        return Grant(held, requests_state, tokens_state, False, budgets, rates)

    def _affordable(
        self,
        budgets: tuple[BudgetDemand, ...],
        hold: Hold | None,
        nanodollars: int,
        least: int | None,
    ) -> int:
        """What the call may hold in all: what it asks for, or what is left; raises BudgetExceeded."""
        amount = nanodollars
        refusal: tuple[BudgetDemand, int] | None = None
        for budget in budgets:
            if not budget.hard or not nanodollars:
                continue
            key = (budget.budget_id, budget.period)
            known = hold.budgets[key][0] if hold is not None and key in hold.budgets else 0
            counter = self._counters.get(key)
            room = budget.limit_nanodollars + known
            if counter is not None:
                room -= counter.spent + counter.held
            if nanodollars > room and nanodollars > known:
                refusal = refusal or (budget, nanodollars - known)
                amount = min(amount, max(room, known))
        if refusal is not None and (least is None or amount < least):
            budget, asked = refusal
            counter = self._counters.get((budget.budget_id, budget.period))
            raise budget_refusal(budget, *self._use(budget), asked, counter.later if counter else 0)
        return amount

    def _check_rates(
        self, rates: tuple[RateDemand, ...], hold: Hold | None, asked: tuple[int, int], now_ms: int
    ) -> None:
        for rate in rates:
            tokens = rate.counted(*asked)
            window = self._windows.get(rate.id)
            if window is None:
                window = self._windows[rate.id] = Window()
            if hold is not None and rate.id in hold.rates:
                continue
            window.slide(now_ms)
            limit = rate.requests_per_minute
            if limit is not None and window.requests >= limit:
                state = RateState(limit, 0, window.reset_ms(now_ms))
                raise requests_refusal(rate, state, window.wait_ms(window.requests - limit + 1, 0, now_ms))
            limit = rate.tokens_per_minute
            # A call larger than the whole limit may pass alone: it could never pass otherwise.
            if limit is not None and window.tokens and window.tokens + tokens > limit:
                state = RateState(limit, max(0, limit - window.tokens), window.reset_ms(now_ms))
                excess = min(window.tokens, window.tokens + tokens - limit)
                raise tokens_refusal(rate, state, window.wait_ms(0, excess, now_ms), tokens)
            limit = rate.parallel
            if limit is not None and window.open >= limit:
                raise parallel_refusal(rate, limit)

    def _hold_budget(self, hold: Hold, budget: BudgetDemand, nanodollars: int) -> tuple[int, int]:
        """What was spent of it, and held by other calls."""
        key = (budget.budget_id, budget.period)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = Counter()
        counter.ends_at_ms = budget.resets_at_ms
        limit = budget.limit_nanodollars if budget.hard else None
        known = hold.budgets.get(key)
        others = counter.held
        if known is None:
            counter.calls += 1
            counter.held = others + nanodollars
            hold.budgets[key] = (nanodollars, counter, limit)
            return counter.spent, others
        others -= known[0]
        if nanodollars > known[0]:
            counter.held = others + nanodollars
            hold.budgets[key] = (nanodollars, counter, limit)
        return counter.spent, others

    def _hold_rate(self, hold: Hold, rate: RateDemand, tokens: int, now_ms: int) -> Window:
        window = self._windows[rate.id]
        if rate.id not in hold.rates:
            hold.rates[rate.id] = (window, window.add(tokens, now_ms), tokens, rate)
            window.open += 1
        return window

    async def top_up(self, call_id: str, nanodollars: int) -> bool:
        hold = self._holds.get(call_id)
        if hold is None:
            return True  # nothing limits it, or it is over
        for _, counter, limit in hold.budgets.values():
            if limit is not None and counter.spent + counter.held + nanodollars > limit:
                return False
        for key, (amount, counter, limit) in hold.budgets.items():
            counter.held += nanodollars
            hold.budgets[key] = (amount + nanodollars, counter, limit)
        return True

    async def settle(
        self,
        call_id: str,
        nanodollars: int,
        tokens: int,
        now_ms: int,
        charges: Collection[tuple[str, str]] | None = None,
        output_tokens: int = 0,
        later: str = "",
    ) -> bool:
        hold = self._holds.pop(call_id, None)
        if hold is None:
            return True
        kept = Hold(hold.at_ms, is_later=True)
        for key, (amount, counter, limit) in hold.budgets.items():
            counts = charges is None or key in charges
            if counts:
                counter.spent += nanodollars
            if counts and later and later not in self._adjusted:
                kept.budgets[key] = (amount, counter, limit)
                counter.later += amount
            else:
                counter.held -= amount
                counter.later -= amount if hold.is_later else 0
                counter.calls -= 1
        if kept.budgets:
            self._holds[later] = kept
        for window, entry, counted, rate in hold.rates.values():
            window.open -= 1
            if not entry.gone:
                difference = rate.counted(tokens, output_tokens) - counted
                entry.tokens += difference
                window.tokens += difference
        return True

    async def adjust(self, cause_id: str, charges: Collection[tuple[str, str]], nanodollars: int) -> bool:
        await self.settle(cause_id, 0, 0, 0)
        if cause_id in self._adjusted:
            return True
        self._note_adjusted(cause_id)
        for key in charges:
            self._counters.setdefault(key, Counter()).spent += nanodollars
        return True

    def _note_adjusted(self, cause_id: str) -> None:
        self._adjusted[cause_id] = None
        if len(self._adjusted) > _ADJUSTMENTS_KEPT:
            self._adjusted.popitem(last=False)

    async def left(self, demand: Demand) -> int | None:
        lefts = [
            budget.limit_nanodollars - sum(self._use(budget)[:2]) for budget in demand.budgets if budget.hard
        ]
        return max(0, min(lefts)) if lefts else None

    async def state(self, demand: Demand, now_ms: int) -> tuple[LevelState, ...]:
        uses = {(budget.budget_id, budget.period): self._use(budget) for budget in demand.budgets}
        windows: dict[str, tuple[int, int, int, int]] = {}
        for rate in demand.rates:
            if (window := self._windows.get(rate.id)) is not None:
                window.slide(now_ms)
                reset_ms = window.reset_ms(now_ms)
                windows[rate.id] = (window.requests, window.tokens, window.open, reset_ms)
        return level_states(demand, uses, windows, now_ms)

    def _use(self, budget: BudgetDemand) -> tuple[int, int, int]:
        counter = self._counters.get((budget.budget_id, budget.period))
        return (counter.spent, counter.held, counter.calls) if counter else (0, 0, 0)

    async def load(
        self,
        spend: Mapping[tuple[str, str], int],
        holds: Iterable[OpenHold],
        adjusted: Iterable[str] = (),
    ) -> bool:
        self._counters.clear()
        self._holds.clear()
        self._windows.clear()
        for key, spent in spend.items():
            self._counters.setdefault(key, Counter()).spent = spent
        for opened in holds:
            hold = self._holds[opened.call_id] = Hold(opened.at_ms, is_later=opened.is_later)
            for key in opened.charges:
                counter = self._counters.setdefault(key, Counter())
                counter.held += opened.nanodollars
                counter.later += opened.nanodollars if opened.is_later else 0
                counter.calls += 1
                hold.budgets[key] = (opened.nanodollars, counter, None)
        for cause_id in adjusted:
            self._note_adjusted(cause_id)
        self._loaded = True
        return True

    async def open_calls(self, before_ms: int) -> tuple[str, ...]:
        return tuple(call_id for call_id, hold in self._holds.items() if hold.at_ms < before_ms)

    async def close(self) -> None:
        self._loaded = False

    def _sweep(self, now_ms: int) -> None:
        """Forget quiet windows, and counters of periods that ended a day ago."""
        self._until_sweep = _SWEEP_EVERY
        for window in self._windows.values():
            window.slide(now_ms)
        self._windows = {
            name: window for name, window in self._windows.items() if window.entries or window.open
        }
        day_ago = now_ms - 86_400_000
        self._counters = {
            key: counter
            for key, counter in self._counters.items()
            if counter.calls or counter.ends_at_ms is None or counter.ends_at_ms > day_ago
        }
