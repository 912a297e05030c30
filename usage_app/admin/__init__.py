"""The admin's pages of prices and alerts."""

from usage_app.admin import alerts, prices

__all__ = ["alerts", "prices"]
