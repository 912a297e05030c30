"""What tokens and other units cost: compiled prices, the book of them, and the one place that multiplies.

Pure: no clock, no database. Rates are whole nanodollars per million units; a cost is
sum(units x rate) divided once, half to even. An unknown price or usage is None, never 0.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from gateway_project.money import UNITS_PER_PRICE, divide_half_even
from usage_app.records import Tokens

DAY_MINUTES = 24 * 60
CACHE_ENTRIES = 20_000
_DATE_SUFFIX = re.compile(r"[-@](20\d{2})-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$")
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class Rates(NamedTuple):
    """Nanodollars per million tokens of each kind; every kind has its own figure."""

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int
    input_audio: int
    output_audio: int


#: What may be counted besides tokens, and billed. Images may be told apart by quality and size:
#: 'images:high:1024x1024'. Image tokens are parts of input and output, billed there without a rate.
UNITS = (
    *("images", "audio_ms", "characters", "searches", "file_searches", "code_sessions", "advisor_tokens"),
    *("declined_tokens", "input_image_tokens", "output_image_tokens"),
)
#: What a provider's own tools may do in a conversation, and charge for.
HOSTED = frozenset(
    {"images", "searches", "file_searches", "code_sessions", "advisor_tokens", "declined_tokens"}
)
_PARTS = frozenset({"input_image_tokens", "output_image_tokens"})

#: Where a kind without a price of its own is billed.
PARENT_KINDS = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "input_audio": "input",
    "output_audio": "output",
}


@dataclass(frozen=True, slots=True)
class CompiledPrice:
    """One price row, ready to multiply. `tiers` are (from that many input tokens, all rates)."""

    id: str
    provider_kind: str
    model: str
    source: str
    rates: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()  # ascending
    request_nanodollars: int = 0  # per 1,000,000 requests
    context_window: int | None = None
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    daily_minutes: tuple[int, int] | None = None  # [from, until) of the UTC day; may wrap midnight
    unpriced_reason: str = ""  # known to the list, yet billed by something that is not counted
    units: Mapping[str, int] = field(default_factory=dict)  # nanodollars per million of a unit
    by_tokens: bool = True  # some kind of token has a rate
    service_tier: str = ""  # only for calls that are served in it

    @property
    def is_free(self) -> bool:
        """Whatever is used of it costs nothing."""
        return not (any(self.rates) or self.tiers or self.request_nanodollars or any(self.units.values()))

    @property
    def bills_units(self) -> bool:
        """Whether it has a rate for something that is not a token."""
        return any(unit not in _PARTS for unit in self.units)

    def unit_rate(self, unit: str) -> int | None:
        """The rate of a unit: of exactly this kind of image, of its size, its quality, of any."""
        name, *kinds = unit.split(":")
        for kind in (unit, *(f"{name}:{kind}" for kind in reversed(kinds)), name):
            if (rate := self.units.get(kind)) is not None:
                return rate
        return None

    def dearest_unit_rate(self, unit: str) -> int:
        """The most that a unit may cost, whose kind may not be known yet."""
        if ":" in unit and (rate := self.unit_rate(unit)) is not None:
            return rate
        name = unit.partition(":")[0]
        return max((rate for kind, rate in self.units.items() if kind.partition(":")[0] == name), default=0)

    @property
    def is_conditional(self) -> bool:
        return not (self.valid_from_ms is None and self.valid_until_ms is None and self.daily_minutes is None)

    def is_active(self, at_ms: int) -> bool:
        """Whether the price holds at an instant."""
        if self.valid_from_ms is not None and at_ms < self.valid_from_ms:
            return False
        if self.valid_until_ms is not None and at_ms >= self.valid_until_ms:
            return False
        if self.daily_minutes is None:
            return True
        start, end = self.daily_minutes
        minute = at_ms // 60_000 % DAY_MINUTES
        return start <= minute < end if start <= end else minute >= start or minute < end

    def rates_at(self, input_tokens: int) -> Rates:
        """The rates of a call with that many input tokens: crossing a tier reprices all of it."""
        rates = self.rates
        for start, tier in self.tiers:
            if input_tokens < start:
                break
            rates = tier
        return rates


def compile_rates(
    base: Mapping[str, int | None], tiers: Sequence[Mapping[str, int]] = ()
) -> tuple[Rates, tuple[tuple[int, Rates], ...]]:
    """Rates of a row's columns and its tiers; a kind without a price takes its parent's.

    A tier ({"from_input_tokens": 200001, "input": …}) names the kinds it changes.
    """
    steps: list[tuple[int, Rates]] = []
    own: dict[str, int | None] = dict(base)
    rates = _resolve(own)
    for tier in sorted(tiers, key=lambda tier: tier["from_input_tokens"]):
        own.update({kind: tier[kind] for kind in Rates._fields if kind in tier})
        steps.append((tier["from_input_tokens"], _resolve(own)))
    return rates, tuple(steps)


def _resolve(own: Mapping[str, int | None]) -> Rates:
    figures: dict[str, int] = {}
    for kind in ("input", "output", *PARENT_KINDS):
        value = own.get(kind)
        if value is None:
            value = figures[PARENT_KINDS[kind]] if kind in PARENT_KINDS else 0
        figures[kind] = value
    return Rates(**figures)


# ---------------------------------------------------------------- multiplying


class CostLine(NamedTuple):
    """One product of a cost: `units` of a kind at `rate` nanodollars per million."""

    kind: str
    units: int
    rate: int


def cost(price: CompiledPrice, tokens: Tokens) -> int | None:
    """Nanodollars of one answer; None while the usage is unknown.

    Parts never exceed their whole: whatever a provider reports, no part is counted twice and no
    part is negative.
    """
    lines = cost_lines(price, tokens)
    if lines is None:
        return None
    return divide_half_even(sum(units * rate for _, units, rate in lines), UNITS_PER_PRICE)


def cost_lines(price: CompiledPrice, tokens: Tokens) -> list[CostLine] | None:
    """The arithmetic of `cost`, for a page that explains it; lines of no units are left out."""
    lines = [
        CostLine(unit, count, rate)
        for unit, count in tokens.units.items()
        if unit not in _PARTS and count > 0 and (rate := price.unit_rate(unit)) is not None
    ]
    if tokens.input_tokens is not None and (price.by_tokens or not price.bills_units):
        lines = _token_lines(price, tokens) + lines
    elif not lines and not price.is_free and (price.by_tokens or price.bills_units):
        return None  # what this price bills by is not known
    if price.request_nanodollars:
        lines.append(CostLine("request", 1, price.request_nanodollars))
    return [line for line in lines if line.units]


def unpriced_tools(price: CompiledPrice, tokens: Tokens) -> dict[str, int]:
    """What the provider's own tools did in a conversation that this price says nothing of."""
    if price.is_free:
        return {}
    return {
        unit: count
        for unit, count in tokens.units.items()
        if count > 0 and unit.partition(":")[0] in HOSTED and price.unit_rate(unit) is None
        # Whoever bills by the request means its searches by it.
        if not (unit == "searches" and price.request_nanodollars)
    }


def _token_lines(price: CompiledPrice, tokens: Tokens) -> list[CostLine]:
    assert tokens.input_tokens is not None
    total_input = max(tokens.input_tokens, 0)
    rates = price.rates_at(total_input)
    lines: list[CostLine] = []
    uncached = total_input
    if reads := min(max(tokens.cache_read_tokens or 0, 0), uncached):
        uncached -= reads
        lines.append(CostLine("cache_read", reads, rates.cache_read))
    if writes := min(max(tokens.cache_write_tokens or 0, tokens.cache_write_1h_tokens or 0, 0), uncached):
        uncached -= writes
        long_lived = min(max(tokens.cache_write_1h_tokens or 0, 0), writes)
        lines.append(CostLine("cache_write", writes - long_lived, rates.cache_write))
        lines.append(CostLine("cache_write_1h", long_lived, rates.cache_write_1h))
    if audio := min(max(tokens.input_audio_tokens or 0, 0), uncached):
        uncached -= audio
        lines.append(CostLine("input_audio", audio, rates.input_audio))
    if tokens.units and (image := _image_line(price, tokens, "input_image_tokens", uncached)):
        uncached -= image.units
        lines.append(image)
    lines.append(CostLine("input", uncached, rates.input))
    plain = max(tokens.output_tokens or 0, 0)
    if reasoning := min(max(tokens.reasoning_tokens or 0, 0), plain):
        plain -= reasoning
        lines.append(CostLine("reasoning", reasoning, rates.reasoning))
    if audio := min(max(tokens.output_audio_tokens or 0, 0), plain):
        plain -= audio
        lines.append(CostLine("output_audio", audio, rates.output_audio))
    if tokens.units and (image := _image_line(price, tokens, "output_image_tokens", plain)):
        plain -= image.units
        lines.append(image)
    lines.append(CostLine("output", plain, rates.output))
    return lines


def _image_line(price: CompiledPrice, tokens: Tokens, unit: str, most: int) -> CostLine | None:
    """Image tokens at a rate of their own, where the price has one."""
    rate = price.units.get(unit)
    count = min(max(tokens.units.get(unit, 0), 0), most)
    return CostLine(unit, count, rate) if rate is not None and count else None


def worst_case(
    price: CompiledPrice,
    input_tokens_upper: int,
    output_tokens_upper: int,
    units_upper: Mapping[str, int] | None = None,
) -> int:
    """The most a call within these bounds can cost: dearest kind, dearest tier, rounded up."""
    dearest_input, dearest_output = _dearest(price.rates)
    for start, rates in price.tiers:
        if start > input_tokens_upper:
            break
        tier_input, tier_output = _dearest(rates)
        dearest_input = max(dearest_input, tier_input)
        dearest_output = max(dearest_output, tier_output)
    if price.units:
        dearest_input = max(dearest_input, price.units.get("input_image_tokens", 0))
        dearest_output = max(dearest_output, price.units.get("output_image_tokens", 0))
    amount = (
        dearest_input * max(input_tokens_upper, 0)
        + dearest_output * max(output_tokens_upper, 0)
        + price.request_nanodollars
    )
    if units_upper:
        amount += sum(price.dearest_unit_rate(unit) * count for unit, count in units_upper.items())
    return -(-amount // UNITS_PER_PRICE)


@lru_cache(maxsize=8192)
def _dearest(rates: Rates) -> tuple[int, int]:
    """The dearest rate of any input kind and of any output kind."""
    return (
        max(rates.input, rates.cache_read, rates.cache_write, rates.cache_write_1h, rates.input_audio),
        max(rates.output, rates.reasoning, rates.output_audio),
    )


# ---------------------------------------------------------------- finding


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A compiled price and what it is for. `clause` is the list's own matching rule, if any."""

    price: CompiledPrice
    deployment_id: str = ""
    clause: Mapping[str, Any] | None = None
    order: tuple[int, int] = (0, 0)  # place in the list; among the prices of one model, later wins


@dataclass(slots=True)
class _Level:
    """Prices of equal standing: by exact name, and those that match a rule, in order."""

    exact: dict[tuple[str, str], list[PriceRow]] = field(default_factory=dict)
    rules: dict[str, list[tuple[Mapping[str, Any], list[PriceRow]]]] = field(default_factory=dict)
    models: dict[tuple[str, str, int], list[PriceRow]] = field(default_factory=dict)


_NO_LEVEL = _Level()


class PriceBook:
    """All prices at one moment. Immutable but for its memory of what was found.

    A deployment's own price wins over what an admin or a file set, that over the public list;
    within one of these a price for the tier that a call is served in over one for any, and an exact name
    over a dated alias over a pattern.
    """

    def __init__(
        self, rows: Iterable[PriceRow] = (), fallback_kinds: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self.rows = {row.price.id: row for row in rows}
        self._fallback_kinds = fallback_kinds or {}
        self._by_deployment: dict[str, list[PriceRow]] = {}
        self._overrides: dict[str, _Level] = {"": _Level()}  # by the tier they are for
        self._list: dict[str, _Level] = {"": _Level()}
        self._tiers = frozenset(row.price.service_tier for row in self.rows.values())
        self._found: dict[tuple[str, str, str, tuple[str, ...]], tuple[CompiledPrice, ...]] = {}
        for row in sorted(self.rows.values(), key=_precedence):
            self._file(row)

    def __len__(self) -> int:
        return len(self.rows)

    def by_id(self, price_id: str) -> CompiledPrice | None:
        """The price a row of the ledger names, while it is enabled."""
        row = self.rows.get(price_id)
        return row.price if row else None

    def find(
        self, deployment_id: str, provider_kind: str, upstream_model: str, at_ms: int, service_tier: str = ""
    ) -> CompiledPrice | None:
        """The price of a provider's model at an instant, served in a tier; None where it is unknown."""
        # A caller's word: it may be any, so none is remembered that has no price.
        tiers = tuple(tier for tier in _tiers_of(service_tier) if tier in self._tiers) if service_tier else ()
        key = (deployment_id, provider_kind, upstream_model, tiers)
        candidates = self._found.get(key)
        if candidates is None:
            if len(self._found) >= CACHE_ENTRIES:
                self._found.clear()
            candidates = self._found[key] = self._candidates(*key)
        for price in candidates:
            if price.is_active(at_ms):
                return None if price.unpriced_reason else price
        return None

    # ------------------------------------------------------------ inside

    def _file(self, row: PriceRow) -> None:
        price = row.price
        if row.deployment_id:
            self._by_deployment.setdefault(row.deployment_id, []).append(row)
            return
        levels = self._list if price.source == "list" else self._overrides
        level = levels.setdefault(price.service_tier, _Level())
        name = price.model.lower()
        if name.endswith("*"):
            self._add_rule(level, price.provider_kind, {"starts_with": name[:-1]}, row)
            return
        same_model = level.models.setdefault((price.provider_kind, name, row.order[0]), [])
        same_model.append(row)
        if len(same_model) > 1:
            return
        for exact in _exact_names(row.clause) or {name}:
            level.exact.setdefault((price.provider_kind, exact), same_model)
        if row.clause is not None:
            level.rules.setdefault(price.provider_kind, []).append((row.clause, same_model))

    @staticmethod
    def _add_rule(level: _Level, kind: str, clause: Mapping[str, Any], row: PriceRow) -> None:
        rules = level.rules.setdefault(kind, [])
        for known, prices in rules:
            if known == clause:
                prices.append(row)
                return
        rules.append((clause, [row]))

    def _candidates(
        self, deployment_id: str, kind: str, model: str, named: tuple[str, ...]
    ) -> tuple[CompiledPrice, ...]:
        """Every price that could hold, best first; up to the first that always holds."""
        name = model.lower()
        tiers = (*named, "")
        own = list(self._matching(self._by_deployment.get(deployment_id, ()), name))
        rows = [row for tier in tiers for row in own if row.price.service_tier == tier]
        listed = (kind, *self._fallback_kinds.get(kind, ()))
        for tier in tiers:
            rows += self._look_up(self._overrides.get(tier, _NO_LEVEL), (kind, ""), name, dated=True)
        for tier in tiers:
            rows += self._look_up(self._list.get(tier, _NO_LEVEL), listed, name, dated=False)
        found: list[CompiledPrice] = []
        for row in rows:
            found.append(row.price)
            if not row.price.is_conditional:
                break
        return tuple(found)

    @staticmethod
    def _matching(rows: Iterable[PriceRow], name: str) -> Iterable[PriceRow]:
        """A deployment's prices: its own name for the model may hold any text or nothing."""
        for row in rows:
            wanted = row.price.model.lower()
            if wanted in ("", "*", name) or (wanted.endswith("*") and name.startswith(wanted[:-1])):
                yield row

    @staticmethod
    def _look_up(level: _Level, kinds: tuple[str, ...], name: str, *, dated: bool) -> list[PriceRow]:
        """`dated`: names without their date are tried before rules; the list's own tell dates apart."""
        for kind in kinds:
            if rows := level.exact.get((kind, name)):
                return rows
            for alias in _aliases(name) if dated else _compact_dates(name):
                if rows := level.exact.get((kind, alias)):
                    return rows
            for candidate in (name, *_compact_dates(name)):
                for clause, rows in level.rules.get(kind, ()):
                    if matches(clause, candidate):
                        return rows
            for alias in _aliases(name):
                if rows := level.exact.get((kind, alias)):
                    return rows
        return []


def _tiers_of(word: str) -> tuple[str, ...]:
    """A tier and, of one that is two at once (`fast_us`), each: whichever has a price, in this order."""
    first, both, second = word.partition("_")
    return (word, first, second) if both else (word,)


def _precedence(row: PriceRow) -> tuple[Any, ...]:
    """Rows in the order they are tried: longer patterns first, what began or stands later first."""
    price = row.price
    pattern_length = len(price.model) if price.model.endswith("*") else 0
    return (
        row.order[0],
        -pattern_length,
        price.source != "admin",
        -row.order[1],
        -(price.valid_from_ms or 0),
        price.valid_from_ms is None,
        price.id,
    )


def _compact_dates(name: str) -> tuple[str, ...]:
    """'…-20251211' as '…-2025-12-11', if the name has such a date."""
    spelled = _COMPACT_DATE.sub(r"-\1-\2-\3", name)
    return (spelled,) if spelled != name else ()


def _aliases(name: str) -> tuple[str, ...]:
    """Names the same model has without its date: 'gpt-4o-2024-08-06' -> 'gpt-4o'."""
    undated = _DATE_SUFFIX.sub("", name).removesuffix("-latest")
    return (*_compact_dates(name), undated) if undated != name else _compact_dates(name)


def matches(clause: Mapping[str, Any], name: str) -> bool:
    """Whether a lower-case name satisfies a rule of the public list."""
    ((verb, wanted),) = clause.items()
    match verb:
        case "or":
            return any(matches(part, name) for part in wanted)
        case "and":
            return all(matches(part, name) for part in wanted)
        case "equals":
            return name == str(wanted).lower()
        case "starts_with":
            return name.startswith(str(wanted).lower())
        case "ends_with":
            return name.endswith(str(wanted).lower())
        case "contains":
            return str(wanted).lower() in name
        case "regex":
            return re.search(wanted, name) is not None
        case _:
            return False


def _exact_names(clause: Mapping[str, Any] | None) -> set[str]:
    """Names that a rule accepts by equality alone."""
    if clause is None:
        return set()
    ((verb, wanted),) = clause.items()
    if verb == "equals":
        return {str(wanted).lower()}
    if verb == "or":
        return set().union(*(_exact_names(part) for part in wanted))
    return set()
