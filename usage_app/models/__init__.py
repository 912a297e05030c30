"""What happened and what it cost: the ledger's rows, its sums, and the price book."""

from usage_app.models.price import Price
from usage_app.models.request import Attempt, Request

__all__ = ["Attempt", "Price", "Request"]
