"""Corrections of prices: what calls would have cost by the price book as it is now, and how they come to.

Computed and applied beside the ledger, by the process that writes exports. A correction is applied as
`adjust` records through a journal of its own, so that the ledger counts each exactly once whatever is
killed, and rows, sums, budgets and limits agree as with any cost that comes later. None is computed before
the ledger has all that was written for the one before it: two of one call would both charge the difference.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.models import Q

from gateway_project.clock import now, now_ms, uuid7_at
from usage_app.bill import tokens_of_row
from usage_app.journal import JournalWriter, new_worker_id
from usage_app.journal_folder import segment_numbers
from usage_app.models import Adjustment, JournalOffset, PriceCorrection, Request
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.pricebook import PRICE_KINDS, PriceSection, price_of_row
from usage_app.pricing import CompiledPrice, cost
from usage_app.records import Adjust, Charge
from usage_app.rollups import is_unpriced

log = logging.getLogger("gatehouse.prices")

State = PriceCorrection.State
WINDOW = 500
#: Lines of the effect that are kept, the largest; the others are summed.
MOST_LINES = 200
#: For how long the ledger may take to read what was written, before the next round looks again.
PATIENCE_S = 60.0
LOOK_S = 0.2
_ID_SLACK = timedelta(minutes=1)
JOURNAL = "correction-"


@dataclass(frozen=True, slots=True)
class Change:
    """One call whose cost changes."""

    row: Request
    charged: int | None  # nanodollars so far, earlier corrections included; None: unknown
    corrected: int

    @property
    def difference(self) -> int:
        return self.corrected - (self.charged or 0)


class Reckoner:
    """What calls cost by the price book as it is when this is made, for one price's sake."""

    def __init__(self, price_id: str) -> None:
        self._price_id = price_id
        self._book = PriceSection().load()
        providers = apps.get_model("proxy_app", "Provider")._default_manager.all()
        kinds = {str(pk): kind for pk, kind in providers.values_list("pk", "kind")}
        self._kinds = {pk: PRICE_KINDS.get(kind, kind) for pk, kind in kinds.items()}
        self._former: Callable[[str], CompiledPrice | None] = cache(price_of_row)

    def look_at(self, row: Request, late: Counter[str]) -> Change | str | None:
        """The change; else why a call that it concerns is left out; None for a call it does not concern.

        `late` has what came later, by cause.
        """
        kind = self._kinds.get(row.provider_id, "")
        started_ms = round(row.started_at.timestamp() * 1000)
        decision = row.decision if isinstance(row.decision, dict) else {}
        tier, other = decision.get("service_tier", ""), decision.get("answered_by", "")
        price = None
        for model in (other, row.upstream_model) if kind else ():
            if model and price is None:
                price = self._book.find(row.deployment_id, kind, model, started_ms, tier)
        is_of_it = price is not None and price.id == self._price_id
        if not is_of_it and row.price_id != self._price_id:
            return None
        if row.cost_nanodollars is None and not is_unpriced(
            row.status, None, row.deployment_id, row.usage_source
        ):
            return None  # it failed, and cost nothing
        if price is None:
            return "no_price"
        if any(not cause.startswith(CORRECTION_CAUSE) for cause in late):
            return "later"
        if row.cost_nanodollars is not None and not self._is_exact(row):
            return "attempts"
        corrected = cost(price, tokens_of_row(row))
        if corrected is None:
            return "usage"
        known = row.cost_nanodollars is not None or bool(late)
        charged = (row.cost_nanodollars or 0) + sum(late.values()) if known else None
        return Change(row, charged, corrected) if charged != corrected else None

    def _is_exact(self, row: Request) -> bool:
        """Whether the row's cost is that of its own figures: of no other attempt besides, of no batch."""
        if not row.price_id:
            return False
        former = self._former(row.price_id)
        return former is not None and cost(former, tokens_of_row(row)) == row.cost_nanodollars


def looked_at(correction: PriceCorrection) -> Iterator[Change | str]:
    """Every call of the range that the correction concerns, oldest first."""
    reckoner = Reckoner(str(correction.price_id))
    after = uuid7_at(_ms(correction.since - _ID_SLACK))
    last = uuid7_at(_ms(correction.until + _ID_SLACK))
    rows = Request.objects.filter(
        started_at__gte=correction.since, started_at__lt=correction.until, pk__lt=last
    )
    rows = rows.exclude(Q(status=Request.Status.REFUSED) | Q(deployment_id=""))
    while window := list(rows.filter(pk__gt=after).order_by("pk")[:WINDOW]):
        late: dict[Any, Counter[str]] = {row.pk: Counter() for row in window}
        for each in Adjustment.objects.filter(request_id__in=list(late), is_applied=True):
            late[each.request_id][each.cause] += each.cost_nanodollars
        for row in window:
            found = reckoner.look_at(row, late[row.pk])
            if found is not None:
                yield found
        after = window[-1].pk


@dataclass(slots=True)
class Effect:
    """What a correction comes to."""

    calls: int = 0
    newly_priced: int = 0
    charged: int = 0
    difference: int = 0
    lines: dict[tuple[str, str, str, str], list[int]] = field(default_factory=dict)
    budgets: Counter[tuple[str, str]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, found: Change | str) -> None:
        if isinstance(found, str):
            self.left_out[found] += 1
            return
        row = found.row
        self.calls += 1
        self.newly_priced += found.charged is None
        self.charged += found.charged or 0
        self.difference += found.difference
        line = self.lines.setdefault(
            (row.model, row.key_id, row.key_name, row.service_name or row.user_name), [0, 0, 0]
        )
        for position, value in enumerate((1, found.charged or 0, found.difference)):
            line[position] += value
        for charge in row.charges:
            self.budgets[charge["budget_id"], charge["period"]] += found.difference

    def store(self, correction: PriceCorrection) -> None:
        correction.calls, correction.newly_priced = self.calls, self.newly_priced
        correction.charged_nanodollars, correction.difference_nanodollars = self.charged, self.difference
        lines = sorted(self.lines.items(), key=lambda item: -abs(item[1][2]))
        rest = [sum(column) for column in zip(*(line for _, line in lines[MOST_LINES:]), strict=True)]
        correction.effect = {
            "lines": [[*names, *line] for names, line in lines[:MOST_LINES]],
            "rest": [len(lines) - MOST_LINES, *rest] if rest else [],
            "budgets": [[*key, amount] for key, amount in sorted(self.budgets.items()) if amount],
            "left_out": dict(self.left_out),
        }

    def is_as_shown(self, correction: PriceCorrection) -> bool:
        shown = (
            correction.calls,
            correction.newly_priced,
            correction.charged_nanodollars,
            correction.difference_nanodollars,
        )
        return shown == (self.calls, self.newly_priced, self.charged, self.difference)


def effect_of(correction: PriceCorrection) -> Effect:
    effect = Effect()
    for found in looked_at(correction):
        effect.add(found)
    return effect


def work(journals: Path) -> int:
    """Everything that waits, oldest first; how many. One process at a time calls this."""
    count = 0
    for correction in PriceCorrection.objects.filter(state__in=PriceCorrection.OPEN).order_by("id"):
        if not all_read(journals):
            break
        try:
            if correction.state == State.WAITING:
                measure(correction)
            else:
                apply(correction, journals)
        except Exception:
            log.exception("Correction %s of prices failed.", correction.pk)
            PriceCorrection.objects.filter(pk=correction.pk).update(
                state=State.FAILED, error="It failed inside the gateway: the log says why."
            )
        count += 1
    return count


def measure(correction: PriceCorrection) -> None:
    """Compute what it comes to, to be shown."""
    effect_of(correction).store(correction)
    correction.state = State.MEASURED
    correction.save()


def apply(correction: PriceCorrection, journals: Path) -> None:
    """Write the entries, if it still comes to what was shown; else show it anew.

    Killed in the middle it is gone on with: what is counted already makes no difference any more.
    """
    if correction.state == State.APPLYING:
        effect = effect_of(correction)
        if not effect.is_as_shown(correction):
            effect.store(correction)
            correction.state, correction.error = State.MEASURED, CHANGED
            correction.save()
            return
        correction.state = State.WRITING
        correction.save(update_fields=["state"])
    _write(correction, journals)
    if not all_read(journals):
        return  # the ledger is behind: the next round finds the rest, or nothing
    correction.state, correction.error, correction.applied_at = State.APPLIED, "", now()
    correction.save(update_fields=["state", "error", "applied_at"])
    log.info("Correction %s of prices is applied: %d calls.", correction.pk, correction.calls)


CHANGED = "changed"


def all_read(journals: Path) -> bool:
    """Wait for the ledger to have what corrections have written; whether it has."""
    give_up = time.monotonic() + PATIENCE_S
    while _unread(journals):
        if time.monotonic() >= give_up:
            return False
        time.sleep(LOOK_S)
    return True


def _unread(journals: Path) -> set[str]:
    names = {folder.name for folder in journals.glob(f"{JOURNAL}*") if segment_numbers(folder)}
    read = JournalOffset.objects.filter(journal__in=names, finished_at__isnull=False)
    return names - set(read.values_list("journal", flat=True))


def _write(correction: PriceCorrection, journals: Path) -> None:
    """A journal of its own with the entries; none when none are left to write."""
    writer: JournalWriter | None = None
    try:
        for found in looked_at(correction):
            if isinstance(found, str):
                continue
            if writer is None:
                writer = JournalWriter(journals, JOURNAL + new_worker_id())
                writer.open()
            row = found.row
            writer.append(
                Adjust(
                    id=str(row.pk),
                    at_ms=now_ms(),
                    cause=f"{CORRECTION_CAUSE}{correction.pk}",
                    cost_nanodollars=found.difference,
                    charges=tuple(Charge(each["budget_id"], each["period"]) for each in row.charges),
                )
            )
        if writer is not None:
            writer.sync()
    finally:
        if writer is not None:
            writer.close()


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
