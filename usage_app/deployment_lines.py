"""How a deployment did over time, as lines: latency and first token, speed, what it answered. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from usage_app import figures
from usage_app.charts import time_axis
from usage_app.reports import Series, Totals
from usage_app.selection import Selection

Figure = Callable[[Totals], float | None]


def lines_of(
    deployment_id: str, every: Series, answered: Series, chosen: Selection, zone: ZoneInfo, interval: str
) -> dict[str, Any]:
    """What the script draws. `answered` is of its whole answers alone, which tell its speed.

    A value of None is no point: nothing was seen in that bucket.
    """
    empty = [Totals()] * len(every.buckets)
    totals = every.lines[0].totals if every.lines else empty
    whole = answered.lines[0].totals if answered.lines else empty
    served = {"deployment": [deployment_id]}
    tried = {"tried_at" if any(each.failed_attempts for each in totals) else "deployment": [deployment_id]}
    slow, late = {**served, "sort": ["-latency"]}, {**served, "sort": ["-ttft"]}
    durations = [
        _line(_("Latency p50"), 0, totals, lambda each: each.latency_p50_ms, figures.usual, slow),
        _line(_("Latency p95"), 1, totals, lambda each: each.latency_p95_ms, figures.usual, slow),
        _line(_("First token p50"), 2, totals, lambda each: each.ttft_p50_ms, figures.usual, late),
        _line(_("First token p95"), 3, totals, lambda each: each.ttft_p95_ms, figures.usual, late),
    ]
    speed = _line(
        _("Tokens a second"),
        4,
        whole,
        lambda each: each.tokens_per_s,
        figures.short_count,
        {**served, "status": ["ok"]},
    )
    success = _line(_("Answered"), 5, totals, _answered, lambda percent: figures.share(percent, 100), tried)
    return time_axis(every, chosen, zone, interval) | {
        "words": {"time": _("Time"), "nothing": _("no calls"), "unknown": _("unknown")},
        "drawings": [
            {"unit": "duration", "name": _("Latency and first token"), "lines": durations},
            {"unit": "count", "name": _("Tokens a second"), "lines": [speed]},
            {"unit": "percent", "name": _("Answered, of what was tried"), "lines": [success]},
        ],
        "tried": [each.attempts for each in totals],
    }


def _line(
    name: str,
    colour: int,
    totals: Sequence[Totals],
    figure: Figure,
    told: Callable[[float], str],
    opens: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    values = [figure(each) for each in totals]
    return {
        "name": name,
        "colour": str(colour),
        "values": [None if value is None else round(value, 3) for value in values],
        "texts": ["" if value is None else told(value) for value in values],
        "opens": opens,
    }


def _answered(totals: Totals) -> float | None:
    return 100 * totals.answered / totals.attempts if totals.attempts else None
