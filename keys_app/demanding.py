"""What limits a call, gathered from a snapshot for the limit store. Pure; time arrives as an argument.

Which limits are a call's follows from who makes it, to what: a snapshot remembers that. Their periods and
temporary amounts are the clock's.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from keys_app.entries import BudgetEntry, Principal, RateLimitEntry, Snapshot
from keys_app.limits.contract import NO_DEMAND, BudgetDemand, Demand, RateDemand
from keys_app.periods import period_of

#: what the ledger's sums by budget and period have room for
PERIOD_LENGTH = 40
MOST_FOUND = 10_000  # kinds of calls whose limits a snapshot remembers


def demand(
    snapshot: Snapshot, principal: Principal, *, model: str, provider: str, end_user: str, now_ms: int
) -> Demand:
    """Every budget and rate limit a call counts against, at all levels."""
    if not snapshot.budgets and not snapshot.rate_limits:
        return NO_DEMAND
    if end_user:  # named by callers, any number of them
        return _call_limits(snapshot, principal, model, provider, end_user).at(now_ms)
    asked = ("call", *_who(principal), model, provider)
    found = snapshot.found.get(asked)
    if found is None:
        found = _remember(snapshot, asked, _call_limits(snapshot, principal, model, provider, ""))
    return found.at(now_ms)


def step_demand(
    snapshot: Snapshot, principal: Principal, *, provider: str, deployment: str, now_ms: int
) -> Demand:
    """What limits one deployment and its provider: known only when a call is about to go there."""
    if not snapshot.budgets and not snapshot.rate_limits:
        return NO_DEMAND
    asked = ("step", *_who(principal), provider, deployment)
    found = snapshot.found.get(asked)
    if found is None:
        gathered = _Gathered(snapshot, principal)
        gathered.add_shared(("provider", provider), ("deployment", deployment))
        found = _remember(snapshot, asked, gathered.limits())
    return found.at(now_ms)


def named_demand(snapshot: Snapshot, principal: Principal, now_ms: int) -> Demand:
    """What limits calls of this principal to some model, provider or deployment: every one there is, in a
    picture that holds no other service's."""
    gathered = _Gathered(snapshot, principal)
    own = f"{principal.key.service_id}/"
    for scope, filed_under in sorted({*snapshot.budgets, *snapshot.rate_limits}):
        if scope in ("model", "provider", "deployment"):
            gathered.add(scope, filed_under.removeprefix(own), filed_under)
    return gathered.limits().at(now_ms)


def _call_limits(
    snapshot: Snapshot, principal: Principal, model: str, provider: str, end_user: str
) -> "_Limits":
    gathered = _Gathered(snapshot, principal)
    key, service_id = principal.key, principal.key.service_id
    gathered.add("key", key.id, key.id)
    if key.user_id:
        gathered.add("user", key.user_id, key.user_id)
    if principal.user is not None and principal.user.id != key.user_id:
        gathered.add("user", principal.user.id, principal.user.id)
    if service_id:
        gathered.add("service", service_id, service_id)
    gathered.add_shared(("environment", key.environment), ("model", model), ("provider", provider))
    if end_user:
        gathered.add("end_user", end_user, end_user)
        gathered.add("end_user", end_user, "", each=True)
        if service_id:
            gathered.add("end_user", end_user, f"{service_id}/{end_user}")
            gathered.add("end_user", end_user, f"{service_id}/", each=True)
    gathered.add("global", "", "")
    return gathered.limits()


def _who(principal: Principal) -> tuple[str, ...]:
    """All of a principal that its limits are filed under: it may be of an older picture than they are."""
    key, user = principal.key, principal.user
    return key.id, key.user_id, key.service_id, key.environment, user.id if user is not None else ""


class _Limits(NamedTuple):
    """What limits calls of one kind, whenever they come: the row, the level's name and the one of many that a
    count is kept for; a budget's period is told by the clock."""

    budgets: tuple[tuple[BudgetEntry, str, str | None], ...]
    rates: tuple[RateDemand, ...]

    def at(self, now_ms: int) -> Demand:
        if not self.budgets and not self.rates:
            return NO_DEMAND
        return Demand(tuple([_budget_demand(*each, now_ms) for each in self.budgets]), self.rates)


def _remember(snapshot: Snapshot, asked: tuple[str, ...], limits: _Limits) -> _Limits:
    if len(snapshot.found) >= MOST_FOUND:
        snapshot.found.clear()
    snapshot.found[asked] = limits
    return limits


class _Gathered:
    """What was found to limit a call, level by level."""

    __slots__ = ("budgets", "principal", "rates", "snapshot")

    def __init__(self, snapshot: Snapshot, principal: Principal) -> None:
        self.snapshot = snapshot
        self.principal = principal
        self.budgets: list[tuple[BudgetEntry, str, str | None]] = []
        self.rates: list[RateDemand] = []

    def limits(self) -> _Limits:
        return _Limits(tuple(self.budgets), tuple(self.rates))

    def add_shared(self, *levels: tuple[str, str]) -> None:
        """Take the limits of levels (scope, name) that all callers share, and those that the caller's service
        has there."""
        service_id = self.principal.key.service_id
        for scope, name in levels:
            self.add(scope, name, name)
            if service_id:
                self.add(scope, name, f"{service_id}/{name}")

    def add(self, scope: str, name: str, filed_under: str, *, each: bool = False) -> None:
        """Take the limits filed under (scope, filed_under); `each` keeps a count for every name."""
        budgets = self.snapshot.budgets.get((scope, filed_under))
        rates = self.snapshot.rate_limits.get((scope, filed_under))
        if budgets is None and rates is None:
            return
        shown = level_name(self.principal, scope, name)
        value = name if each else None
        self.budgets += [(budget, shown, value) for budget in budgets or ()]
        for rate in rates or ():
            self.rates.extend(_rate_demands(rate, shown, value))


def _budget_demand(entry: BudgetEntry, name: str, value: str | None, now_ms: int) -> BudgetDemand:
    period = period_of(entry, now_ms)
    return BudgetDemand(
        entry.id,
        period.key if value is None else kept_apart(period.key, value),
        entry.limit_at(now_ms),
        entry.hard,
        entry.scope,
        name,
        entry.period,
        entry.time_zone,
        period.end_ms,
    )


def _rate_demands(entry: RateLimitEntry, name: str, value: str | None) -> Iterator[RateDemand]:
    """One window for requests, all tokens and calls at once; one each for input and output tokens."""
    window = entry.id if value is None else f"{entry.id}/{value}"
    whole = (entry.requests_per_minute, entry.tokens_per_minute, entry.parallel)
    if any(limit is not None for limit in whole):
        yield RateDemand(window, entry.scope, name, *whole)
    if entry.input_tokens_per_minute is not None:
        limit = entry.input_tokens_per_minute
        yield RateDemand(f"{window}:in", entry.scope, name, tokens_per_minute=limit, counts="input")
    if entry.output_tokens_per_minute is not None:
        limit = entry.output_tokens_per_minute
        yield RateDemand(f"{window}:out", entry.scope, name, tokens_per_minute=limit, counts="output")


def kept_apart(period: str, value: str) -> str:
    """A period key for one end user: by name, or by a digest of it where the name is too long."""
    key = f"{period}/{value}"
    if len(key) <= PERIOD_LENGTH:
        return key
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{period}/{digest}"[:PERIOD_LENGTH]


def level_name(principal: Principal, scope: str, name: str) -> str:
    """How a level is called in a sentence to the caller."""
    if scope == "key":
        return "this key"
    if scope == "global":
        return "the whole gateway"
    if scope == "user" and principal.user is not None:
        name = principal.user.name
    elif scope == "service" and principal.service is not None:
        name = principal.service.name
    return f"{scope.replace('_', ' ')} {name}"
