"""Figures, series and choices as people read them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from usage_app import figures
from usage_app.charts import MAX_SERIES, colours_for, layers_of, spark, unfinished_index
from usage_app.histograms import BUCKETS, bucket_of, percentile
from usage_app.marks import cut_name, cut_names, name_in_words, number_cell
from usage_app.reports import Series, Totals
from usage_app.reports_grid import Grid
from usage_app.selection import RANGE_LABELS, select, span
from usage_app.templatetags.window import signed_money
from usage_app.tiles import tiles

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 11, 23, 12, 7, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace(figures.THIN_SPACE, " ")


@pytest.mark.parametrize(
    ("nanodollars", "shown"),
    [
        (0, "$0.00"),
        (412_074_999_999, "$412.07"),
        (1_234_567_000_000_000, "$1,234,567.00"),
        (41_200_000, "$0.0412"),
        (999_999_999, "$1.00"),
        (500_000_000, "$0.50"),
        (1_353, "$0.00000135"),
        (1, "$0.000000001"),
        (-41_200_000, "-$0.0412"),
    ],
)
def test_money_has_as_many_decimals_as_it_needs(nanodollars: int, shown: str) -> None:
    assert figures.money(nanodollars) == shown


@given(st.integers(min_value=0, max_value=10**18))
def test_exact_money_loses_nothing(nanodollars: int) -> None:
    whole, _, fraction = figures.exact_money(nanodollars).removeprefix("$").replace(",", "").partition(".")
    assert int(whole) * 10**9 + int(fraction.ljust(9, "0")) == nanodollars


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0.41, "0.4 ms"),
        (320, "320 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (4200, "4.2 s"),
        (59_600, "1 min"),
        (185_000, "3 min 5 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_a_duration_is_in_the_unit_a_person_would_say(milliseconds: float, shown: str) -> None:
    assert plain(figures.duration(milliseconds)) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (999, "999"),
        (9_999, "9 999"),
        (12_400, "12.4 k"),
        (3_050_000, "3.05 M"),
        (30 * 10**12, "30.0 T"),
        (12_345 * 10**12, "12 345 T"),
    ],
)
def test_large_counts_are_short(number: int, shown: str) -> None:
    assert plain(figures.short_count(number)) == shown


def test_a_share_of_more_than_the_whole_has_its_thousands_apart() -> None:
    assert plain(figures.share(49_649_977, 10)) == "496 499 770 %"


def test_what_leads_to_a_name_is_apart_from_it_so_that_it_is_cut_first() -> None:
    told = cut_name("accounts/fireworks/models/llama<3")
    way = '<span class="gh-way" translate="no"><bdi>accounts/fireworks/models/</bdi></span>'
    assert told == f'{way}<span translate="no">llama&lt;3</span>'
    for name in ("gpt-5", "/v1", "end/", "<b>Search</b> & buy", "search / ranking"):
        assert cut_name(name) == escape(name)


def test_a_line_of_two_things_cuts_what_leads_to_each() -> None:
    assert cut_names(["openai/gpt-5"]) == cut_name("openai/gpt-5")
    way = '<span class="gh-way" translate="no"><bdi>openai/</bdi></span>'
    first, rest = '<span translate="no">a&lt;b</span>', '<span translate="no">gpt-5</span>'
    assert cut_names(["a<b", "openai/gpt-5"]) == f"{first}<span> · </span>{way}{rest}"


def test_a_long_name_in_a_sentence_may_be_broken() -> None:
    """In one piece, it would leave the sentence's last sign alone on the next line."""
    assert 'class="gh-whole"' in name_in_words("claude-opus-4-1", "?")
    assert 'class="gh-broken"' in name_in_words("accounts/fireworks/models/llama-v3p1-405b", "?")


def test_a_difference_of_money_is_one_piece() -> None:
    """A line may end between a minus and a dollar."""
    assert signed_money(-14_083_881_630_000_000) == '<span class="gh-unbroken">−$14,083,881.63</span>'


def test_more_than_seven_lines_become_seven_and_other_with_the_same_sum() -> None:
    values = {(f"id-{n}",): [n + 1, 0] for n in range(12)} | {("idle",): [0, 0]}
    with translation.override("en"):
        layers = layers_of(Grid([NOW, NOW + timedelta(hours=1)], values, None), {"id-11": "the largest"})
    assert len(layers) == MAX_SERIES + 1
    assert layers[-1].colour == "other"
    assert layers[-1].name == "other (5)"
    assert sum(layer.total for layer in layers) == sum(range(1, 13))
    assert [layer.total for layer in layers[:3]] == [12, 11, 10]
    assert [layer.name for layer in layers[:2]] == ["the largest", "id-10"]


def test_an_entity_keeps_its_colour_in_another_company() -> None:
    assert colours_for(["gpt-5"])["gpt-5"] == colours_for(["gpt-5", "x", "y"])["gpt-5"]
    assert len(set(colours_for([f"m{n}" for n in range(8)]).values())) == 8


def test_the_bucket_that_is_not_over_is_marked() -> None:
    buckets = [NOW + timedelta(hours=n) for n in range(3)]
    assert unfinished_index(Grid(buckets, {}, buckets[2])) == 2
    assert unfinished_index(Grid(buckets, {}, None)) is None


def test_a_line_without_height_is_not_drawn() -> None:
    assert spark([0, 0, 0]) == ""
    assert spark([1]) == ""
    assert len(spark([1, 2, 3]).split()) == 3
    assert spark([None, None, 3]) == ""
    assert [point.split(",")[0] for point in spark([None, 1, 3]).split()] == ["50.0", "100.0"]


def test_civil_days_are_those_of_the_reporting_zone_through_a_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    since, until = span("yesterday", datetime(2026, 10, 26, 9, tzinfo=UTC), berlin)
    assert until - since == timedelta(hours=24)  # as wall clocks say; 25 hours have passed
    assert until.astimezone(UTC) - since.astimezone(UTC) == timedelta(hours=25)
    since, _ = span("today", NOW, SEOUL)
    assert since.astimezone(SEOUL).hour == 0


def test_a_rolling_range_starts_on_a_quarter_of_an_hour() -> None:
    since, until = span("24h", NOW, SEOUL)
    assert (since.minute, since.second) == (0, 0)
    assert until == NOW


def test_the_address_wins_over_memory_and_memory_over_the_default() -> None:
    memory: dict[str, Any] = {}
    assert select({}, memory, NOW, SEOUL).range == "24h"
    assert select({"range": "7d", "environment": "test"}, memory, NOW, SEOUL).range == "7d"
    assert select({}, memory, NOW, SEOUL).environment == "test"
    assert select({"environment": ""}, memory, NOW, SEOUL).environment == ""
    assert select({}, memory, NOW, SEOUL).range == "7d"


def test_an_address_that_names_a_time_says_all_of_the_choice() -> None:
    memory: dict[str, Any] = {}
    select({"range": "7d", "environment": "test", "service": "one"}, memory, NOW, SEOUL)
    shared = select({"range": "yesterday"}, memory, NOW, SEOUL)
    assert (shared.environment, shared.service_id) == ("", "")
    assert shared.parameters == {"range": "yesterday", "environment": "", "service": ""}
    part = select({"range": "7d", "environment": "test"}, memory, NOW, SEOUL, keeps=False)
    assert part.environment == "test"
    assert memory["window"] == {"range": "yesterday"}


def test_a_named_range_replaces_a_chosen_one() -> None:
    memory: dict[str, Any] = {}
    chosen = select({"since": "2026-11-01", "until": "2026-11-02"}, memory, NOW, SEOUL)
    assert chosen.range == "custom"
    assert chosen.since == datetime(2026, 11, 1, tzinfo=SEOUL)
    assert not chosen.live
    assert select({"range": "1h"}, memory, NOW, SEOUL).range == "1h"
    assert "since" not in memory["window"]


def test_every_range_has_a_span_that_ends_after_it_begins() -> None:
    for name in RANGE_LABELS:
        since, until = span(name, NOW, SEOUL)
        assert since < until


def test_a_cell_of_a_wide_table_escapes_what_it_is_given() -> None:
    cell = number_cell("<1", '"', "../?a=1&b=<", is_zero=False)
    assert cell == ('<td class="is-number" title="&quot;"><a href="../?a=1&amp;b=&lt;">&lt;1</a></td>')
    assert number_cell("0", "0", "", is_zero=True) == '<td class="is-number is-zero" title="0">0</td>'


@pytest.mark.parametrize(
    ("change", "shown"), [(0.2, "±0 %"), (18.4, "+18 %"), (-3, "−3 %"), (-100, "−100 %"), (2160, "× 23")]
)
def test_a_change_is_told_as_it_is(change: float, shown: str) -> None:
    assert plain(figures.signed_percent(change)) == shown


@pytest.mark.parametrize(
    ("durations", "shown"),
    [
        ([0.4, 1.2, 3.9], "< 5 ms"),
        ([5.1], "6.2 ms"),
        ([600_000], "> 8 min 20 s"),
    ],
)
def test_a_percentile_is_told_no_finer_than_its_bucket_is_known(durations: list[float], shown: str) -> None:
    counts = [0] * BUCKETS
    for each in durations:
        counts[bucket_of(each)] += 1
    found = percentile(counts, 0.5)
    assert found is not None
    assert plain(figures.usual(found)) == shown


@pytest.mark.parametrize(
    ("points", "shown"), [(1.44, "+1.4"), (-0.3, "−0.3"), (12.4, "+12"), (0.04, "±0"), (-9.97, "−10")]
)
def test_a_difference_of_percentages_is_told_in_points(points: float, shown: str) -> None:
    assert figures.signed_points(points) == shown


def test_the_error_rate_changes_by_points_and_spend_by_percent() -> None:
    """From 10 % to 15 % are 5 points more, not 50 %."""
    before = Totals(requests=100, errors=10, cost_nanodollars=100)
    now = Totals(requests=100, errors=15, cost_nanodollars=150)
    with translation.override("en"):
        spend, _requests, _tokens, errors, *_speeds = tiles(now, before, Series([], [], None), lambda **_: "")
        assert (plain(spend.change_text), plain(errors.change_text)) == ("+50 %", "+5.0 pp")
        assert errors.change_words == "percentage points against the period before"
    assert errors.tone == "bad"
    none = tiles(Totals(requests=1), Totals(requests=1), Series([], [], None), lambda **_: "")[3]
    assert (none.change, none.tone) == (0.0, "")
