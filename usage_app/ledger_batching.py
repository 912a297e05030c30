"""One batch: what was read of the journals becomes rows, sums, spend and offsets in one transaction."""

import uuid
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway_project.clock import from_ms, now
from usage_app import ledger_late, ledger_refusals, ledger_rows, stored
from usage_app.dialects import Dialect, insert_rows, upsert_rows
from usage_app.journal_lines import BadLine
from usage_app.ledger_batches import BadItem, Batch
from usage_app.ledger_journals import Chunk
from usage_app.ledger_names import NameKeeper
from usage_app.ledger_rows import countable, interrupted_end
from usage_app.models import Adjustment, Attempt, BudgetSpend, JournalOffset, Request
from usage_app.pricebook import price_of_row
from usage_app.records import Adjust, AttemptBegun, Begin, End, Progress, Stored
from usage_app.rollups import ClaimValues, Sums


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
        known = ledger_late.rows_of(batch.ends)
        late_ends.extend(batch.ends.pop(call_id) for call_id in known)
        for end in batch.ends.values():
            self._count(end, batch)
        for end in late_ends:
            ledger_late.adjust_late(end, known, batch)
        ledger_late.adjust_told(adjusts, batch)
        ledger_late.apply_waiting(batch)
        ledger_late.note_later(batch)
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

    def _count(self, end: End, batch: Batch) -> None:
        batch.request_rows.append(ledger_rows.request_row(end, self.dialect))
        for attempt in end.attempts:
            row = ledger_rows.attempt_row(end, attempt, self.dialect)
            batch.attempt_rows.setdefault(row[0], row)
        batch.sums.add(countable(end))
        batch.charge(end.charges, end.cost_nanodollars or 0, 1)
        told = (end.status, end.error_code, end.decision, end.at_ms, end.repeated)
        refused = ledger_refusals.refusals_of(*told)
        ledger_refusals.add(batch.refused, refused)
        for key in refused:
            batch.spend.setdefault(key, [0, 0])
        batch.note_settled(end)

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
