"""Price rows to compiled prices, and the snapshot's section 'prices'. Reads the database in a thread."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from gateway_project.clock import now_ms
from usage_app.models import Price
from usage_app.pricing import CompiledPrice, PriceBook, PriceRow, Rates, compile_rates

if TYPE_CHECKING:
    from django.db.models import QuerySet

TABLE = "usage_app_price"

#: Providers that sell other makers' models at the makers' prices when the list has none of their own.
FALLBACK_KINDS: dict[str, tuple[str, ...]] = {
    "azure": ("openai", "anthropic", "deepseek", "x-ai", "moonshotai"),
    "google": ("anthropic",),
}

#: Kind of provider -> what the price list calls it, where that differs. Filled by whoever knows providers.
PRICE_KINDS: dict[str, str] = {}

#: Kind of token -> column of Price.
RATE_COLUMNS = {
    "input": "input_nanodollars",
    "cache_read": "cache_read_nanodollars",
    "cache_write": "cache_write_nanodollars",
    "cache_write_1h": "cache_write_1h_nanodollars",
    "output": "output_nanodollars",
    "reasoning": "output_reasoning_nanodollars",
    "input_audio": "input_audio_nanodollars",
    "output_audio": "output_audio_nanodollars",
}

_COLUMNS = (
    "id",
    "provider_kind",
    "model",
    "deployment_id",
    "service_tier",
    "source",
    *RATE_COLUMNS.values(),
    "request_nanodollars",
    "unit_nanodollars",
    "tiers",
    "context_window",
    "valid_from",
    "valid_until",
    "daily_from_minute",
    "daily_until_minute",
    "unpriced_reason",
    "match",
    "list_place",
    "list_rank",
)


class PriceSection:
    """The price book as a section of the policy snapshot."""

    name = "prices"
    tables: frozenset[str] = frozenset({TABLE})

    def load(self) -> PriceBook:
        """Every enabled price, compiled."""
        return _book(_rows(None))

    def refresh(self, previous: PriceBook, changed: Mapping[str, frozenset[str]]) -> PriceBook:
        """The book after some rows changed; the others are taken over as they are."""
        keys = changed.get(TABLE, frozenset())
        if not keys:
            return previous
        ids = {_undashed(key) for key in keys}
        kept = [row for row in previous.rows.values() if _undashed(row.price.id) not in ids]
        return _book([*kept, *_rows(sorted(ids))])


def compile_price(row: Mapping[str, Any]) -> CompiledPrice:
    """A row's columns (by name) as a compiled price."""
    base = {kind: row[column] for kind, column in RATE_COLUMNS.items()}
    reason = row["unpriced_reason"]
    units = {str(unit): int(rate) for unit, rate in (row["unit_nanodollars"] or {}).items()}
    by_tokens = any(value is not None for value in base.values())
    if not reason and row["request_nanodollars"] is None and not by_tokens and not units:
        reason = "no rate is set"
    rates, tiers = compile_rates(base, [_whole_tier(tier) for tier in row["tiers"] or ()])
    daily = (row["daily_from_minute"], row["daily_until_minute"])
    return CompiledPrice(
        id=str(row["id"]),
        provider_kind=row["provider_kind"],
        model=row["model"],
        source=row["source"],
        service_tier=row["service_tier"],
        rates=rates,
        tiers=tiers,
        request_nanodollars=row["request_nanodollars"] or 0,
        context_window=row["context_window"],
        valid_from_ms=_ms(row["valid_from"]),
        valid_until_ms=_ms(row["valid_until"]),
        daily_minutes=None if None in daily else daily,
        unpriced_reason=reason,
        units=units,
        by_tokens=by_tokens,
    )


def price_of_row(price_id: str) -> CompiledPrice | None:
    """One price by its id, whether enabled or not: for a call that was begun at it."""
    row = Price.objects.filter(pk=price_id).values(*_COLUMNS).first()
    return compile_price(row) if row else None


def prices_now(deployments: Iterable[Any]) -> dict[Any, CompiledPrice]:
    """The price that holds now of each deployment that has one, by its key."""
    return prices_now_of({row.pk: (row, row.upstream_model) for row in deployments})


def prices_now_of(wanted: Mapping[Any, tuple[Any, str]]) -> dict[Any, CompiledPrice]:
    """By the same keys, the price that holds now of a deployment and its provider's name of a model, where
    there is one: found as for a call. Reads the rows of their providers' kinds alone."""
    kinds = {_price_kind(row) for row, _model in wanted.values()}
    kinds |= {other for kind in kinds for other in FALLBACK_KINDS.get(kind, ())}
    prices = Price.objects.filter(is_enabled=True)
    book = _book(_compiled(prices.filter(Q(provider_kind__in={*kinds, ""}) | Q(deployment_id__isnull=False))))
    found = {
        key: book.find(str(row.pk), _price_kind(row), model, now_ms()) for key, (row, model) in wanted.items()
    }
    return {key: price for key, price in found.items() if price is not None}


def kept_out(deployments: Iterable[Any]) -> dict[str, list[Any]]:
    """Prices set for all deployments of a model, by their ids, and those that they would hold of now
    but for a price of their own."""
    rows = list(deployments)
    enabled = Price.objects.filter(is_enabled=True)
    own = enabled.filter(deployment_id__in=[row.pk for row in rows])
    own_ids = {str(pk) for pk in own.values_list("pk", flat=True)}
    if not own_ids:
        return {}
    held = prices_now(rows)
    general = _book(_compiled(enabled.filter(deployment_id=None).exclude(source=Price.Source.LIST)))
    found: dict[str, list[Any]] = {}
    for row in rows:
        if row.pk in held and held[row.pk].id in own_ids:
            price = general.find("", _price_kind(row), row.upstream_model, now_ms())
            if price is not None:
                found.setdefault(price.id, []).append(row)
    return found


def _price_kind(deployment: Any) -> str:
    kind: str = deployment.provider.kind
    return PRICE_KINDS.get(kind, kind)


def _rows(ids: list[str] | None) -> Iterable[PriceRow]:
    prices = Price.objects.filter(is_enabled=True)
    return _compiled(prices if ids is None else prices.filter(pk__in=ids))


def _compiled(prices: "QuerySet[Price]") -> Iterable[PriceRow]:
    for row in prices.values(*_COLUMNS).iterator(chunk_size=1000):
        yield PriceRow(
            price=compile_price(row),
            deployment_id=str(row["deployment_id"]) if row["deployment_id"] else "",
            clause=row["match"],
            order=(row["list_place"], row["list_rank"]),
        )


def _book(rows: Iterable[PriceRow]) -> PriceBook:
    return PriceBook(rows, FALLBACK_KINDS)


def _whole_tier(tier: Mapping[str, Any]) -> dict[str, int]:
    wanted = ("from_input_tokens", *Rates._fields)
    return {name: int(tier[name]) for name in wanted if tier.get(name) is not None}


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)


def _undashed(key: str) -> str:
    """Row keys come from triggers: SQLite stores a UUID without dashes, PostgreSQL with them."""
    return key.replace("-", "").lower()
