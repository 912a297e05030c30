"""Reads providers, models, deployments and fallbacks into the snapshot's 'catalogue'.

Disabled rows are left out, credentials become ready-made headers; one that cannot be decrypted is said
to be unreadable and takes nothing else down.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from keys_app.crypto import Unreadable
from proxy_app.catalogue import (
    Catalogue,
    DeploymentEntry,
    FallbackEntry,
    ModelEntry,
    ProviderEntry,
    Timeouts,
)
from proxy_app.credentials import read_credential
from proxy_app.formats.registry import UPSTREAM
from proxy_app.models import Deployment, Fallback, Model, Provider
from proxy_app.providers import aws_signing
from proxy_app.providers.accounts import Account, AwsKeys, NotAnAccount, ServiceAccount, read_account
from proxy_app.providers.addressing import base_address
from proxy_app.providers.presets import PRESETS, Preset, auth_headers

_TIMEOUTS = ("connect_s", "first_content_s", "idle_s", "total_s")

log = logging.getLogger(__name__)


class CatalogueSection:
    """The catalogue as a section of the policy snapshot; small enough to be read whole at any change."""

    name = "catalogue"
    tables: frozenset[str] = frozenset(row._meta.db_table for row in (Provider, Model, Deployment, Fallback))

    def load(self) -> Catalogue:
        """Four queries, whatever there is."""
        return load_catalogue()

    def refresh(self, previous: Catalogue, changed: Mapping[str, frozenset[str]]) -> Catalogue:
        return load_catalogue()


def load_catalogue() -> Catalogue:
    """Everything that is enabled, in an order that depends on nothing but the rows."""
    providers = {
        row.pk: entry
        for row in Provider.objects.filter(is_enabled=True).order_by("id")
        if (entry := provider_entry(row)) is not None
    }
    deployments: dict[UUID, list[DeploymentEntry]] = defaultdict(list)
    rows = Deployment.objects.filter(is_enabled=True).select_related("provider")
    for deployment in rows.order_by("order", "-weight", "id"):
        if provider := providers.get(deployment.provider_id):
            deployments[deployment.model_id].append(deployment_entry(deployment, provider))
    models = list(Model.objects.filter(is_enabled=True).order_by("id"))
    fallbacks = _fallbacks({row.pk: row.name for row in models})
    return _catalogue(models, {row.pk: _model_entry(row, deployments, fallbacks) for row in models})


def provider_entry(row: Provider) -> ProviderEntry | None:
    """A provider as the data plane calls it; None for a kind this version does not know."""
    preset = PRESETS.get(row.kind)
    if preset is None:
        log.warning("provider %s has the kind %s, which is not known here", row.name, row.kind)
        return None
    secret, account, state = _credential(row, preset)
    settings = {name: str(value) for name, value in row.settings.items() if name in preset.settings and value}
    project = account.project_id if isinstance(account, ServiceAccount) else ""
    return ProviderEntry(
        id=str(row.pk),
        name=row.name,
        kind=row.kind,
        base_url=base_address(preset.addressing, preset.base_url, row.base_url, settings, project),
        format=preset.format,
        headers=auth_headers(preset.auth, secret if account is None else ""),
        may_be_private=row.may_be_private,
        credential_state=state,
        price_kind=preset.price_provider_id or row.kind,
        quirks=dict(preset.quirks),
        is_sandbox=row.kind == "sandbox",
        other_formats=preset.other_formats,
        addressing=preset.addressing,
        settings=settings,
        auth=preset.auth,
        account=account,
    )


def deployment_entry(row: Deployment, provider: ProviderEntry) -> DeploymentEntry:
    """A deployment; its own quirks and timeouts win over its provider's. What it prefers it speaks."""
    if row.quirks:
        provider = replace(provider, quirks={**provider.quirks, **row.quirks})
    preferred = provider.quirks.get("prefers")
    if preferred in UPSTREAM and preferred not in provider.formats:
        provider = replace(provider, other_formats=(*provider.other_formats, preferred))
    return DeploymentEntry(
        id=str(row.pk),
        name=f"{provider.name}/{row.upstream_model}",
        model_id=str(row.model_id),
        provider=provider,
        upstream_model=row.upstream_model,
        weight=row.weight,
        order=row.order,
        timeouts=_timeouts(row, row.provider),
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        parallel=row.parallel,
        tags=tuple(row.tags),
    )


def _credential(row: Provider, preset: Preset) -> tuple[str, Account | None, str]:
    """(the secret, the account it holds, ok or what is wrong)."""
    try:
        secret = read_credential(row)
        account = read_account(preset.auth, secret)
    except Unreadable as error:
        log.error("the credential of provider %s: %s", row.name, error)
        return "", None, "unreadable"
    except NotAnAccount as error:
        log.error("the credential of provider %s is not usable: %s", row.name, error)
        return "", None, "not_an_account"
    if isinstance(account, AwsKeys) and not aws_signing.is_available():
        return secret, account, "cannot_sign"
    return secret, account, "missing" if preset.needs_credential and not secret else "ok"


def _timeouts(*rows: Deployment | Provider) -> Timeouts:
    """Each duration from the first row that sets it, else the default."""
    given: dict[str, Any] = {}
    for name in _TIMEOUTS:
        column = f"{name.removesuffix('_s')}_timeout_s"
        values = [value for row in rows if (value := getattr(row, column)) is not None]
        if values:
            given[name] = values[0]
    return Timeouts(**given)


def _fallbacks(names: Mapping[UUID, str]) -> dict[UUID, list[FallbackEntry]]:
    found: dict[UUID, list[FallbackEntry]] = defaultdict(list)
    for row in Fallback.objects.order_by("cause", "order", "id"):
        if row.target_id in names:
            found[row.model_id].append(FallbackEntry(row.cause, names[row.target_id]))
    return found


def _model_entry(
    row: Model,
    deployments: Mapping[UUID, list[DeploymentEntry]],
    fallbacks: Mapping[UUID, list[FallbackEntry]],
) -> ModelEntry:
    return ModelEntry(
        id=str(row.pk),
        name=row.name,
        strategy=row.strategy,
        created_s=int(row.created_at.timestamp()),
        deployments=tuple(deployments.get(row.pk, ())),
        fallbacks=tuple(fallbacks.get(row.pk, ())),
        description=row.description,
    )


def _catalogue(rows: list[Model], entries: Mapping[UUID, ModelEntry]) -> Catalogue:
    """Names before aliases: a model's own name always means that model."""
    called = [(row.name, entries[row.pk]) for row in rows]
    called += [(alias, entries[row.pk]) for row in rows for alias in row.aliases]
    by_name: dict[str, ModelEntry] = {}
    patterns: dict[str, ModelEntry] = {}
    for name, entry in called:
        if name.endswith("*"):
            patterns.setdefault(name[:-1], entry)
        else:
            by_name.setdefault(name, entry)
    longest_first = sorted(patterns.items(), key=lambda item: (-len(item[0]), item[0]))
    return Catalogue(by_name=by_name, patterns=tuple(longest_first))
