"""One batch: what was read of the journals becomes rows, sums, spend and offsets in one transaction."""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway_project.clock import from_ms, now, uuid7
from usage_app import ledger_rows, stored
from usage_app.dialects import Dialect, insert_rows, upsert_rows
from usage_app.journal import BadLine
from usage_app.ledger_journals import Chunk, Position
from usage_app.ledger_names import NameKeeper
from usage_app.ledger_rows import SettledCall, countable, interrupted_end
from usage_app.models import Adjustment, Attempt, BudgetSpend, JournalOffset, Request
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.models.rollup import DIMENSIONS
from usage_app.pricebook import price_of_row
from usage_app.records import (
    BATCHES,
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

LATE_END = "late end"
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
    applied: list[uuid.UUID] = field(default_factory=list)  # adjustments whose request came now
    spend: dict[tuple[str, str], list[int]] = field(default_factory=dict)
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
        batch.settled.append(_settled(end))

    def _adjust_late(self, end: End, known: dict[str, dict[str, Any]], batch: Batch) -> None:
        """An end after `interrupted`: the difference is charged. After a true end: read twice."""
        row = known.get(end.id)
        if row is None:
            former = batch.ends[end.id]
            status, charged, call = former.status, former.cost_nanodollars, countable(former)
        else:
            status, charged, call = row["status"], row["cost_nanodollars"], _countable_of(row)
        if status == "interrupted" and end.status != "interrupted":
            difference = (end.cost_nanodollars or 0) - (charged or 0)
            self._add_adjustment(batch, end.id, LATE_END, difference, end.finished_at_ms, end.charges, call)
        batch.settled.append(_settled(end))

    def _adjust(self, adjusts: list[Adjust], batch: Batch) -> None:
        known = self._known({adjust.id for adjust in adjusts if adjust.id not in batch.ends})
        for adjust in adjusts:
            call, row = None, known.get(adjust.id)
            if end := batch.ends.get(adjust.id):
                call = countable(end)
            elif row is not None:
                call = _countable_of(row)
            is_new = self._add_adjustment(
                batch, adjust.id, adjust.cause, adjust.cost_nanodollars, adjust.at_ms, adjust.charges, call
            )
            if is_new and row is not None and call is not None and self._is_priced_now(adjust, row):
                batch.sums.add_priced(call, row["repeated"])

    def _is_priced_now(self, adjust: Adjust, row: dict[str, Any]) -> bool:
        """Whether a correction gives a call its first price: it is counted among the unpriced no more."""
        if not adjust.cause.startswith(CORRECTION_CAUSE) or not is_unpriced(
            row["status"], row["cost_nanodollars"], row["deployment_id"], row["usage_source"]
        ):
            return False
        former = Adjustment.objects.filter(request_id=adjust.id, cause__startswith=CORRECTION_CAUSE)
        return not former.exists()

    def _add_adjustment(
        self,
        batch: Batch,
        call_id: str,
        cause: str,
        nanodollars: int,
        at_ms: int,
        charges: tuple[Charge, ...],
        call: Countable | None,
    ) -> bool:
        """Whether it is one that was not counted yet."""
        request_id = uuid.UUID(call_id)
        cause = ledger_rows.text(cause, 80)
        if (call_id, cause) in batch.causes:
            return False
        if Adjustment.objects.filter(request_id=request_id, cause=cause).exists():
            return False
        batch.causes.add((call_id, cause))
        batch.adjustments.append(
            Adjustment(
                id=uuid7(),
                request_id=request_id,
                cause=cause,
                cost_nanodollars=nanodollars,
                at=from_ms(at_ms),
                charges=[{"budget_id": c.budget_id, "period": c.period} for c in charges],
                is_applied=call is not None,
            )
        )
        _charge(batch, charges, nanodollars, 0)
        if call is not None:
            batch.sums.add_cost(call, nanodollars)
        return True

    def _apply_waiting(self, batch: Batch) -> None:
        """Adjustments that came before their request are counted now that it is here."""
        waiting = Adjustment.objects.filter(is_applied=False)
        if not batch.ends or not waiting.exists():
            return
        ids = list(batch.ends)
        for start in range(0, len(ids), QUERY_IDS):
            for adjustment in waiting.filter(request_id__in=ids[start : start + QUERY_IDS]):
                call = countable(batch.ends[str(adjustment.request_id)])
                batch.sums.add_cost(call, adjustment.cost_nanodollars)
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
