"""Who may do what: pure decisions over a snapshot. No Django, no I/O; time arrives as an argument."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway_project.errors import AddressNotAllowed, EndpointNotAllowed, InvalidKey, KeyBlocked, KeyExpired
from keys_app.entries import Claim, KeyEntry, Networks, Principal, Snapshot

MASTER = "master"
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
