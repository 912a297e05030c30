"""A batch of the ledger: what was read of the journals, and all that it amounts to."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from usage_app import ledger_rows
from usage_app.ledger_journals import Chunk, Position
from usage_app.ledger_refusals import Refusals
from usage_app.ledger_rows import SettledCall
from usage_app.models import Adjustment
from usage_app.records import Charge, End, Stored
from usage_app.rollups import Sums


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

    def charge(self, charges: tuple[Charge, ...], nanodollars: int, requests: int) -> None:
        for charge in charges:
            key = (ledger_rows.text(charge.budget_id, 36), ledger_rows.text(charge.period, 40))
            spent = self.spend.setdefault(key, [0, 0])
            spent[0] += nanodollars
            spent[1] += requests

    def note_settled(self, end: End) -> None:
        """For the limit store, which is told after the commit."""
        self.settled.append(
            SettledCall(
                id=end.id,
                status=end.status,
                cost_nanodollars=end.cost_nanodollars,
                input_tokens=end.tokens.input_tokens,
                output_tokens=end.tokens.output_tokens,
                charges=end.charges,
            )
        )
