"""A change of a virtual key: its columns, budgets and limits at once. API and pages come here."""

from collections.abc import Mapping
from typing import Any

from keys_app import issuing
from keys_app.audit import differences, values_of
from keys_app.identity_secrets import set_identity_secret
from keys_app.models import VirtualKey


def change_key(key: VirtualKey, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Write the columns, budgets and limits; returns what the audit log keeps of it."""
    values, before = dict(values), values_of(key)
    changes: dict[str, list[Any]] = {}
    if "budgets" in values:
        issuing.set_budgets(key, values.pop("budgets"))
        changes["budgets"] = []
    if "limits" in values:
        issuing.set_limits(key, values.pop("limits"))
        changes["limits"] = []
    if "identity_secret" in values:
        set_identity_secret(key, values.pop("identity_secret"))
        key.save(update_fields=["identity_secret_encrypted"])
    for name, value in values.items():
        setattr(key, name, value)
    if values:
        key.save(update_fields=list(values))
    return {**differences(before, values_of(key)), **changes}
