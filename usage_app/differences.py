"""Why a spend changed from one period to another, in parts that sum to the difference exactly. Pure.

A model's cost is taken as calls × tokens a call × price, its input as read from a cache or not. The
former period is turned into the latter one step after another: first how many calls there were, then
to which models, then how long, then how much came from caches, and what is left is price. Weights
(what a token of each kind costs relative to the others) only decide what goes to which step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from usage_app.reports_sums import Totals

STEPS = ("volume", "mix", "tokens", "cache", "price")


class Weights(NamedTuple):
    """What a token costs: uncached input, input from a cache, output. Only their ratios count."""

    input: int = 1
    cache_read: int = 1
    output: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One cause: nanodollars, and of which models they are, largest first."""

    name: str
    nanodollars: int
    models: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Model:
    """A model in a period: its share of the calls, tokens a call, cached share, and a price factor."""

    share: Fraction
    input: Fraction
    output: Fraction
    cached: Fraction
    price: Fraction


_NOTHING = _Model(Fraction(0), Fraction(0), Fraction(0), Fraction(0), Fraction(0))


def explain(
    before: Mapping[str, Totals], now: Mapping[str, Totals], weights: Mapping[str, Weights]
) -> list[Part]:
    """Parts in the order of STEPS; their sum is the spend now minus the spend before."""
    calls = _calls(before), _calls(now)
    models = sorted({*before, *now})
    steps: dict[str, list[Fraction]] = {
        model: _steps(
            _model(before.get(model), calls[0], weights.get(model, Weights())),
            _model(now.get(model), calls[1], weights.get(model, Weights())),
            calls,
            weights.get(model, Weights()),
        )
        for model in models
    }
    sums = [round(sum((line[at] for line in steps.values()), Fraction(0))) for at in range(len(STEPS) + 1)]
    return [
        Part(
            name, sums[at + 1] - sums[at], _largest({m: line[at + 1] - line[at] for m, line in steps.items()})
        )
        for at, name in enumerate(STEPS)
    ]


def _steps(old: _Model, new: _Model, calls: tuple[int, int], weights: Weights) -> list[Fraction]:
    """A model's cost after each step, the first as it was, the last as it is."""
    # What is new has no former figures: all of it is mix. What is gone leaves by the mix too.
    old = old if old.share else _Model(old.share, new.input, new.output, new.cached, new.price)
    new = new if new.share else _Model(new.share, old.input, old.output, old.cached, old.price)
    before, now = calls
    return [
        _cost(before, old, weights),
        _cost(now if before else 0, old, weights),
        _cost(now, _Model(new.share, old.input, old.output, old.cached, old.price), weights),
        _cost(now, _Model(new.share, new.input, new.output, old.cached, old.price), weights),
        _cost(now, _Model(new.share, new.input, new.output, new.cached, old.price), weights),
        _cost(now, new, weights),
    ]


def _cost(calls: int, model: _Model, weights: Weights) -> Fraction:
    return calls * model.share * _weighed(model, weights) * model.price


def _weighed(model: _Model, weights: Weights) -> Fraction:
    """Weighed tokens of a call; a call without tokens (an image, an hour of audio) counts as one."""
    read = model.cached * weights.cache_read + (1 - model.cached) * weights.input
    return model.input * read + model.output * weights.output or Fraction(1)


def _model(totals: Totals | None, all_calls: int, weights: Weights) -> _Model:
    calls = _reached(totals) if totals else 0
    if totals is None or not all_calls or not calls:
        return _NOTHING
    model = _Model(
        share=Fraction(calls, all_calls),
        input=Fraction(totals.input_tokens, calls),
        output=Fraction(totals.output_tokens, calls),
        cached=Fraction(totals.cache_read_tokens, totals.input_tokens or 1),
        price=Fraction(1),
    )
    price = Fraction(totals.cost_nanodollars, calls) / _weighed(model, weights)
    return _Model(model.share, model.input, model.output, model.cached, price)


def _calls(totals: Mapping[str, Totals]) -> int:
    return sum(_reached(each) for each in totals.values())


def _reached(totals: Totals) -> int:
    """Calls that were not refused; a cost without any call (it came later) counts as one."""
    return totals.requests - totals.refused or int(bool(totals.cost_nanodollars))


def _largest(parts: Mapping[str, Fraction], count: int = 4) -> tuple[tuple[str, int], ...]:
    found = sorted(parts, key=lambda model: (-abs(parts[model]), model))[:count]
    return tuple((model, amount) for model in found if (amount := round(parts[model])))
