"""The admin's page of prices."""

from usage_app.admin import prices

__all__ = ["prices"]
