"""Declared services and virtual keys into rows. A key is known by the hash of its secret."""

from django.core.exceptions import ValidationError

from keys_app.issuing import (
    BudgetTerms,
    LimitTerms,
    block_key,
    give_secret,
    set_budgets,
    set_limits,
)
from keys_app.models import Budget, RateLimit, Scope, Service, User, VirtualKey
from keys_app.secrets import hash_secret
from proxy_app.config_file.declared import Declared, DeclaredKey
from proxy_app.config_file.writing import write_if_changed


def apply_services(declared: Declared, notices: list[str]) -> dict[str, Service]:
    """Service rows by name, and those the keys name that exist already."""
    named = {key.service for key in declared.keys if key.service} | declared.services.keys()
    rows = {row.name: row for row in Service.objects.filter(name__in=named)}
    for wanted in declared.services.values():
        row = rows.get(wanted.name) or Service(name=wanted.name)
        if not row._state.adding and not row.managed_by:
            notices.append(f"{declared.file} now defines the service {row.name}.")
        write_if_changed(
            row,
            {
                "description": wanted.description,
                "cost_centre": wanted.cost_centre,
                "models_allowed": list(wanted.models),
                "is_active": True,
                "managed_by": declared.file,
            },
        )
        rows[wanted.name] = row
    left = Service.objects.filter(managed_by=declared.file, is_active=True).exclude(
        name__in=declared.services
    )
    left.update(is_active=False)
    return rows


def apply_keys(declared: Declared, services: dict[str, Service], notices: list[str]) -> None:
    """Key rows with budgets and limits. A key that left the file is blocked."""
    rows = [_apply_key(declared, wanted, services, notices) for wanted in declared.keys]
    kept = [row.pk for row in rows if row is not None]
    left = VirtualKey.objects.filter(managed_by=declared.file, blocked_at__isnull=True).exclude(pk__in=kept)
    for row in left:
        block_key(row, f"No longer in {declared.file}.")


def _apply_key(
    declared: Declared, wanted: DeclaredKey, services: dict[str, Service], notices: list[str]
) -> VirtualKey | None:
    user = User.objects.filter(username=wanted.user).first() if wanted.user else None
    if (wanted.user and user is None) or (wanted.service and wanted.service not in services):
        notices.append(f"{declared.file}: the key {wanted.name} was left out: its owner does not exist.")
        return None
    row = VirtualKey.objects.filter(secret_hash=hash_secret(wanted.secret)).first()
    if row is not None and row.managed_by != declared.file:
        notices.append(f"{declared.file}: the key {wanted.name} was left out: it exists as {row.name}.")
        return None
    if row is None:
        row = VirtualKey(name=wanted.name)
        try:
            give_secret(row, wanted.secret)
        except ValidationError as error:
            notices.append(f"{declared.file}: the key {wanted.name} was left out: {error.messages[0]}")
            return None
    service = services.get(wanted.service)
    write_if_changed(
        row,
        {
            "name": wanted.name,
            "service_id": service.pk if service else None,
            "user_id": user.pk if user else None,
            "environment": wanted.environment,
            "models_allowed": list(wanted.models),
            "blocked_at": None,
            "blocked_reason": "",
            "managed_by": declared.file,
        },
    )
    _apply_allowances(row, wanted, declared.file)
    return row


def _apply_allowances(row: VirtualKey, wanted: DeclaredKey, file: str) -> None:
    budgets = [BudgetTerms(b.amount_nanodollars, b.period, b.hard, b.every) for b in wanted.budgets]
    there = Budget.objects.filter(scope=Scope.KEY, key=row, is_enabled=True)
    if {(b.amount_nanodollars, b.period, b.hard, b.every) for b in budgets} != set(
        there.values_list("amount_nanodollars", "period", "hard", "every")
    ):
        set_budgets(row, budgets, file)
    limits = wanted.limits
    terms = LimitTerms(limits.requests_per_minute, limits.tokens_per_minute, limits.parallel)
    names = tuple(terms.values())
    now = RateLimit.objects.filter(scope=Scope.KEY, key=row, is_enabled=True).values_list(*names).first()
    if now != (tuple(terms.values().values()) if terms else None):
        set_limits(row, terms, file)
