"""What happened and what it cost: the ledger's rows, its sums, and the price book."""

from usage_app.models.captured import CapturedBody
from usage_app.models.correction import PriceCorrection
from usage_app.models.export import Export, ExportPart, SavedView
from usage_app.models.ledger import (
    Adjustment,
    Alert,
    AlertDelivery,
    BudgetSpend,
    JournalOffset,
    LedgerSettings,
    LedgerStatus,
)
from usage_app.models.price import Price
from usage_app.models.request import Attempt, Request
from usage_app.models.rollup import ClaimRollup, DayRollup, KnownName, ReportingSeries, Rollup
from usage_app.models.stored import StoredObject

__all__ = [
    "Adjustment",
    "Alert",
    "AlertDelivery",
    "Attempt",
    "BudgetSpend",
    "CapturedBody",
    "ClaimRollup",
    "DayRollup",
    "Export",
    "ExportPart",
    "JournalOffset",
    "KnownName",
    "LedgerSettings",
    "LedgerStatus",
    "Price",
    "PriceCorrection",
    "ReportingSeries",
    "Request",
    "Rollup",
    "SavedView",
    "StoredObject",
]
