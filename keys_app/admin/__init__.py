"""The admin's pages of people, services, keys, allowances and the log of changes."""

from keys_app.admin import allowances, keys, log, people

__all__ = ["allowances", "keys", "log", "people"]
