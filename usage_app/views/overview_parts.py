"""What stands below the Overview's chart: the tops, why it changed, budgets near their end, providers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway_project import clock
from usage_app import figures
from usage_app.budget_states import NEAR, BudgetState, budgets_in, states
from usage_app.budget_unpriced import with_unpriced
from usage_app.differences import Weights, explain
from usage_app.marks import share_mark
from usage_app.models import Rollup
from usage_app.pricebook import prices_now_of
from usage_app.reports import Filters, Line, Totals, totals
from usage_app.selection import span
from usage_app.sight import Sight

Link = Callable[..., str]
TOPS = {
    "model": gettext_lazy("Models"),
    "service": gettext_lazy("Services"),
    "user": gettext_lazy("Users"),
    "key": gettext_lazy("Keys"),
}
TOP_COUNT = 3
#: Budgets looked at for the Overview, the largest amounts first.
MOST_BUDGETS = 500

#: cause -> (name, what it means, order of Requests that shows it)
CAUSES: dict[str, tuple[Any, Any, str]] = {
    "volume": (gettext_lazy("Calls"), gettext_lazy("how many there were"), "-started"),
    "mix": (gettext_lazy("Models"), gettext_lazy("which ones were called"), "-cost"),
    "tokens": (gettext_lazy("Tokens a call"), gettext_lazy("how long calls were"), "-input_tokens"),
    "cache": (gettext_lazy("Cache"), gettext_lazy("how much input came from it"), "-cache_read_tokens"),
    "price": (gettext_lazy("Price"), gettext_lazy("what a token cost"), "-cost"),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of the difference, with the models it is of."""

    name: Any
    meaning: Any
    nanodollars: int
    link: str
    models: list[tuple[str, int, str]]  # name, nanodollars, link
    width: int  # of 100: its bar against the largest


def causes(lines: Sequence[Line], earlier: Sequence[Line], link: Link) -> list[Cause]:
    """Why the spend changed; [] where there is nothing to compare."""
    now = {line.ids[0]: line.totals for line in lines}
    before = {line.ids[0]: line.totals for line in earlier}
    if not any(each.cost_nanodollars for each in before.values()):
        return []
    parts = explain(before, now, weights(sorted({*now, *before})))
    largest = max((abs(part.nanodollars) for part in parts), default=0)
    found = []
    for part in parts:
        name, meaning, sort = CAUSES[part.name]
        models = [(model, amount, link(model=model, sort=sort)) for model, amount in part.models]
        width = round(100 * abs(part.nanodollars) / largest) if largest else 0
        found.append(Cause(name, meaning, part.nanodollars, link(sort=sort), models, width))
    return found


def weights(models: Sequence[str]) -> dict[str, Weights]:
    """What each kind of token costs of a model, by the price book of today, found as for a call."""
    found = {}
    for model, price in prices_now_of(_serving(models)).items():
        rates = price.rates
        if any(rates):
            found[model] = Weights(rates.input, rates.cache_read, rates.output)
    return found


def _serving(models: Sequence[str]) -> dict[str, tuple[Any, str]]:
    """The first deployment of each model, by its name or by the longest wildcard it comes under, and how its
    provider calls it."""
    deployments = apps.get_model("proxy_app", "Deployment")._default_manager
    named = Q(model__name__in=models) | Q(model__name__contains="*")
    by_name: dict[str, Any] = {}
    for row in deployments.filter(named).select_related("model", "provider").order_by("-order", "-pk"):
        by_name[row.model.name] = row
    wildcards = sorted((name for name in by_name if "*" in name), key=len, reverse=True)
    found = {}
    for model in models:
        if model in by_name:
            found[model] = (by_name[model], by_name[model].upstream_model)
            continue
        for wildcard in wildcards:
            start, _star, end = wildcard.partition("*")
            if model.startswith(start) and model.endswith(end) and len(model) >= len(start) + len(end):
                row, matched = by_name[wildcard], model[len(start) : len(model) - len(end)]
                found[model] = (row, row.upstream_model.replace("*", matched, 1))
                break
    return found


def tops(lines: Mapping[str, Sequence[Line]], whole: Totals, link: Link) -> list[tuple[Any, str, list[Any]]]:
    """(label, dimension, [(name, totals, share, link)]) of the most expensive of each kind."""
    found = []
    for dimension, label in TOPS.items():
        rows = [
            (
                line.names[0] or _("none"),
                line.totals,
                share_mark(
                    line.totals.cost_nanodollars, whole.cost_nanodollars, line.totals.unpriced_requests
                ),
                link(**{dimension: line.ids[0] or "none"}),
            )
            for line in lines[dimension][:TOP_COUNT]
        ]
        found.append((label, dimension, rows))
    return found


def budgets_near_end(sight: Sight) -> list[BudgetState]:
    """Budgets that refuse calls, are used up, nearly, or will be before they reset; the former first."""
    found = with_unpriced(states(budgets_in(sight).order_by("-amount_nanodollars")[:MOST_BUDGETS]))
    near = [state for state in found if state.share >= NEAR or state.refuses or state.ends_at is not None]
    later = clock.now() + timedelta(days=3650)
    near.sort(key=lambda state: (not state.refuses, state.ends_at or state.resets_at or later))
    return near[:5]


def providers(lines: Sequence[Line], link: Link) -> list[dict[str, Any]]:
    """How each provider did in the range, the most tried first: a word, a rate, a speed."""
    found = []
    for line in sorted(lines, key=lambda line: (-line.totals.attempts, line.ids))[:8]:
        tried = line.totals.attempts
        if not line.ids[0] or not tried:
            continue
        failed = (tried - line.totals.answered) / tried
        found.append(
            {
                "name": line.names[0],
                "tone": "ok" if failed < 0.01 else "warn" if failed < 0.1 else "error",
                "word": _("well") if failed < 0.01 else _("some fail") if failed < 0.1 else _("many fail"),
                "rate": figures.share(line.totals.answered, tried),
                "ttft": line.totals.ttft_p95_ms,
                "link": link(**{"tried_at" if line.totals.failed_attempts else "provider": line.ids[0]}),
            }
        )
    return found


@dataclass(frozen=True, slots=True)
class Month:
    """The month so far, by its end at this rate, and the month before."""

    spent: Totals
    forecast: int | None
    ends_at: datetime
    before: Totals


def month(filters: Filters, sight: Sight, zone: ZoneInfo) -> Month:
    now = clock.now()
    since, until = span("month", now, zone)
    ends_at = (since + timedelta(days=32)).replace(day=1)
    spent = totals(since, until, filters, sight, durations=False)
    first = Rollup.objects.order_by("bucket_at").values_list("bucket_at", flat=True).first()
    began = max(since, first) if first is not None else since  # before there was nothing to be spent
    elapsed = until - began
    whole_s, elapsed_s = round((ends_at - began).total_seconds()), round(elapsed.total_seconds())
    forecast = spent.cost_nanodollars * whole_s // elapsed_s if elapsed > timedelta(hours=6) else None
    before = totals(*span("last_month", now, zone), filters, sight, durations=False)
    return Month(spent, forecast, ends_at - timedelta(days=1), before)
