"""Policy rows of this app as frozen entries: all of a table, or those with some ids.

What is damaged (by hand or by SQL) is read as the stricter of what it could mean.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from gateway_project.conf import config
from keys_app.entries import BudgetEntry, KeyEntry, RateLimitEntry, ServiceEntry, UserEntry
from keys_app.identity_secrets import read_identity_secret
from keys_app.models import Budget, RateLimit, Service, User, VirtualKey

_BATCH = 500
#: nothing has this name and nobody calls from this address
_NO_NAME = ("",)
_NO_NETWORK = (IPv4Network("0.0.0.0/32"),)
_BY_REFERENCE = frozenset({"key", "user", "service"})

logger = logging.getLogger("gatehouse.snapshot")


def _select(rows: "QuerySet[Any]", ids: frozenset[str] | None, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Values of all rows, or of those with these ids. Read to the end before anything is filed."""
    if ids is None:
        yield from rows.values_list(*columns).iterator(chunk_size=2000)
        return
    wanted = sorted(ids)
    for start in range(0, len(wanted), _BATCH):
        yield from rows.filter(pk__in=wanted[start : start + _BATCH]).values_list(*columns)


def read_keys(ids: frozenset[str] | None) -> Iterator[tuple[KeyEntry, str, str, int]]:
    """(entry, hash, rotated-out hash or '', its end) of each key."""
    columns = (
        "id", "name", "prefix", "last_four", "user_id", "service_id", "environment", "models_allowed",
        "no_models", "endpoints_allowed", "networks", "origins", "expires_at", "blocked_at",
        "trusts_identity_headers", "reports_cost", "allows_unpriced", "secret_hash", "previous_hash",
        "previous_until", "identity_secret_encrypted",
    )  # fmt: skip
    for row in _select(VirtualKey.objects.order_by(), ids, *columns):
        yield _key_entry(row), row[17], row[18] or "", _ms(row[19]) or 0


def _key_entry(row: tuple[Any, ...]) -> KeyEntry:
    return KeyEntry(
        id=str(row[0]),
        name=row[1],
        hint=f"{row[2]}…{row[3]}",
        user_id=_reference(row[4]),
        service_id=_reference(row[5]),
        environment=row[6],
        models_allowed=_names(row[7]),
        no_models=row[8],
        endpoints_allowed=_names(row[9]),
        networks=_networks(row[10]),
        origins=() if not isinstance(row[11], list) else tuple(map(str, row[11])),
        expires_at_ms=_ms(row[12]),
        blocked=row[13] is not None,
        trusts_identity_headers=row[14],
        reports_cost=row[15],
        allows_unpriced=row[16],
        identity_secret=read_identity_secret(row[0], row[20]),
    )


def read_users(ids: frozenset[str] | None) -> Iterator[UserEntry]:
    columns = ("username", "is_active", "role", "email", "models_allowed", "endpoints_allowed", "networks")
    for row in _select(User.objects.order_by(), ids, "id", *columns):
        yield UserEntry(
            str(row[0]), row[1], row[2], row[3], row[4], _names(row[5]), _names(row[6]), _networks(row[7])
        )


def read_services(ids: frozenset[str] | None) -> Iterator[ServiceEntry]:
    columns = ("name", "is_active", "models_allowed", "keeps_bodies", "bodies_days")
    for row in _select(Service.objects.order_by(), ids, "id", *columns):
        yield ServiceEntry(str(row[0]), row[1], row[2], _names(row[3]), row[4], row[5])


_SCOPE_COLUMNS = ("id", "scope", "key_id", "user_id", "service_id", "target")


def read_budgets(ids: frozenset[str] | None) -> Iterator[BudgetEntry]:
    columns = (
        "amount_nanodollars", "period", "every", "anchor_at", "time_zone", "hard",
        "extra_nanodollars", "extra_until",
    )  # fmt: skip
    enabled = Budget.objects.filter(is_enabled=True).order_by()
    for row in _select(enabled, ids, *_SCOPE_COLUMNS, *columns):
        yield BudgetEntry(
            id=str(row[0]),
            scope=row[1],
            scope_id=_scope_id(row),
            amount_nanodollars=row[6],
            period=row[7],
            every=row[8],
            anchor_ms=_ms(row[9]),
            time_zone=_zone(row[10] or config().time_zone),
            hard=row[11],
            extra_nanodollars=row[12],
            extra_until_ms=_ms(row[13]),
        )


def read_rates(ids: frozenset[str] | None) -> Iterator[RateLimitEntry]:
    columns = (
        "requests_per_minute", "tokens_per_minute", "parallel",
        "input_tokens_per_minute", "output_tokens_per_minute",
    )  # fmt: skip
    enabled = RateLimit.objects.filter(is_enabled=True).order_by()
    for row in _select(enabled, ids, *_SCOPE_COLUMNS, *columns):
        yield RateLimitEntry(str(row[0]), row[1], _scope_id(row), *row[6:])


def _scope_id(row: tuple[Any, ...]) -> str:
    """The level's id; a named level within a service is '<service id>/<name>'."""
    scope, references, target = row[1], {"key": row[2], "user": row[3], "service": row[4]}, row[5]
    if scope == "global":
        return ""
    if scope in _BY_REFERENCE:
        return _reference(references[scope])
    service_id = _reference(references["service"])
    return f"{service_id}/{target}" if service_id else str(target)


def _reference(value: Any) -> str:
    return "" if value is None else str(value)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)


def _names(value: Any) -> tuple[str, ...]:
    if not value:
        return () if value is None or isinstance(value, list) else _NO_NAME
    return tuple(map(str, value)) if isinstance(value, list) else _NO_NAME


def _networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    if value is None or value == []:
        return ()
    found: list[IPv4Network | IPv6Network] = []
    for text in value if isinstance(value, list) else [value]:
        try:
            found.append(ip_network(str(text).strip(), strict=False))
        except ValueError:
            logger.warning("A key allows the network %r, which is none.", text)
    return tuple(found) or _NO_NETWORK


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        logger.warning("A budget names the time zone %r, which is none: it runs by UTC.", name)
        return "UTC"
    return name
