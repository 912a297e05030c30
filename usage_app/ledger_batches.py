"""One batch: what was read of the journals becomes rows, sums, spend and offsets in one transaction."""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway_project.clock import from_ms, now, uuid7
from usage_app import ledger_refusals, ledger_rows, stored
from usage_app.dialects import Dialect, insert_rows, upsert_rows
from usage_app.journal_lines import BadLine
from usage_app.late_costs import TELLS_COST, corrections_of, tells_cost
from usage_app.ledger_journals import Chunk, Position
from usage_app.ledger_names import NameKeeper
from usage_app.ledger_refusals import Refusals
from usage_app.ledger_rows import SettledCall, countable, interrupted_end
from usage_app.models import Adjustment, Attempt, BudgetSpend, JournalOffset, Request
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.models.rollup import DIMENSIONS
from usage_app.pricebook import price_of_row
from usage_app.records import (
    BATCHES,
    LATE_END,
    Adjust,
    AttemptBegun,
    Begin,
    Charge,
    End,
    Progress,
    Stored,
    later_cost,
)
from usage_app.rollups import ClaimValues, Countable, Sums, is_unpriced

logger = logging.getLogger("gatehouse.ledger")

QUERY_IDS = 500
#: Endpoints of calls whose cost comes when their batch is done.
LATER = ("batches", "messages.batches")


@dataclass
class BadItem:
    """A record that cannot become a row."""

    journal: str
    position: Position
    problem: str
    data: bytes


@dataclass
class Batch:
    """A batch, assembled outside the transaction so that the write lock is held for writing only."""

    chunks: list[Chunk]
    sums: Sums
    settled: list[SettledCall] = field(default_factory=list)
    bad: list[BadItem] = field(default_factory=list)
    ends: dict[str, End] = field(default_factory=dict)
    request_rows: list[tuple[Any, ...]] = field(default_factory=list)
    attempt_rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    adjustments: list[Adjustment] = field(default_factory=list)
    causes: set[tuple[str, str]] = field(default_factory=set)  # of them: call, cause
    priced: set[str] = field(default_factory=set)  # calls that were counted as unpriced, and are no more
    applied: list[uuid.UUID] = field(default_factory=list)  # adjustments whose request came now
    spend: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    refused: Refusals = field(default_factory=dict)
    stored: list[Stored] = field(default_factory=list)

    @property
    def records(self) -> int:
        return sum(len(chunk.items) for chunk in self.chunks)


class Batcher:
    """Assembles and writes batches over one connection."""

    def __init__(self, connection: BaseDatabaseWrapper, dialect: Dialect, host: str) -> None:
        self.connection = connection
        self.dialect = dialect
        self.host = host
        self.claim_values = ClaimValues(connection)
        self.names = NameKeeper(connection)

    def assemble(self, chunks: list[Chunk], zones: tuple[ZoneInfo, ...]) -> Batch:
        """Everything the chunks amount to; calls whose row is there already count nothing."""
        batch = Batch(chunks, Sums(zones, self.claim_values))
        late_ends: list[End] = []
        adjusts: list[Adjust] = []
        for chunk in chunks:
            self._sort(chunk, batch, late_ends, adjusts)
        known = self._known(batch.ends)
        late_ends.extend(batch.ends.pop(call_id) for call_id in known)
        for end in batch.ends.values():
            self._count(end, batch)
        for end in late_ends:
            self._adjust_late(end, known, batch)
        self._adjust(adjusts, batch)
        self._apply_waiting(batch)
        self._note_later(batch)
        return batch

    def write(self, batch: Batch) -> None:
        """One short transaction; tables in a fixed order, rows in key order."""
        with transaction.atomic(using=self.connection.alias):
            insert_rows(
                self.connection, Request._meta.db_table, ledger_rows.REQUEST_COLUMNS, batch.request_rows
            )
            insert_rows(
                self.connection,
                Attempt._meta.db_table,
                ledger_rows.ATTEMPT_COLUMNS,
                batch.attempt_rows.values(),
            )
            batch.sums.write(self.connection, self.dialect)
            upsert_rows(
                self.connection,
                BudgetSpend._meta.db_table,
                ("budget_id", "period"),
                ("spent_nanodollars", "requests"),
                [(*key, *figures) for key, figures in batch.spend.items()],
            )
            ledger_refusals.write(batch.refused)
            self.names.write(batch.ends.values(), self.dialect)
            if batch.adjustments:
                Adjustment.objects.bulk_create(batch.adjustments)
            if batch.applied:
                Adjustment.objects.filter(pk__in=batch.applied).update(is_applied=True)
            stored.write(batch.stored)
            for chunk in sorted(batch.chunks, key=lambda chunk: chunk.tail.name):
                self._move_offset(chunk)

    # ------------------------------------------------------------ assembling

    def _sort(self, chunk: Chunk, batch: Batch, late_ends: list[End], adjusts: list[Adjust]) -> None:
        for record, position in chunk.items:
            if isinstance(record, BadLine):
                batch.bad.append(BadItem(chunk.tail.name, position, record.reason, record.data))
            elif isinstance(record, End | Adjust | Stored) and (problem := _why_bad(record)):
                batch.bad.append(BadItem(chunk.tail.name, position, problem, repr(record).encode()))
            elif isinstance(record, End):
                if (former := batch.ends.get(record.id)) is None:
                    batch.ends[record.id] = record
                elif former.status == "interrupted":
                    late_ends.append(record)
            elif isinstance(record, Adjust):
                adjusts.append(record)
            elif isinstance(record, Stored):
                batch.stored.append(record)
        if chunk.resolves:
            self._interrupt(chunk, batch)

    def _interrupt(self, chunk: Chunk, batch: Batch) -> None:
        """The worker is gone and all it wrote is read: what is still open will never end."""
        calls = dict(chunk.tail.open)
        for record, position in chunk.items:
            if isinstance(record, Begin):
                calls[record.id] = ledger_rows.OpenCall(record, position)
            elif isinstance(record, End):
                calls.pop(record.id, None)
            elif isinstance(record, AttemptBegun | Progress) and record.id in calls:
                calls[record.id].note(record)
        for call in calls.values():
            end = interrupted_end(call, price_of_row)
            if not _why_bad(end):
                batch.ends.setdefault(end.id, end)

    def _known(self, ends: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Rows that are in the ledger already, by id."""
        ids = list(ends)
        known: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), QUERY_IDS):
            rows = Request.objects.filter(pk__in=ids[start : start + QUERY_IDS])
            for row in rows.values("id", "status", "cost_nanodollars", *_COUNTED):
                known[str(row["id"])] = row
        return known

    def _count(self, end: End, batch: Batch) -> None:
        batch.request_rows.append(ledger_rows.request_row(end, self.dialect))
        for attempt in end.attempts:
            row = ledger_rows.attempt_row(end, attempt, self.dialect)
            batch.attempt_rows.setdefault(row[0], row)
        batch.sums.add(countable(end))
        _charge(batch, end.charges, end.cost_nanodollars or 0, 1)
        refused = ledger_refusals.refusals_of(end.status, end.error_code, end.decision, end.at_ms)
        ledger_refusals.add(batch.refused, refused)
        for key in refused:
            batch.spend.setdefault(key, [0, 0])
        batch.settled.append(_settled(end))

    def _adjust_late(self, end: End, known: dict[str, dict[str, Any]], batch: Batch) -> None:
        """An end after `interrupted`: the difference is charged. After a true end: read twice."""
        row = known.get(end.id)
        if row is None:
            former = batch.ends[end.id]
            status, charged, call = former.status, former.cost_nanodollars, countable(former)
        else:
            status, charged, call = row["status"], row["cost_nanodollars"], _countable_of(row)
        still_unknown = charged is None and _unpriced(end)
        if status == "interrupted" and end.status != "interrupted" and not still_unknown:
            corrected = sum(each.cost_nanodollars for each in corrections_of(uuid.UUID(end.id)))
            difference = (end.cost_nanodollars or 0) - (charged or 0) - corrected
            late = Adjust(end.id, end.finished_at_ms, LATE_END, difference, end.charges)
            self._add_adjustment(batch, late, call, _unpriced(row or former))
        batch.settled.append(_settled(end))

    def _adjust(self, adjusts: list[Adjust], batch: Batch) -> None:
        known = self._known({adjust.id for adjust in adjusts if adjust.id not in batch.ends})
        for adjust in adjusts:
            if end := batch.ends.get(adjust.id):
                self._add_adjustment(batch, adjust, countable(end), _unpriced(end))
            elif row := known.get(adjust.id):
                self._add_adjustment(batch, adjust, _countable_of(row), _unpriced(row))
            else:
                self._add_adjustment(batch, adjust, None, 0)

    def _add_adjustment(self, batch: Batch, adjust: Adjust, call: Countable | None, unpriced: int) -> None:
        """Once by its cause. `call` is None while it is not written yet.

        A correction was computed from a row that a late end has told more of since: then that counts alone.
        """
        request_id, cause = uuid.UUID(adjust.id), ledger_rows.text(adjust.cause, 80)
        told = (cause, LATE_END) if cause.startswith(CORRECTION_CAUSE) else (cause,)
        if any((adjust.id, each) in batch.causes for each in told):
            return
        if Adjustment.objects.filter(request_id=request_id, cause__in=told).exists():
            return
        batch.causes.add((adjust.id, cause))
        batch.adjustments.append(
            Adjustment(
                id=uuid7(),
                request_id=request_id,
                cause=cause,
                cost_nanodollars=adjust.cost_nanodollars,
                at=from_ms(adjust.at_ms),
                charges=[{"budget_id": c.budget_id, "period": c.period} for c in adjust.charges],
                is_applied=call is not None,
            )
        )
        _charge(batch, adjust.charges, adjust.cost_nanodollars, 0)
        if call is not None:
            self._count_late(batch, adjust.id, cause, adjust.cost_nanodollars, call, unpriced)

    def _count_late(
        self, batch: Batch, call_id: str, cause: str, nanodollars: int, call: Countable, unpriced: int
    ) -> None:
        """A cost that came later; the first that tells what an unpriced call costs takes it out of these."""
        batch.sums.add_cost(call, nanodollars)
        if not unpriced or not tells_cost(cause) or call_id in batch.priced:
            return
        batch.priced.add(call_id)
        if not Adjustment.objects.filter(TELLS_COST, request_id=call_id, is_applied=True).exists():
            batch.sums.add_priced(call, unpriced)

    def _apply_waiting(self, batch: Batch) -> None:
        """Adjustments that came before their request are counted now that it is here."""
        waiting = Adjustment.objects.filter(is_applied=False)
        if not batch.ends or not waiting.exists():
            return
        ids = list(batch.ends)
        for start in range(0, len(ids), QUERY_IDS):
            for adjustment in waiting.filter(request_id__in=ids[start : start + QUERY_IDS]):
                end = batch.ends[str(adjustment.request_id)]
                late = (adjustment.cause, adjustment.cost_nanodollars, countable(end), _unpriced(end))
                self._count_late(batch, end.id, *late)
                batch.applied.append(adjustment.pk)

    def _note_later(self, batch: Batch) -> None:
        """Calls that made a batch end, and go on holding what it may cost: however their worker ended."""
        ids = [end.id for end in batch.ends.values() if end.endpoint in LATER and end.charges]
        if not ids:
            return
        waiting = {each.id for each in batch.stored if each.kind in BATCHES and each.state == "pending"}
        waiting |= stored.waiting_among(ids)
        batch.settled = [
            replace(call, later=later_cost(call.id)) if call.id in waiting else call for call in batch.settled
        ]

    def _move_offset(self, chunk: Chunk) -> None:
        open_from, open_calls = chunk.open_after()
        JournalOffset.objects.update_or_create(
            journal=chunk.tail.name,
            defaults={
                "host": self.host,
                "segment": chunk.after[0],
                "offset": chunk.after[1],
                "open_from_segment": open_from[0],
                "open_from_offset": open_from[1],
                "open_calls": open_calls,
                "finished_at": now() if chunk.resolves else None,
            },
        )


_COUNTED = ("started_at", *DIMENSIONS, "tags", "end_user", "client", "usage_source", "repeated")


def _unpriced(told: End | dict[str, Any]) -> int:
    """How often a call is counted among those whose cost nobody can tell."""
    row = told if isinstance(told, dict) else msgspec.structs.asdict(told)
    names = ("status", "cost_nanodollars", "deployment_id", "usage_source")
    return max(row["repeated"], 1) if is_unpriced(*(row[name] for name in names)) else 0


def _countable_of(row: dict[str, Any]) -> Countable:
    """Where a row of the ledger is counted (its own figures are counted already)."""
    return Countable(
        started_ms=round(row["started_at"].timestamp() * 1000),
        dimensions=tuple(row[name] for name in DIMENSIONS),
        figures=(),
        claims=ledger_rows.claims_of(row["tags"], row["end_user"], row["client"]),
    )


def _charge(batch: Batch, charges: tuple[Charge, ...], nanodollars: int, requests: int) -> None:
    for charge in charges:
        key = (ledger_rows.text(charge.budget_id, 36), ledger_rows.text(charge.period, 40))
        spent = batch.spend.setdefault(key, [0, 0])
        spent[0] += nanodollars
        spent[1] += requests


def _settled(end: End) -> SettledCall:
    return SettledCall(
        id=end.id,
        status=end.status,
        cost_nanodollars=end.cost_nanodollars,
        input_tokens=end.tokens.input_tokens,
        output_tokens=end.tokens.output_tokens,
        charges=end.charges,
    )


def _why_bad(record: End | Adjust | Stored) -> str:
    """What keeps a record from becoming a row; '' when nothing does."""
    if isinstance(record, Stored):
        return stored.why_bad(record)
    try:
        if str(uuid.UUID(record.id)) != record.id:
            return "not an id as we write them"
        from_ms(record.at_ms)
        if isinstance(record, End):
            from_ms(record.finished_at_ms)
            for attempt in record.attempts:
                from_ms(attempt.at_ms)
    except (ValueError, OverflowError, OSError) as problem:
        return f"not a row: {problem}"
    return ""
