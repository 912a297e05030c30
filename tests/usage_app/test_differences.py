"""Why a spend changed: whatever the periods held, the parts are the difference, and mean what they say."""

from hypothesis import given
from hypothesis import strategies as st

from usage_app.differences import STEPS, Weights, explain
from usage_app.reports_sums import Totals

TOTALS = st.builds(
    lambda requests, refused, tokens, cached, output, cost: Totals(
        requests=requests + refused,
        refused=refused,
        input_tokens=tokens + cached,
        cache_read_tokens=cached,
        output_tokens=output,
        cost_nanodollars=cost,
    ),
    st.integers(0, 10**6),
    st.integers(0, 50),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(-(10**6), 10**15),
)
PERIOD = st.dictionaries(st.sampled_from(["a", "b", "c"]), TOTALS, max_size=3)
WEIGHTS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.builds(Weights, *[st.integers(0, 10**11)] * 3), max_size=2
)


@given(before=PERIOD, now=PERIOD, weights=WEIGHTS)
def test_the_parts_are_the_difference(
    before: dict[str, Totals], now: dict[str, Totals], weights: dict[str, Weights]
) -> None:
    parts = explain(before, now, weights)
    spent = sum(each.cost_nanodollars for each in now.values())
    wanted = spent - sum(each.cost_nanodollars for each in before.values())
    assert sum(part.nanodollars for part in parts) == wanted
    assert tuple(part.name for part in parts) == STEPS


def amounts(before: Totals, now: Totals, weights: Weights | None = None) -> dict[str, int]:
    parts = explain({"m": before}, {"m": now}, {"m": weights or Weights()})
    return {part.name: part.nanodollars for part in parts if part.nanodollars}


USUAL = Totals(requests=10, input_tokens=1000, output_tokens=100, cost_nanodollars=1100)


def test_more_of_the_same_calls_is_volume() -> None:
    twice = Totals(requests=20, input_tokens=2000, output_tokens=200, cost_nanodollars=2200)
    assert amounts(USUAL, twice) == {"volume": 1100}


def test_longer_calls_are_tokens_and_a_dearer_token_is_price() -> None:
    longer = Totals(requests=10, input_tokens=2000, output_tokens=200, cost_nanodollars=2200)
    assert amounts(USUAL, longer) == {"tokens": 1100}
    dearer = Totals(requests=10, input_tokens=1000, output_tokens=100, cost_nanodollars=3300)
    assert amounts(USUAL, dearer) == {"price": 2200}


def test_input_that_comes_from_a_cache_is_cache_and_not_price() -> None:
    weights = Weights(10, 1, 10)
    before = Totals(requests=10, input_tokens=1000, output_tokens=100, cost_nanodollars=11_000)
    now = Totals(
        requests=10,
        input_tokens=1000,
        cache_read_tokens=500,
        output_tokens=100,
        cost_nanodollars=500 * 10 + 500 + 1000,
    )
    assert amounts(before, now, weights) == {"cache": -4500}


def test_calls_that_move_to_another_model_are_mix() -> None:
    cheap, dear = (
        Totals(requests=10, input_tokens=100, output_tokens=0, cost_nanodollars=100),
        Totals(requests=10, input_tokens=100, output_tokens=0, cost_nanodollars=900),
    )
    parts = explain({"cheap": cheap}, {"dear": dear}, {})
    assert [(part.name, part.nanodollars) for part in parts if part.nanodollars] == [("mix", 800)]
    assert dict(parts[1].models) == {"dear": 900, "cheap": -100}


def test_what_refused_calls_add_is_no_volume() -> None:
    flood = Totals(requests=60, refused=50, input_tokens=1000, output_tokens=100, cost_nanodollars=1100)
    assert amounts(USUAL, flood) == {}
