"""Declared rows into the database, idempotently: what the file defines is managed by its name.

A row is written only when it differs, so a start with an unchanged file changes no policy. A row that
left the file is disabled and keeps its history; rows that nobody's file manages are never touched,
except a model or service whose name the file takes over, which is said.
"""

from typing import Any

from django.db import models, transaction

from keys_app.issuing import block_key
from keys_app.models import Service, VirtualKey
from proxy_app.config_file.applying_keys import apply_keys, apply_services
from proxy_app.config_file.applying_models import apply_deployments, apply_fallbacks, apply_models
from proxy_app.config_file.applying_providers import apply_providers
from proxy_app.config_file.declared import Declared
from proxy_app.models import Deployment, Fallback, Model, Provider
from usage_app.models import Price

#: what can be managed by a file -> the column and value that mean "off"
_ROWS: tuple[tuple[type[models.Model], str], ...] = (
    (Provider, "is_enabled"),
    (Model, "is_enabled"),
    (Deployment, "is_enabled"),
    (Price, "is_enabled"),
    (Service, "is_active"),
)


def apply(declared: Declared) -> list[str]:
    """All of it in one transaction; returns notices."""
    notices: list[str] = []
    with transaction.atomic():
        providers = apply_providers(declared, notices)
        found = apply_models(declared, notices)
        apply_deployments(declared, providers, found, notices)
        apply_fallbacks(declared, found, notices)
        services = apply_services(declared, notices)
        apply_keys(declared, services, notices)
    return notices


def disable_former_files(current: str) -> list[str]:
    """Switch off what another file managed that is not the configuration any more."""
    notices: list[str] = []
    files: set[str] = set()
    with transaction.atomic():
        for row, column in _ROWS:
            rows: models.QuerySet[Any] = row._default_manager.exclude(managed_by__in=("", current))
            files.update(rows.filter(**{column: True}).values_list("managed_by", flat=True))
            rows.filter(**{column: True}).update(**{column: False})
        Fallback.objects.exclude(managed_by__in=("", current)).delete()
        keys = VirtualKey.objects.exclude(managed_by__in=("", current)).filter(blocked_at__isnull=True)
        for key in keys:
            files.add(key.managed_by)
            block_unlisted(key)
    notices += [f"{file} is no longer the configuration; what it defined is off." for file in sorted(files)]
    return notices


def block_unlisted(key: VirtualKey) -> None:
    """A key that left its file stops working."""
    block_key(key, f"No longer in {key.managed_by}.")
