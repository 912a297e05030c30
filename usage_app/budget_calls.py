"""The calls of a budget: where they are listed, what they came to in periods before, whom it refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from gateway_project import clock
from gateway_project.clock import from_ms
from keys_app.entries import BudgetEntry
from keys_app.models import Budget, Scope
from keys_app.periods import Period, named_period
from usage_app.budget_states import BudgetState, spends_of_calls
from usage_app.figures import grouped
from usage_app.models import BudgetSpend, Request
from usage_app.reports_names import ids_named
from usage_app.sight import Sight
from usage_app.views.scope import between, visible_requests

#: Periods that are listed, the newest.
PERIODS = 24
#: Refused calls that are looked at, the newest, those of them that are told, and how long back.
REFUSALS, TOLD = 5_000, 200
LATELY = timedelta(days=7)
BUDGET_CODES = ("budget_exceeded",)


@dataclass(frozen=True, slots=True)
class Spell:
    """A period before, and what was spent in it; `link` opens its calls ('': nothing can)."""

    name: str
    person: str
    spent: int
    requests: int
    link: str


@dataclass(slots=True)
class Refused:
    """A key that a budget refused: how often, or how often at least, and its last refusal."""

    key_id: str
    key_name: str
    count: int
    last: Request
    is_least: bool = False

    @property
    def counted(self) -> str:
        return grouped(self.count) + ("+" if self.is_least else "")


def calls_link(
    budget: Budget, since: datetime | None = None, until: datetime | None = None, person: str = ""
) -> str:
    """The list of the calls a budget is charged for; '' where no filter of it says which these are."""
    narrowed = _parameters(budget, person)
    if narrowed is None:
        return ""
    # Said even where they are empty: what was chosen on another page narrows nothing here.
    chosen = {"environment": "", "service": "", **narrowed}
    if since is not None:
        chosen["since"] = since.isoformat()
    if until is not None:
        chosen["until"] = until.isoformat()
    return "../../requests/?" + urlencode(chosen)


def _parameters(budget: Budget, person: str) -> dict[str, str] | None:
    match budget.scope:
        case Scope.KEY:
            return {"key": str(budget.key_id)}
        case Scope.USER:
            return {"user": str(budget.user_id)}
        case Scope.SERVICE:
            return {"service": str(budget.service_id)}
        case Scope.ENVIRONMENT:
            service = str(budget.service_id) if budget.service_id else ""
            return {"environment": budget.target, "service": service}
        case Scope.MODEL:
            return {"model": budget.target}
        case Scope.PROVIDER:
            return {"provider": budget.target}
        case Scope.DEPLOYMENT:
            ids = ids_named("deployment", budget.target)
            return {"deployment": ids[0]} if len(ids) == 1 else None
        case Scope.END_USER if person or budget.target:
            return {"end_user": person or budget.target}
        case Scope.GLOBAL:
            return {}
        case _:
            return None


def spells_before(state: BudgetState) -> list[Spell]:
    """The periods before this one, newest first; of a budget for each person one a person."""
    budget, present = state.budget, state.period.key
    rows = (
        spends_of_calls()
        .filter(budget_id=str(budget.pk))
        .exclude(Q(period=present) | Q(period__startswith=f"{present}/"))
    )
    if not (budget.scope == Scope.END_USER and not budget.target):
        rows = rows.exclude(period__contains="/")
    return [_spell(budget, state.entry, row) for row in rows.order_by("-period")[:PERIODS]]


def _spell(budget: Budget, entry: BudgetEntry, row: BudgetSpend) -> Spell:
    key, _slash, person = row.period.partition("/")
    period = named_period(entry, key)
    link = ""
    if period is not None:
        since, until = (None if at is None else from_ms(at) for at in period[1:])
        link = calls_link(budget, since, until, person)
    name = key if period is None else period_name(period, entry)
    return Spell(name, person, row.spent_nanodollars, row.requests, link)


def period_name(period: Period, entry: BudgetEntry) -> str:
    """A period as people say it, in the budget's own zone."""
    if period.start_ms is None or period.end_ms is None:
        return _("in total")
    zone = ZoneInfo(entry.time_zone)
    first, last = (from_ms(at).astimezone(zone) for at in (period.start_ms, period.end_ms - 1))
    match entry.period:
        case "month":
            return date_format(first, _("M Y"))
        case "day":
            return date_format(first, _("j M Y"))
        case "week":
            return f"{date_format(first, _('j M'))} – {date_format(last, _('j M Y'))}"
        case _:
            end = from_ms(period.end_ms).astimezone(zone)
            return f"{date_format(first, _('j M Y, H:i'))} – {date_format(end, _('j M, H:i'))}"


def refusals_of(budget: Budget, sight: Sight) -> list[Refused]:
    """Whom a budget refused lately or ended midway, of the calls a viewer sees, the most often first."""
    now = clock.now()
    rows = between(visible_requests(sight), now - LATELY, now).filter(_covered(budget))
    ids, is_least = [], False
    for status in (Request.Status.REFUSED, Request.Status.CANCELLED):
        # Codes have no index: a flood of other refusals is passed over without their rows, and not for ever.
        newest = rows.filter(status=status).order_by("-id").values_list("pk", "error_code")[:REFUSALS]
        ids += [pk for pk, code in newest if code in BUDGET_CODES]
        is_least = is_least or len(newest) == REFUSALS
    is_least = is_least or len(ids) > TOLD
    told = Request.objects.filter(pk__in=sorted(ids, reverse=True)[:TOLD]).order_by("-id")
    fields = ("id", "started_at", "key_id", "key_name", "error_detail", "decision", "repeated", "status")
    found: dict[tuple[str, str], Refused] = {}
    for row in told.only(*fields):
        if not _is_refused_by(row, budget):
            continue
        known = found.setdefault(
            (row.key_id, row.key_name), Refused(row.key_id, row.key_name, 0, row, is_least)
        )
        known.count += row.repeated
    return sorted(found.values(), key=lambda each: -each.count)


def _is_refused_by(row: Request, budget: Budget) -> bool:
    """What a call met tells which of its budgets it was; where that was not kept, any that covers it."""
    decision: Mapping[str, Any] = row.decision if isinstance(row.decision, dict) else {}
    allowances = decision.get("allowances", ())
    if row.status == Request.Status.CANCELLED:
        return _nearest_end(allowances) == str(budget.pk)
    refusing = [each for each in allowances if each.get("refused")]
    if not refusing:
        return budget.scope not in (Scope.PROVIDER, Scope.DEPLOYMENT)  # a refused call was at none
    return any(each.get("id") == str(budget.pk) for each in refusing)


def _nearest_end(allowances: Iterable[Mapping[str, Any]]) -> str:
    """Which budget ended a call midway: the hard one that had the least left when the call came."""
    hard = [each for each in allowances if each.get("kind") == "budget" and each.get("hard", True)]
    known = [each for each in hard if "spent" in each]
    nearest = min(known, key=lambda each: each["limit"] - each["spent"] - each.get("held", 0), default={})
    return str(nearest.get("id", ""))


def _covered(budget: Budget) -> Q:
    match budget.scope:
        case Scope.KEY:
            return Q(key_id=str(budget.key_id))
        case Scope.USER:
            return Q(user_id=str(budget.user_id))
        case Scope.SERVICE:
            return Q(service_id=str(budget.service_id))
        case Scope.ENVIRONMENT:
            return Q(environment=budget.target)
        case Scope.MODEL:
            return Q(model=budget.target)
        case Scope.END_USER if budget.target:
            return Q(end_user=budget.target)
        case _:
            return Q()
