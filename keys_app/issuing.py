"""The life of a virtual key: issue, change, rotate, block. Admin, API and commands all come here.

A secret leaves this module once, as a return value; only its hash is stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from gateway_project.clock import now
from keys_app.identity_secrets import set_identity_secret
from keys_app.models import (
    Budget,
    Environment,
    EnvironmentDefaults,
    RateLimit,
    Scope,
    Service,
    User,
    VirtualKey,
)
from keys_app.secrets import hash_secret, mint

#: A secret brought along (from LiteLLM or a file) is hashed without salt, so it must be hard to guess.
SHORTEST_SECRET = 16
DEFAULT_GRACE = timedelta(hours=24)
LONGEST_GRACE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """A budget to set: nanodollars per period. `every` and `anchor_at` belong to the every_* periods."""

    amount_nanodollars: int
    period: str = Budget.Period.MONTH
    hard: bool = True
    every: int = 1
    anchor_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """How fast a key may be used; None: no such limit."""

    NAMES: ClassVar[tuple[str, ...]] = (
        "requests_per_minute",
        "tokens_per_minute",
        "input_tokens_per_minute",
        "output_tokens_per_minute",
        "parallel",
    )

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    parallel: int | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in self.values().values())

    def values(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in self.NAMES}


def issue_key(
    *,
    name: str,
    service: Service | None = None,
    user: User | None = None,
    environment: str = Environment.PRODUCTION,
    models_allowed: Sequence[str] = (),
    no_models: bool = False,
    endpoints_allowed: Sequence[str] = (),
    networks: Sequence[str] = (),
    origins: Sequence[str] = (),
    expires_at: datetime | None = None,
    reports_cost: bool = False,
    allows_unpriced: bool = False,
    trusts_identity_headers: bool = False,
    identity_secret: str = "",
    budgets: Iterable[BudgetTerms] = (),
    limits: LimitTerms | None = None,
    created_by: User | None = None,
    managed_by: str = "",
    secret: str | None = None,
) -> tuple[VirtualKey, str]:
    """A new key and its secret, which nobody can read again.

    `secret` brings one along instead of making one; ValidationError when it is short or known already.
    """
    key = VirtualKey(
        name=name,
        service=service,
        user=user,
        environment=environment,
        models_allowed=list(models_allowed),
        no_models=no_models,
        endpoints_allowed=list(endpoints_allowed),
        networks=list(networks),
        origins=list(origins),
        expires_at=expires_at,
        reports_cost=reports_cost,
        allows_unpriced=allows_unpriced,
        trusts_identity_headers=trusts_identity_headers,
        created_by=created_by,
        managed_by=managed_by,
    )
    set_identity_secret(key, identity_secret)
    with transaction.atomic():
        shown = give_secret(key, secret)
        key.save()
        set_budgets(key, budgets)
        set_limits(key, limits)
    return key, shown


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a new key is made of, filled up with its environment's defaults where it names nothing."""
    filled = dict(values)
    environment = filled.get("environment") or Environment.PRODUCTION
    defaults = EnvironmentDefaults.objects.filter(environment=environment).first()
    if defaults is None:
        return filled
    if not filled.get("models_allowed") and not filled.get("no_models"):
        filled["models_allowed"] = list(defaults.models_allowed)
    if filled.get("expires_at") is None and defaults.key_days is not None:
        filled["expires_at"] = now() + timedelta(days=defaults.key_days)
    if "budgets" not in filled and defaults.budget_nanodollars is not None:
        filled["budgets"] = [BudgetTerms(defaults.budget_nanodollars, defaults.budget_period)]
    if filled.get("limits") is None:
        terms = LimitTerms(
            requests_per_minute=defaults.requests_per_minute,
            tokens_per_minute=defaults.tokens_per_minute,
            parallel=defaults.parallel,
        )
        filled["limits"] = terms or None
    return filled


def give_secret(key: VirtualKey, secret: str | None = None) -> str:
    """Put a new secret (or the one brought along) on an unsaved key; returns what to show once."""
    if secret is None:
        minted = mint()
        key.secret_hash, key.prefix, key.last_four = minted.secret_hash, minted.prefix, minted.last_four
        return minted.secret
    check_brought_secret(secret)
    key.secret_hash = hash_secret(secret)
    key.prefix = secret[:3] if secret.startswith("sk-") else ""
    key.last_four = secret[-4:]
    return secret


def check_brought_secret(secret: str) -> None:
    """ValidationError unless a secret made elsewhere is long enough and new here."""
    if len(secret) < SHORTEST_SECRET or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValidationError(
            _("A key of your own takes at least %(length)d printable ASCII characters without spaces.")
            % {"length": SHORTEST_SECRET}
        )
    if find_key(secret) is not None:
        raise ValidationError(_("This key exists already."))


def find_key(secret: str) -> VirtualKey | None:
    """The key of a secret, also by the one that was rotated out (whether it still works or not)."""
    digest = hash_secret(secret)
    known = VirtualKey.objects.select_related("user", "service")
    return known.filter(secret_hash=digest).first() or known.filter(previous_hash=digest).first()


def rotate_key(key: VirtualKey, grace: timedelta = DEFAULT_GRACE) -> str:
    """A new secret for the same key; the old one works for `grace` more. Id, history and spend stay."""
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise ValidationError(
            _("The old secret may go on for 0 to %(days)d days.") % {"days": LONGEST_GRACE.days}
        )
    with transaction.atomic():
        current = VirtualKey.objects.select_for_update().get(pk=key.pk)
        minted = mint()
        until = now() + grace if grace else None
        current.previous_hash = current.secret_hash if until else None
        current.previous_until = until
        current.secret_hash = minted.secret_hash
        current.prefix = minted.prefix
        current.last_four = minted.last_four
        current.save(update_fields=["previous_hash", "previous_until", "secret_hash", "prefix", "last_four"])
    key.refresh_from_db()
    return minted.secret


def block_key(key: VirtualKey, reason: str = "") -> None:
    """Refuse the key from now on, both of its secrets. Blocking twice keeps the first time."""
    if key.blocked_at is None:
        key.blocked_at = now()
    if reason:
        key.blocked_reason = reason[:200]
    key.save(update_fields=["blocked_at", "blocked_reason"])


def unblock_key(key: VirtualKey) -> None:
    """Let the key work again."""
    key.blocked_at = None
    key.blocked_reason = ""
    key.save(update_fields=["blocked_at", "blocked_reason"])


def set_budgets(key: VirtualKey, terms: Iterable[BudgetTerms], managed_by: str = "") -> None:
    """Make the key's budgets these. A budget of the same period and kind keeps its row, so its spend."""
    rows = {
        (row.period, row.every, row.hard): row
        for row in Budget.objects.filter(scope=Scope.KEY, key=key).order_by("created_at", "id")
    }
    for wanted in terms:
        row = rows.pop((wanted.period, wanted.every, wanted.hard), None)
        if row is None:
            row = Budget(scope=Scope.KEY, key=key, period=wanted.period, every=wanted.every, hard=wanted.hard)
            row.anchor_at = wanted.anchor_at
        row.amount_nanodollars = wanted.amount_nanodollars
        row.is_enabled = True
        row.managed_by = managed_by
        row.save()
    for gone in rows.values():
        if gone.is_enabled:
            gone.is_enabled = False
            gone.save(update_fields=["is_enabled"])


def set_limits(key: VirtualKey, terms: LimitTerms | None, managed_by: str = "") -> None:
    """Make the key's rate limit this one; None or all-None takes it away."""
    rows = RateLimit.objects.filter(scope=Scope.KEY, key=key)
    if not terms:
        rows.delete()
        return
    row = rows.order_by("id").first() or RateLimit(scope=Scope.KEY, key=key)
    for name, value in terms.values().items():
        setattr(row, name, value)
    row.is_enabled = True
    row.managed_by = managed_by
    row.save()


def key_state(key: VirtualKey, at: datetime) -> str:
    """blocked, expired, owner inactive or active: the word its state is shown by."""
    if key.blocked_at is not None:
        return "blocked"
    if key.expires_at is not None and key.expires_at <= at:
        return "expired"
    if key.user is not None and not key.user.is_active:
        return "owner_inactive"
    if key.service is not None and not key.service.is_active:
        return "service_inactive"
    return "active"
