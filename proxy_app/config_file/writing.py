"""Writes a row only when it differs from what is wanted."""

from collections.abc import Mapping
from typing import Any

from django.db import models


def write_if_changed(row: models.Model, values: Mapping[str, Any]) -> bool:
    """Set `values` and save what differs (all of a new row). True when something was written."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    if row._state.adding:
        row.save(force_insert=True)
        return True
    if changed:
        row.save(update_fields=changed)
    return bool(changed)
