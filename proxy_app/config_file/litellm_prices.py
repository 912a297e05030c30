"""LiteLLM's cost settings of a deployment, dollars a token, as nanodollars per million tokens."""

import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway_project.money import UNITS_PER_PRICE, round_usd
from proxy_app.config_file.declared import DeclaredPrice
from proxy_app.config_file.references import decimal_number, whole_number

#: LiteLLM's name -> our kind
_KINDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_request": "request",
}
COLUMNS = {
    "input": "input_nanodollars",
    "output": "output_nanodollars",
    "cache_read": "cache_read_nanodollars",
    "cache_write": "cache_write_nanodollars",
    "cache_write_1h": "cache_write_1h_nanodollars",
    "reasoning": "output_reasoning_nanodollars",
    "input_audio": "input_audio_nanodollars",
    "output_audio": "output_audio_nanodollars",
    "request": "request_nanodollars",
}
#: Name in our own file -> (unit, how many of it the dollars are for).
UNITS = {
    "image": ("images", 1),
    "audio_hour": ("audio_ms", 3_600_000),
    "characters": ("characters", 1_000_000),
    "searches": ("searches", 1_000),
    "file_searches": ("file_searches", 1_000),
    "code_session": ("code_sessions", 1),
}
#: LiteLLM's name -> (unit, how many of it the dollars are for).
_UNITS = {
    "output_cost_per_image": ("images", 1),
    "input_cost_per_character": ("characters", 1),
    "input_cost_per_query": ("searches", 1),
    # Not `file_search_cost_per_1k_calls`: LiteLLM reads it as dollars a call, whoever writes it need not.
    "code_interpreter_cost_per_session": ("code_sessions", 1),
}
#: By how much of the web a search looks at: an answer does not tell, and callers who say nothing get this.
_SEARCHES, _USUAL_SEARCH = "search_context_cost_per_query", "search_context_size_medium"
#: A rate's name: of which kind, from how many input tokens on, in which tier it is served.
_RATE = re.compile(
    rf"(?P<kind>{'|'.join(_KINDS)})(_above_(?P<thousands>\d+)k_tokens)?(_(?P<tier>flex|priority|fast))?"
)
_BY_TIME = ("input_cost_per_second", "output_cost_per_second")
_COST = re.compile(r"cost_per_|_token_cost")

#: Nanodollars by kind, by the number of input tokens they hold from.
_Steps = dict[int, dict[str, int]]


def read_price(settings: Mapping[str, Any], unknown: set[str]) -> DeclaredPrice | None:
    """The price these settings name, None when they name none. Costs nobody can count go to `unknown`."""
    units: dict[str, int] = {}
    rates: dict[str, _Steps] = defaultdict(lambda: defaultdict(dict))  # by service tier
    names: dict[str, set[str]] = defaultdict(set)
    by_time = False
    for name, value in settings.items():
        if not isinstance(name, str) or not _COST.search(name):
            continue
        if name == _SEARCHES and isinstance(value, Mapping):
            value = value.get(_USUAL_SEARCH)
        dollars = decimal_number(value)
        if dollars is None or dollars < 0:
            unknown.add(name)
        elif name == _SEARCHES:
            units["searches"] = nanodollars_per_million(dollars)
        elif rate := _RATE.fullmatch(name):
            start = int(rate["thousands"]) * 1000 + 1 if rate["thousands"] else 0
            rates[rate["tier"] or ""][start][_KINDS[rate["kind"]]] = nanodollars_per_million(dollars)
            names[rate["tier"] or ""].add(name)
        elif name in _UNITS or (name == "input_cost_per_second" and _is_of_audio(settings)):
            unit, per = _UNITS.get(name, ("audio_ms", 1_000))
            units[unit] = nanodollars_per_million(dollars / per)
        elif name in _BY_TIME:
            by_time = by_time or dollars > 0
        else:
            unknown.add(name)
    window = whole_number(settings.get("max_input_tokens"))
    usual = rates.pop("", {})
    if usual.get(0):
        of_tiers = {tier: _price(_over(usual, steps), units, window) for tier, steps in rates.items()}
        return _price(usual, units, window, of_tiers)
    for tier in rates:  # a tier says what differs, and from nothing nothing does
        unknown.update(names[tier])
    if units:
        return _price({}, units, window)
    if by_time:
        return DeclaredPrice(context_window=window, unpriced_reason="Billed by the second.")
    return None


def _over(usual: _Steps, tier: _Steps) -> _Steps:
    """A tier's rates: the usual ones but for those it names."""
    return {start: {**usual.get(start, {}), **tier.get(start, {})} for start in {*usual, *tier}}


def _price(
    rates: _Steps,
    units: Mapping[str, int],
    window: int | None,
    of_tiers: Mapping[str, DeclaredPrice] | None = None,
) -> DeclaredPrice:
    return DeclaredPrice(
        rates={COLUMNS[kind]: rate for kind, rate in rates.get(0, {}).items()},
        units=units,
        tiers=tuple({"from_input_tokens": start, **rates[start]} for start in sorted(rates) if start),
        context_window=window,
        of_tiers=of_tiers or {},
    )


def _is_of_audio(settings: Mapping[str, Any]) -> bool:
    """Whether a price by the second is of the audio sent, and not of the time an answer takes."""
    return settings.get("mode") == "audio_transcription"


def nanodollars_per_million(dollars_each: Decimal) -> int:
    """Dollars a unit as whole nanodollars per million units, half to even."""
    return round_usd(dollars_each * UNITS_PER_PRICE)
