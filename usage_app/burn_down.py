"""A budget's burn-down: what was spent so far, what that comes to at this rate, and the limit, to scale.

Places are shares of the drawing, so that it fits any width and its letters keep their size. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from usage_app import figures
from usage_app.charts import bucket_label, round_step
from usage_app.reports_buckets import Interval, buckets
from usage_app.reports_spans import ONE_DAY

Link = Callable[[datetime, datetime], str]
#: The box of the lines, stretched over the drawing.
BOX = 1000
#: Marks on an axis, about.
MARKS = 5
#: A forecast far beyond the limit is cut here: what was spent has to be seen.
MOST_OVER = 1.6
#: Room over the limit's line, for its name.
ROOM = 1.12
LAST_NAMED = 0.9


@dataclass(frozen=True, slots=True)
class Mark:
    """A name at a place of an axis, in percent of it."""

    place: str
    label: str


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the table: what a bucket of time cost, and all until its end; and of how many calls neither
    is known.
    """

    start: datetime
    end: datetime
    cost: int
    spent: int
    unpriced: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A step's part of the drawing, in percent; `link` opens its calls."""

    step: Step
    x: str
    width: str
    link: str


@dataclass(frozen=True, slots=True)
class BurnDown:
    """Lines as points of the box, the rest in percent. `crossing` is where the forecast meets the limit."""

    line: str
    area: str
    forecast: str
    limit_y: str
    now_x: str
    crossing: tuple[str, str] | None
    crosses_late: bool  # in the right half: its name stands left of it
    money: tuple[Mark, ...]
    times: tuple[Mark, ...]
    columns: tuple[Column, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(column.step for column in self.columns)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn: from `start` to `end`, up to `top` nanodollars."""

    start: datetime
    end: datetime
    top: int

    def x(self, at: datetime) -> float:
        return (at - self.start) / (self.end - self.start)

    def y(self, amount: float) -> float:
        return 1 - amount / self.top

    def point(self, at: datetime, amount: float) -> str:
        return f"{BOX * self.x(at):.1f},{BOX * self.y(amount):.1f}"


def burn_down(
    steps: Sequence[Step],
    span: tuple[datetime, datetime],
    limit: int,
    forecast: int | None,
    crosses_at: datetime | None,
    interval: Interval,
    zone: ZoneInfo,
    link: Link = lambda since, until: "",
) -> BurnDown:
    """`span` is the whole period; `forecast` what is spent by its end; the last step ends now; `link` opens
    the calls of a part of it.
    """
    start, end = span
    now, spent = steps[-1].end, steps[-1].spent
    marks = amounts_to(_highest(limit, spent, forecast))
    frame = Frame(start, end, marks[-1])
    points = [frame.point(start, 0), *(frame.point(step.end, step.spent) for step in steps)]
    ground = frame.point(now, 0), frame.point(start, 0)
    crossing = None
    if crosses_at is not None and crosses_at <= end:
        crossing = _percent(frame.x(crosses_at)), _percent(frame.y(limit))
    return BurnDown(
        line=" ".join(points),
        area=" ".join((*points, *ground)),
        forecast=f"{points[-1]} {frame.point(end, forecast)}" if forecast is not None else "",
        limit_y=_percent(frame.y(limit)),
        now_x=_percent(frame.x(now)),
        crossing=crossing,
        crosses_late=crosses_at is not None and frame.x(crosses_at) > 0.5,
        money=tuple(Mark(_percent(frame.y(each)), figures.money(each)) for each in marks),
        times=_times(frame, interval, zone),
        columns=tuple(
            Column(
                step,
                _percent(frame.x(step.start)),
                _percent((step.end - step.start) / (end - start)),
                link(step.start, step.end),
            )
            for step in steps
        ),
    )


def steps_of(
    starts: Sequence[datetime],
    costs: Sequence[int],
    since: datetime,
    now: datetime,
    unpriced: Sequence[int] = (),
) -> list[Step]:
    """Costs of buckets of time, added up, from `since` to now: sums of long ago begin with a whole day."""
    bounds = [since, *(max(at, since) for at in starts[1:]), now]
    steps, spent, left_out = [], 0, 0
    for (start, end), cost, calls in zip(pairwise(bounds), costs, unpriced or [0] * len(costs), strict=True):
        spent, left_out = spent + cost, left_out + calls
        steps.append(Step(start, end, cost, spent, calls, left_out))
    return steps


def charged(starts: Sequence[datetime], costs: Sequence[int], since: datetime, spent: int) -> list[int]:
    """Costs of buckets without what is over `spent` in those that begin before `since`.

    Sums know quarters of an hour, or days: the first have calls of before a budget was made, or began.
    """
    surplus, found = max(sum(costs) - spent, 0), []
    for start, cost in zip(starts, costs, strict=True):
        taken = min(surplus, cost) if start < since else 0
        surplus -= taken
        found.append(cost - taken)
    return found


def interval_of(length: timedelta) -> Interval:
    """Of what a line has its points."""
    if length <= timedelta(days=3):
        return "hour"
    if length <= timedelta(days=92):
        return "day"
    return "week" if length <= timedelta(days=731) else "month"


def amounts_to(highest: float) -> list[int]:
    """Round amounts at even distances from 0 to the first that is not under the highest."""
    step = max(round(round_step(highest, MARKS)), 1)
    return list(range(0, int(-(-highest // step)) * step + 1, step))


def _highest(limit: int, spent: int, forecast: int | None) -> float:
    least = max(limit * ROOM, spent, 1)
    return max(least, min(forecast or 0, least * MOST_OVER))


def _times(frame: Frame, interval: Interval, zone: ZoneInfo) -> tuple[Mark, ...]:
    """Some of the buckets' starts, evenly."""
    # Not just before the end: a name is as wide as a tenth of a small drawing.
    starts = [at for at in buckets(frame.start, frame.end, interval, zone) if 0 <= frame.x(at) < LAST_NAMED]
    every = -(-len(starts) // (MARKS + 1)) or 1
    several_days = interval == "hour" and frame.end - frame.start > ONE_DAY
    return tuple(
        Mark(
            _percent(frame.x(at)),
            date_format(at, _("D H:i")) if several_days else bucket_label(at, interval, zone),
        )
        for at in starts[::every]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
