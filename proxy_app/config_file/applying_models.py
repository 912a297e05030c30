"""Declared models, deployments with their prices, and fallbacks into rows."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from proxy_app.config_file.declared import Declared, DeclaredDeployment, DeclaredPrice
from proxy_app.config_file.litellm_prices import COLUMNS
from proxy_app.config_file.writing import write_if_changed
from proxy_app.models import Deployment, Fallback, Model, Provider
from usage_app.models import Price

_Same = tuple[UUID, UUID, str]


def apply_models(declared: Declared, notices: list[str]) -> dict[str, Model]:
    """Model rows by name. A model made by hand is taken over, and its other deployments are off."""
    known = {row.name: row for row in Model.objects.filter(name__in=declared.models)}
    rows: dict[str, Model] = {}
    for wanted in declared.models.values():
        row = known.get(wanted.name) or Model(name=wanted.name)
        if not row._state.adding and row.managed_by != declared.file:
            _take_over(row, declared.file, notices)
        write_if_changed(
            row,
            {
                "aliases": wanted.aliases,
                "description": wanted.description,
                "strategy": wanted.strategy,
                "is_enabled": True,
                "managed_by": declared.file,
            },
        )
        rows[wanted.name] = row
    left = Model.objects.filter(managed_by=declared.file, is_enabled=True).exclude(name__in=declared.models)
    left.update(is_enabled=False)
    return rows


def _take_over(row: Model, file: str, notices: list[str]) -> None:
    others = Deployment.objects.filter(model=row, is_enabled=True).exclude(managed_by=file)
    count = others.update(is_enabled=False)
    if count:
        notices.append(f"{file} now defines the model {row.name}; {count} other deployment(s) of it are off.")


def apply_deployments(
    declared: Declared, providers: dict[str, Provider], models: dict[str, Model], notices: list[str]
) -> None:
    """Deployment rows. Equal ones (model, provider, upstream name) are told apart by their order."""
    known: dict[_Same, list[Deployment]] = defaultdict(list)
    for row in Deployment.objects.filter(managed_by=declared.file).order_by("created_at", "id"):
        known[row.model_id, row.provider_id, row.upstream_model].append(row)
    kept: list[UUID] = []
    prices: dict[UUID, DeclaredPrice] = {}
    for model in declared.models.values():
        for wanted in model.deployments:
            same = known[models[model.name].pk, providers[wanted.provider].pk, wanted.upstream_model]
            row = same.pop(0) if same else Deployment()
            values = _values(wanted, providers, models[model.name], declared.file)
            write_if_changed(row, values | {"quirks": _quirks(row, wanted)})
            kept.append(row.pk)
            if wanted.price is not None:
                prices[row.pk] = wanted.price
    left = Deployment.objects.filter(managed_by=declared.file, is_enabled=True).exclude(pk__in=kept)
    left.update(is_enabled=False)
    _apply_prices(declared, models, prices)


def _values(
    wanted: DeclaredDeployment, providers: dict[str, Provider], model: Model, file: str
) -> dict[str, Any]:
    return {
        "model_id": model.pk,
        "provider_id": providers[wanted.provider].pk,
        "upstream_model": wanted.upstream_model,
        "weight": wanted.weight,
        "order": wanted.order,
        "is_enabled": wanted.is_enabled,
        "requests_per_minute": wanted.requests_per_minute,
        "tokens_per_minute": wanted.tokens_per_minute,
        "parallel": wanted.parallel,
        "connect_timeout_s": wanted.timeouts.connect_s,
        "first_content_timeout_s": wanted.timeouts.first_content_s,
        "idle_timeout_s": wanted.timeouts.idle_s,
        "total_timeout_s": wanted.timeouts.total_s,
        "tags": list(wanted.tags),
        "managed_by": file,
    }


def _quirks(row: Deployment, wanted: DeclaredDeployment) -> dict[str, Any]:
    """What the file says over what an admin set."""
    known = {**row.quirks, **wanted.quirks}
    return {name: value for name, value in known.items() if value is not None}


def _apply_prices(declared: Declared, models: dict[str, Model], prices: dict[UUID, DeclaredPrice]) -> None:
    """One enabled price a deployment and tier. A changed price is a new row: ledger rows keep naming the
    old one."""
    rows = Price.objects.filter(managed_by=declared.file, is_enabled=True).order_by("id")
    current = {(row.deployment_id, row.service_tier): row for row in rows}
    by_tier = [
        (deployment, tier, price)
        for deployment, usual in prices.items()
        for tier, price in {"": usual, **usual.of_tiers}.items()
    ]
    for deployment, tier, wanted in by_tier:
        values = _price_values(wanted)
        row = current.pop((deployment, tier), None)
        if row is not None and all(getattr(row, name) == value for name, value in values.items()):
            continue
        if row is not None:
            row.is_enabled = False
            row.save(update_fields=["is_enabled"])
        upstream = Deployment.objects.values_list("upstream_model", flat=True).get(pk=deployment)
        Price.objects.create(
            deployment_id=deployment,
            service_tier=tier,
            model=upstream,
            source=Price.Source.FILE,
            managed_by=declared.file,
            **values,
        )
    Price.objects.filter(pk__in=[row.pk for row in current.values()]).update(is_enabled=False)


def _price_values(wanted: DeclaredPrice) -> dict[str, Any]:
    rates = {column: wanted.rates.get(column) for column in COLUMNS.values()}
    return {
        **rates,
        "unit_nanodollars": dict(wanted.units),
        "tiers": [dict(tier) for tier in wanted.tiers],
        "context_window": wanted.context_window,
        "unpriced_reason": wanted.unpriced_reason,
    }


def apply_fallbacks(declared: Declared, models: dict[str, Model], notices: list[str]) -> None:
    """Fallback rows; they have no history of their own, so one that left the file is deleted."""
    names = {name for wanted in declared.fallbacks for name in (wanted.model, wanted.target)}
    known = {row.name: row for row in Model.objects.filter(name__in=names)} | models
    rows = {(row.model_id, row.cause, row.target_id): row for row in Fallback.objects.all()}
    kept: set[UUID] = set()
    for wanted in declared.fallbacks:
        if missing := [name for name in (wanted.model, wanted.target) if name not in known]:
            notices.append(f"{declared.file}: a fallback was left out: no model {missing[0]}.")
            continue
        model, target = known[wanted.model], known[wanted.target]
        row = rows.get((model.pk, wanted.cause, target.pk)) or Fallback(
            model=model, cause=wanted.cause, target=target
        )
        write_if_changed(row, {"order": wanted.order, "managed_by": declared.file})
        kept.add(row.pk)
    Fallback.objects.filter(managed_by=declared.file).exclude(pk__in=kept).delete()
