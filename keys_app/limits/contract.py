"""What every limit store promises: reserve before a call, settle after it, at all levels at once.

Amounts are nanodollars, times milliseconds since the epoch, given by the caller. Pure types only;
`demanding.demand` makes a Demand, `memory` and `redis` keep the counters.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

WINDOW_MS = 60_000
#: A refusal that only holds cause ends when calls end, which nobody can foretell: a short wait.
HELD_RETRY_S = 2.0
PARALLEL_RETRY_S = 1.0


class BudgetDemand(msgspec.Struct, frozen=True, gc=False):
    """One budget a call counts against, in the period of its admission."""

    budget_id: str
    period: str  # period key, e.g. '2026-11'; with '/<end user>' for a budget of each end user
    limit_nanodollars: int
    hard: bool
    scope: str
    name: str  # how the level is called in a sentence, e.g. "service search"
    period_name: str  # hour, day, week, month, total, …
    time_zone: str
    resets_at_ms: int | None  # None: never


class RateDemand(msgspec.Struct, frozen=True, gc=False):
    """One rate limit a call counts against."""

    id: str  # names the window: the limit's id, with '/<end user>' for a limit of each end user
    scope: str
    name: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    counts: str = "both"  # which tokens: both, input or output

    def counted(self, tokens: int, output_tokens: int) -> int:
        """What a call of so many tokens, so many of them output, counts here."""
        if self.counts == "both":
            return tokens
        return output_tokens if self.counts == "output" else max(0, tokens - output_tokens)


class Demand(msgspec.Struct, frozen=True):
    """Everything that limits one call. `NO_DEMAND` when nothing does."""

    budgets: tuple[BudgetDemand, ...] = ()
    rates: tuple[RateDemand, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.budgets and not self.rates

    @property
    def has_hard_budget(self) -> bool:
        return any(budget.hard for budget in self.budgets)

    @property
    def charges(self) -> tuple[tuple[str, str], ...]:
        """(budget id, period key) of every budget: what the journal records."""
        return tuple((budget.budget_id, budget.period) for budget in self.budgets)


NO_DEMAND = Demand()


class RateState(msgspec.Struct, frozen=True, gc=False):
    """A rate limit as it stands: for the x-ratelimit-* headers."""

    limit: int
    remaining: int
    reset_ms: int  # until nothing of the last minute counts any more


class Grant(msgspec.Struct, frozen=True):
    """A call admitted. `requests` and `tokens` are the tightest limits of all levels.

    `budgets` and `rates` tell how each level of the demand stood, in its order (`limits.allowances`).
    """

    held_nanodollars: int = 0
    requests: RateState | None = None
    tokens: RateState | None = None
    unchecked: bool = False  # let through while the limits could not be asked
    budgets: Sequence[tuple[int, int]] = ()  # spent, and held by other calls
    #: requests, tokens, calls at once, each with this call counted in, and ms until nothing counts any more
    rates: Sequence[tuple[int, int, int, int]] = ()

    @property
    def headers(self) -> dict[str, str]:
        return rate_headers(self.requests, self.tokens)


UNLIMITED = Grant()
UNCHECKED = Grant(unchecked=True)


def rate_headers(requests: RateState | None, tokens: RateState | None) -> dict[str, str]:
    """x-ratelimit-* as OpenAI names them; nothing for what is not limited."""
    headers: dict[str, str] = {}
    for kind, state in (("requests", requests), ("tokens", tokens)):
        if state is not None:
            headers[f"x-ratelimit-limit-{kind}"] = str(state.limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(state.remaining)
            headers[f"x-ratelimit-reset-{kind}"] = f"{state.reset_ms / 1000:g}s"
    return headers


class LevelState(msgspec.Struct, frozen=True):
    """One limit of the effective policy as it stands now. Budgets in nanodollars."""

    kind: str  # budget | requests | tokens | input_tokens | output_tokens | parallel
    id: str
    scope: str
    name: str
    limit: int
    spent: int
    held: int
    left: int  # never below 0
    resets_at_ms: int | None
    hard: bool = True
    period: str = ""
    calls_in_flight: int = 0
    binds_first: bool = False  # of its kind, what refuses first


class OpenHold(msgspec.Struct, frozen=True):
    """What a fresh store must hold for a call that began and has not ended, or whose cost comes later."""

    call_id: str  # or the cause of the cost that is still to come
    charges: tuple[tuple[str, str], ...]
    nanodollars: int
    at_ms: int
    is_later: bool = False  # for a cost that comes hours after its call


class LimitStore(Protocol):
    """Counters of money, requests, tokens and calls at once. Every step is atomic over all levels."""

    @property
    def needs_load(self) -> bool:
        """True until `load` has filled the counters (and again when they were lost)."""
        ...

    @property
    def fails_open(self) -> bool:
        """Whether calls pass unchecked while the counters cannot be asked."""
        ...

    @property
    def is_away(self) -> bool:
        """Whether it is known already that the counters cannot be asked: waiting is in vain."""
        ...

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
        """Admit a call at all levels or at none. `output_tokens` is the part of `tokens` that is output.

        Where less than `nanodollars` is left, but `least` or more, that much is held: the grant says so,
        and the call must be capped to it. `least` None: all or nothing.

        Again with the same id (a fallback, a repeat): levels it holds already are not counted twice,
        new ones are added, holds rise to `nanodollars` where they were lower. Raises RateLimited,
        BudgetExceeded, LimitsUnavailable.
        """
        ...

    async def top_up(self, call_id: str, nanodollars: int) -> bool:
        """Hold this much more for an open call; False when a hard budget does not allow it."""
        ...

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
        """End a call's hold and count its true cost; `charges` narrows the budgets it counts for.

        `later`, the cause of a cost that is still to come: what those budgets hold stays held under that
        id, until it is settled or its cost is told (`adjust`); all else of the call ends.

        A call that is settled or unknown changes nothing. False: the store is away, the ledger
        process will settle it.
        """
        ...

    async def adjust(self, cause_id: str, charges: Collection[tuple[str, str]], nanodollars: int) -> bool:
        """Count a cost that came after its call ended, once for each cause, and end what is held for it."""
        ...

    async def left(self, demand: Demand) -> int | None:
        """What the tightest hard budget still allows; None when no hard budget applies."""
        ...

    async def state(self, demand: Demand, now_ms: int) -> tuple[LevelState, ...]:
        """Each limit with its use, in the demand's order."""
        ...

    async def load(
        self,
        spend: Mapping[tuple[str, str], int],
        holds: Iterable[OpenHold],
        adjusted: Iterable[str] = (),
    ) -> bool:
        """Fill the counters at start: the ledger's sums by (budget id, period) and the open calls.

        `adjusted`: causes whose cost is among the sums already, and may be told once more. Answers whether
        these are the counters now: another process may have been first.
        """
        ...

    async def open_calls(self, before_ms: int) -> tuple[str, ...]:
        """Calls held since before an instant: the ledger process looks for what became of them."""
        ...

    async def close(self) -> None: ...
