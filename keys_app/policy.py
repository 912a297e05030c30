"""Who may do what: pure decisions over a snapshot. No Django, no I/O; time arrives as an argument."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway_project.errors import AddressNotAllowed, EndpointNotAllowed, InvalidKey, KeyBlocked, KeyExpired
from keys_app.entries import BudgetEntry, Claim, KeyEntry, Networks, Principal, RateLimitEntry, Snapshot
from keys_app.limits.contract import NO_DEMAND, BudgetDemand, Demand, RateDemand
from keys_app.periods import period_of

MASTER = "master"
#: what the ledger's sums by budget and period have room for
PERIOD_LENGTH = 40
_NEAREST_POOL = 300

_MASTER_PRINCIPAL = Principal(
    key=KeyEntry(id=MASTER, name=MASTER, hint=MASTER, user_id="", service_id="", environment="production"),
    user=None,
    service=None,
)


def master_principal() -> Principal:
    """The management key as a caller of models."""
    return _MASTER_PRINCIPAL


def authenticate(snapshot: Snapshot, secret_hash: str, now_ms: int) -> Principal:
    """Who is behind a secret, given its hex SHA-256. Raises InvalidKey, KeyBlocked, KeyExpired."""
    key = snapshot.keys.get(secret_hash)
    if key is None:
        raise InvalidKey
    if key.blocked:
        raise KeyBlocked
    if key.expires_at_ms is not None and key.expires_at_ms <= now_ms:
        raise KeyExpired
    if key.previous_until_ms is not None and key.previous_until_ms <= now_ms:
        raise KeyExpired("This API key was replaced by a new one, and its time of grace is over.")
    user = service = None
    if key.user_id:
        user = snapshot.users.get(key.user_id)
        if user is None or not user.is_active:
            raise KeyBlocked("The owner of this API key is deactivated.")
    if key.service_id:
        service = snapshot.services.get(key.service_id)
        if service is None or not service.is_active:
            raise KeyBlocked("The service of this API key is deactivated.")
    return Principal(key, user, service)


def identify(
    snapshot: Snapshot, principal: Principal, end_user: str, *, is_proven: bool = False
) -> Principal:
    """The person whom a key that trusts identity headers names, with that person's budgets and bounds.

    Such a key needs a secret that proves each name, or networks of its own: from anywhere else a claim is
    anybody's to make. An unknown name stays a claim. Raises KeyBlocked for somebody who is deactivated.
    """
    key = principal.key
    if not end_user or not key.trusts_identity_headers:
        return principal
    if not (is_proven if key.identity_secret else key.networks):
        return principal
    user_id = snapshot.people.get(end_user.casefold())
    user = snapshot.users.get(user_id) if user_id else None
    if user is None:
        return principal
    if not user.is_active:
        raise KeyBlocked("The person this call is made for is deactivated.")
    return Principal(key, user, principal.service)


def authenticate_grant(snapshot: Snapshot, claim: Claim, now_ms: int) -> Principal:
    """The key a grant is for, as if its secret were shown, while the person is active. Raises InvalidKey."""
    person = snapshot.users.get(claim.user_id)
    secret_hash = next((text for text, key in snapshot.keys.items() if key.id == claim.key_id), "")
    if person is None or not person.is_active or not secret_hash:
        raise InvalidKey("This grant is not valid any more.")
    return authenticate(snapshot, secret_hash, now_ms)


def authorise(principal: Principal, endpoint: str, address: str) -> None:
    """Raises EndpointNotAllowed or AddressNotAllowed. `endpoint` such as chat.completions.

    The owner's bounds hold for each of their keys.
    """
    for holder in (principal.key, principal.user):
        if holder is None:
            continue
        if holder.endpoints_allowed and not matches(holder.endpoints_allowed, endpoint):
            raise EndpointNotAllowed(f"This key may not use {endpoint}.")
        if holder.networks and not is_within(holder.networks, address):
            raise AddressNotAllowed


def is_allowed_by_name(principal: Principal, endpoint: str) -> bool:
    """Whether the key's own list names an endpoint that is nobody's without it; no pattern does."""
    return principal.key.id == MASTER or endpoint in principal.key.endpoints_allowed


def is_within(networks: Networks, address: str) -> bool:
    """Whether an address lies in one of the networks."""
    try:
        caller: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
        caller = caller.ipv4_mapped
    return any(caller in network for network in networks if network.version == caller.version)


def may_use_model(principal: Principal, name: str) -> bool:
    """Whether the lists of key, owner and service all allow a public name; an empty list allows all."""
    if principal.key.no_models:
        return False
    for holder in (principal.key, principal.user, principal.service):
        if holder is not None and holder.models_allowed and not matches(holder.models_allowed, name):
            return False
    return True


def is_narrowed(principal: Principal) -> bool:
    """Whether some list of models binds the principal."""
    if principal.key.models_allowed:
        return True
    user, service = principal.user, principal.service
    return bool((user and user.models_allowed) or (service and service.models_allowed))


def allowed_names(principal: Principal, names: Iterable[str]) -> list[str]:
    """The names of these that the principal may use, in their order."""
    return [name for name in names if may_use_model(principal, name)]


def nearest_names(name: str, names: Iterable[str], limit: int = 3) -> list[str]:
    """Names that a caller who misspelt one may have meant, the likeliest first."""
    wanted = name[:100].casefold()
    folded = {known.casefold(): known for known in names}
    if wanted in folded:
        return [folded[wanted]]
    pool = list(folded)
    if len(pool) > _NEAREST_POOL:
        # Comparing with thousands of names would hold up the event loop; those that start alike will do.
        alike = [known for known in pool if known[:3] == wanted[:3] or wanted in known]
        pool = alike[:_NEAREST_POOL]
    return [folded[match] for match in get_close_matches(wanted, pool, limit, 0.5)]


@lru_cache(maxsize=4096)
def _compiled(patterns: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str] | None]:
    exact = frozenset(pattern for pattern in patterns if "*" not in pattern)
    wild = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns if "*" in pattern]
    return exact, re.compile("|".join(wild), re.DOTALL) if wild else None


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a name is one of these, or falls under a pattern such as gpt-*."""
    exact, wild = _compiled(patterns)
    return name in exact or (wild is not None and wild.fullmatch(name) is not None)


def demand(
    snapshot: Snapshot, principal: Principal, *, model: str, provider: str, end_user: str, now_ms: int
) -> Demand:
    """Every budget and rate limit a call counts against, at all levels."""
    if not snapshot.budgets and not snapshot.rate_limits:
        return NO_DEMAND
    gathered = _Gathered(snapshot, principal, now_ms)
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
    if not gathered.budgets and not gathered.rates:
        return NO_DEMAND
    return Demand(tuple(gathered.budgets), tuple(gathered.rates))


def step_demand(
    snapshot: Snapshot, principal: Principal, *, provider: str, deployment: str, now_ms: int
) -> Demand:
    """What limits one deployment and its provider: known only when a call is about to go there."""
    if not snapshot.budgets and not snapshot.rate_limits:
        return NO_DEMAND
    gathered = _Gathered(snapshot, principal, now_ms)
    gathered.add_shared(("provider", provider), ("deployment", deployment))
    if not gathered.budgets and not gathered.rates:
        return NO_DEMAND
    return Demand(tuple(gathered.budgets), tuple(gathered.rates))


def named_demand(snapshot: Snapshot, principal: Principal, now_ms: int) -> Demand:
    """What limits calls of this principal to some model, provider or deployment: every one there is, in a
    picture that holds no other service's."""
    gathered = _Gathered(snapshot, principal, now_ms)
    own = f"{principal.key.service_id}/"
    for scope, filed_under in sorted({*snapshot.budgets, *snapshot.rate_limits}):
        if scope in ("model", "provider", "deployment"):
            gathered.add(scope, filed_under.removeprefix(own), filed_under)
    return Demand(tuple(gathered.budgets), tuple(gathered.rates))


class _Gathered:
    """What was found to limit a call, level by level."""

    __slots__ = ("budgets", "now_ms", "principal", "rates", "snapshot")

    def __init__(self, snapshot: Snapshot, principal: Principal, now_ms: int) -> None:
        self.snapshot = snapshot
        self.principal = principal
        self.now_ms = now_ms
        self.budgets: list[BudgetDemand] = []
        self.rates: list[RateDemand] = []

    def add_shared(self, *levels: tuple[str, str]) -> None:
        """Take the limits of levels (scope, name) that all callers share, and those that the caller's service
        has there. Most have none: they are looked up here, without a call for each."""
        budgets, rates = self.snapshot.budgets, self.snapshot.rate_limits
        service_id = self.principal.key.service_id
        for level in levels:
            scope, name = level
            if level in budgets or level in rates:
                self.add(scope, name, name)
            if service_id:
                own = scope, f"{service_id}/{name}"
                if own in budgets or own in rates:
                    self.add(scope, name, own[1])

    def add(self, scope: str, name: str, filed_under: str, *, each: bool = False) -> None:
        """Take the limits filed under (scope, filed_under); `each` keeps a count for every name."""
        budgets = self.snapshot.budgets.get((scope, filed_under))
        rates = self.snapshot.rate_limits.get((scope, filed_under))
        if budgets is None and rates is None:
            return
        shown = level_name(self.principal, scope, name)
        value = name if each else None
        for budget in budgets or ():
            self.budgets.append(_budget_demand(budget, shown, value, self.now_ms))
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
