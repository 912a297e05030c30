"""The admin's pages of people, services, keys, allowances and the log of changes."""

from keys_app.admin import allowances, control, keys, log, people

__all__ = ["allowances", "control", "keys", "log", "people"]
