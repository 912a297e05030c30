"""Keys from keys and from files: clones, CSV in, CSV out. Secrets of new keys leave once, as values."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext as _

from gateway_project.clock import now
from gateway_project.money import parse_usd, usd_string
from keys_app.identity_secrets import read_identity_secret
from keys_app.issuing import BudgetTerms, LimitTerms, issue_key
from keys_app.models import Budget, Environment, KeyUse, RateLimit, Scope, Service, User, VirtualKey

COLUMNS = (
    *("name", "user", "service", "environment", "models", "endpoints", "networks", "expires_at"),
    *("budget_usd", "budget_period", "requests_per_minute", "tokens_per_minute", "parallel"),
)
EXPORTED = ("id", "hint", "state", *COLUMNS, "created_at", "last_used_at")
MOST_LINES = 5_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with its secret."""

    key: VirtualKey
    secret: str


def clone_key(key: VirtualKey, name: str = "", created_by: User | None = None) -> NewKey:
    """A new key with the same owner, bounds, budgets and limits; its own id, secret and history."""
    limit = RateLimit.objects.filter(scope=Scope.KEY, key=key, is_enabled=True).first()
    budgets = Budget.objects.filter(scope=Scope.KEY, key=key, is_enabled=True)
    made, secret = issue_key(
        name=name or (_("%(name)s copy") % {"name": key.name})[:120],
        service=key.service,
        user=key.user,
        environment=key.environment,
        models_allowed=key.models_allowed,
        no_models=key.no_models,
        endpoints_allowed=key.endpoints_allowed,
        networks=key.networks,
        origins=key.origins,
        expires_at=key.expires_at if key.expires_at is None or key.expires_at > now() else None,
        reports_cost=key.reports_cost,
        allows_unpriced=key.allows_unpriced,
        trusts_identity_headers=key.trusts_identity_headers,
        identity_secret=read_identity_secret(key.pk, key.identity_secret_encrypted),
        budgets=[
            BudgetTerms(row.amount_nanodollars, row.period, row.hard, row.every, row.anchor_at)
            for row in budgets
        ],
        limits=limit_terms(limit),
        created_by=created_by,
    )
    return NewKey(made, secret)


def limit_terms(row: RateLimit | None) -> LimitTerms | None:
    """A row's limits as terms."""
    if row is None:
        return None
    return LimitTerms(**{name: getattr(row, name) for name in LimitTerms.NAMES})


# ---------------------------------------------------------------- CSV in


def import_keys(text: str, created_by: User | None = None) -> list[NewKey]:
    """A key for each line, all or none; ValidationError names the line and the column."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    if unknown := sorted(set(reader.fieldnames or ()) - set(COLUMNS)):
        raise ValidationError(_("Unknown columns: %(names)s.") % {"names": ", ".join(map(str, unknown))})
    if "name" not in (reader.fieldnames or ()):
        raise ValidationError(_("The first line names the columns; one of them is name."))
    made: list[NewKey] = []
    with transaction.atomic():
        for number, line in enumerate(_lines(reader), 2):
            if number > MOST_LINES + 1:
                raise ValidationError(_("A file may have %(count)d keys.") % {"count": MOST_LINES})
            try:
                key, secret = issue_key(**_wish(line), created_by=created_by)
            except ValidationError as error:
                problem = " ".join(error.messages)
                message = _("Line %(number)d: %(problem)s") % {"number": number, "problem": problem}
                raise ValidationError(message) from None
            made.append(NewKey(key, secret))
    return made


def _lines(reader: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    try:
        for line in reader:
            if None in line or any(value is None for value in line.values()):
                raise ValidationError(
                    _("Line %(number)d has more or fewer cells than the first.") % {"number": reader.line_num}
                )
            yield {name: (value or "").strip() for name, value in line.items()}
    except csv.Error as error:
        message = _("Line %(number)d: %(problem)s") % {"number": reader.line_num, "problem": error}
        raise ValidationError(message) from None


def _wish(line: dict[str, str]) -> dict[str, Any]:
    get = line.get
    if not get("name"):
        raise ValidationError(_("A key needs a name."))
    environment = get("environment") or Environment.PRODUCTION
    if environment not in Environment.values:
        raise ValidationError(_("%(text)r is not an environment.") % {"text": environment})
    wish: dict[str, Any] = {
        "name": line["name"][:120],
        "environment": environment,
        "models_allowed": _words(get("models")),
        "endpoints_allowed": _words(get("endpoints")),
        "networks": [_network(text) for text in _words(get("networks"))],
        "expires_at": _instant(get("expires_at")),
        "limits": LimitTerms(**{name: _count(name, get(name)) for name in COLUMNS[-3:]}),
    }
    if name := get("user"):
        wish["user"] = User.objects.filter(username=name).first() or _missing(name)
    if name := get("service"):
        wish["service"] = Service.objects.filter(name=name).first() or _missing(name)
    if amount := get("budget_usd"):
        period = get("budget_period") or Budget.Period.MONTH
        if period not in Budget.Period.values[:5]:
            raise ValidationError(_("%(text)r is not a period.") % {"text": period})
        wish["budgets"] = [BudgetTerms(_dollars(amount), period)]
    return wish


def _missing(name: str) -> Any:
    raise ValidationError(_("There is nobody and nothing called %(name)r.") % {"name": name})


def _words(text: str | None) -> list[str]:
    return list(dict.fromkeys((text or "").replace(";", " ").split()))


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise ValidationError(_("%(text)r is not a network.") % {"text": text}) from None


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or is_naive(at) or at <= now():
        raise ValidationError(
            _("%(text)r is not a time to come such as 2030-01-31T00:00:00Z.") % {"text": text}
        )
    return at


def _count(name: str, text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise ValidationError(_("%(name)s takes a whole number.") % {"name": name})
    return int(text)


def _dollars(text: str) -> int:
    try:
        amount = Decimal(text)
        if not 0 <= amount < 10**9:
            raise InvalidOperation
        return parse_usd(amount)
    except (InvalidOperation, ValueError):
        raise ValidationError(_("%(text)r is not an amount in dollars.") % {"text": text}) from None


# ---------------------------------------------------------------- CSV out


def secrets_file(made: Iterable[NewKey]) -> str:
    """The new keys with their secrets, as CSV: handed out once and stored nowhere."""
    return _csv(("id", "name", "key"), ((str(new.key.pk), new.key.name, new.secret) for new in made))


def export_keys(keys: Sequence[VirtualKey], states: Sequence[str]) -> str:
    """Keys without their secrets, as CSV."""
    ids = [key.pk for key in keys]
    limits = {row.key_id: row for row in RateLimit.objects.filter(scope=Scope.KEY, key__in=ids)}
    budgets: dict[Any, Budget] = {}
    hard = Budget.objects.filter(scope=Scope.KEY, key__in=ids, is_enabled=True, hard=True).order_by("-id")
    for budget in hard:
        budgets[budget.key_id] = budget
    used = dict(KeyUse.objects.filter(key_id__in=ids).values_list("key_id", "last_used_at"))
    return _csv(
        EXPORTED,
        (
            _exported(key, state, budgets.get(key.pk), limits.get(key.pk), used.get(key.pk))
            for key, state in zip(keys, states, strict=True)
        ),
    )


def _exported(
    key: VirtualKey, state: str, budget: Budget | None, limit: RateLimit | None, used: datetime | None
) -> tuple[str, ...]:
    cells: dict[str, Any] = {
        "id": key.pk,
        "hint": key.hint,
        "state": state,
        "name": key.name,
        "user": key.user.username if key.user else "",
        "service": key.service.name if key.service else "",
        "environment": key.environment,
        "models": " ".join(key.models_allowed),
        "endpoints": " ".join(key.endpoints_allowed),
        "networks": " ".join(key.networks),
        "expires_at": key.expires_at.isoformat() if key.expires_at else "",
        "budget_usd": usd_string(budget.amount_nanodollars) if budget else "",
        "budget_period": budget.period if budget else "",
        "created_at": key.created_at.isoformat(),
        "last_used_at": used.isoformat() if used else "",
    }
    for name in COLUMNS[-3:]:
        cells[name] = getattr(limit, name, None) or ""
    return tuple(str(cells[name]) for name in EXPORTED)


def _csv(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    for line in lines:
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in line])
    return text.getvalue()
