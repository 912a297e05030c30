"""Adding calls up: a batch's figures by quarter of an hour, by day of each series, by claim."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from django.db.backends.base.base import BaseDatabaseWrapper

from gateway_project.clock import from_ms
from usage_app.dialects import Dialect, upsert_rows
from usage_app.histograms import (
    BOUND_COLUMNS,
    BUCKETS,
    LATENCY_COLUMNS,
    NO_BOUNDS,
    NONE_MS,
    TTFT_COLUMNS,
    bucket_of,
    joined_bounds,
)
from usage_app.models import ClaimRollup, DayRollup, Rollup
from usage_app.models.rollup import DIMENSIONS

QUARTER_MS = 900_000
CLAIM_VALUES = 1_000  # of one kind in one day; the rest are summed under ''

#: Statuses of what failed, calls and attempts.
FAILURES = ("error", "truncated", "interrupted")
FIGURES = (
    "requests",
    "unpriced_requests",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nanodollars",
    "estimated_cost_nanodollars",
)
_COST, _ESTIMATED = FIGURES.index("cost_nanodollars"), FIGURES.index("estimated_cost_nanodollars")
_UNPRICED, _OUTPUT = FIGURES.index("unpriced_requests"), FIGURES.index("output_tokens")
#: What a speed is made of: output tokens, and how long their calls took, of calls of which both are known.
SPEED_COLUMNS = ("timed_output_tokens", "timed_us")
_FAILED_ATTEMPTS = len(FIGURES)
_TIMED = _FAILED_ATTEMPTS + 1
_LATENCY = _TIMED + len(SPEED_COLUMNS)
_TTFT = _LATENCY + BUCKETS
SUM_COLUMNS = (*FIGURES, "failed_attempts", *SPEED_COLUMNS, *LATENCY_COLUMNS, *TTFT_COLUMNS)
_BOUNDS = len(SUM_COLUMNS)
CLAIM_KEYS = ("zone", "day", "kind", "value", "service_id", "model", "environment")

Keys = tuple[str, ...]
_DEPLOYMENT, _PROVIDER = DIMENSIONS.index("deployment_id"), DIMENSIONS.index("provider_id")


@dataclass(frozen=True, slots=True)
class Countable:
    """What the sums need of a call. `dimensions` in the order of DIMENSIONS."""

    started_ms: int
    dimensions: Keys
    figures: tuple[int, ...]  # in the order of FIGURES
    latency_ms: float | None = None
    ttft_ms: float | None = None
    claims: tuple[tuple[str, str], ...] = ()  # (kind, value)
    failed_at: tuple[tuple[str, str], ...] = ()  # (deployment, provider) of each attempt that failed before


def is_unpriced(status: str, cost: int | None, deployment_id: str, usage_source: str) -> bool:
    """Whether a call may have cost something that nobody can tell. Failures without usage cost nothing."""
    if cost is not None or not deployment_id:
        return False
    return status not in ("refused", "error") or usage_source != "none"


def microseconds(duration_ms: float) -> int:
    """Whole ones, so that their sum is the same in any order; at most eleven days."""
    return round(min(duration_ms, NONE_MS) * 1000)


class ClaimValues:
    """The values of a kind that a day has room for. Forget it all when a transaction was undone."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._seen: dict[tuple[str, date, str], set[str]] = {}

    def admit(self, zone: str, day: date, kind: str, value: str) -> str:
        """The value itself, or '' when the day has enough of them."""
        known = self._seen.get((zone, day, kind))
        if known is None:
            if len(self._seen) > 16:
                self._seen.clear()
            rows = ClaimRollup.objects.using(self._connection.alias).filter(zone=zone, day=day, kind=kind)
            known = set(rows.values_list("value", flat=True).distinct()) - {""}
            self._seen[zone, day, kind] = known
        if value not in known:
            if len(known) >= CLAIM_VALUES:
                return ""
            known.add(value)
        return value

    def forget(self) -> None:
        self._seen.clear()


@dataclass
class Sums:
    """The figures of one batch, to be added to the tables in the batch's transaction."""

    zones: tuple[ZoneInfo, ...]  # the reporting zone first, then UTC if it is another
    claim_values: ClaimValues
    #: in the order of SUM_COLUMNS, then of BOUND_COLUMNS
    quarters: dict[tuple[int, Keys], list[float]] = field(default_factory=dict)
    claims: dict[tuple[str, date, str, str, str, str, str], list[int]] = field(default_factory=dict)

    def add(self, call: Countable) -> None:
        """Count one call."""
        sums = self._quarter(call.started_ms, call.dimensions)
        for position, value in enumerate(call.figures):
            if value:
                sums[position] += value
        if call.latency_ms is not None:
            sums[_LATENCY + bucket_of(call.latency_ms)] += 1
            _widen(sums, _BOUNDS, call.latency_ms)
            if output_tokens := call.figures[_OUTPUT]:
                sums[_TIMED] += output_tokens
                sums[_TIMED + 1] += microseconds(call.latency_ms)
        if call.ttft_ms is not None:
            sums[_TTFT + bucket_of(call.ttft_ms)] += 1
            _widen(sums, _BOUNDS + 2, call.ttft_ms)
        for deployment_id, provider_id in call.failed_at:
            keys = list(call.dimensions)
            keys[_DEPLOYMENT], keys[_PROVIDER] = deployment_id, provider_id
            self._quarter(call.started_ms, tuple(keys))[_FAILED_ATTEMPTS] += 1
        if call.claims:
            self._add_claims(call)

    def add_cost(self, call: Countable, nanodollars: int, *, estimated: bool = False) -> None:
        """Count a cost that came later where the call itself is counted."""
        late = [0] * len(FIGURES)
        late[_COST] = nanodollars
        late[_ESTIMATED] = nanodollars if estimated else 0
        self.add(Countable(call.started_ms, call.dimensions, tuple(late), claims=call.claims))

    def add_priced(self, call: Countable, calls: int) -> None:
        """Calls that are counted among the unpriced have a price now."""
        late = [0] * len(FIGURES)
        late[_UNPRICED] = -calls
        self.add(Countable(call.started_ms, call.dimensions, tuple(late), claims=call.claims))

    def write(self, connection: BaseDatabaseWrapper, dialect: Dialect) -> None:
        """Add everything to the tables."""
        quarter_rows = [
            (dialect.instant(bucket_ms), *keys, *sums) for (bucket_ms, keys), sums in self.quarters.items()
        ]
        table = Rollup._meta.db_table
        upsert_rows(connection, table, ("bucket_at", *DIMENSIONS), SUM_COLUMNS, quarter_rows, BOUND_COLUMNS)
        day_rows = [
            (zone, dialect.day(day), *keys, *sums) for (zone, day, keys), sums in self._days().items()
        ]
        table = DayRollup._meta.db_table
        upsert_rows(connection, table, ("zone", "day", *DIMENSIONS), SUM_COLUMNS, day_rows, BOUND_COLUMNS)
        claim_rows = [(key[0], dialect.day(key[1]), *key[2:], *sums) for key, sums in self.claims.items()]
        upsert_rows(connection, ClaimRollup._meta.db_table, CLAIM_KEYS, FIGURES, claim_rows)

    # ------------------------------------------------------------ inside

    def _quarter(self, started_ms: int, keys: Keys) -> list[float]:
        key = (started_ms - started_ms % QUARTER_MS, keys)
        sums = self.quarters.get(key)
        if sums is None:
            sums = self.quarters[key] = [*[0] * len(SUM_COLUMNS), *NO_BOUNDS]
        return sums

    def _days(self) -> dict[tuple[str, date, Keys], list[float]]:
        """Days are sums of quarters: every civil zone is a multiple of 15 minutes off UTC."""
        days: dict[tuple[str, date, Keys], list[float]] = {}
        for (bucket_ms, keys), sums in self.quarters.items():
            for zone in self.zones:
                key = (zone.key, from_ms(bucket_ms).astimezone(zone).date(), keys)
                known = days.get(key)
                days[key] = _joined(known, sums) if known else sums
        return days

    def _add_claims(self, call: Countable) -> None:
        zone = self.zones[0]
        day = from_ms(call.started_ms).astimezone(zone).date()
        named = dict(zip(DIMENSIONS, call.dimensions, strict=True))
        for kind, value in _once(call.claims):
            admitted = self.claim_values.admit(zone.key, day, kind, value)
            key = (zone.key, day, kind, admitted, named["service_id"], named["model"], named["environment"])
            sums = self.claims.setdefault(key, [0] * len(FIGURES))
            for position, figure in enumerate(call.figures):
                sums[position] += figure


def _widen(sums: list[float], at: int, duration_ms: float) -> None:
    """The least at a place, the most after it."""
    sums[at], sums[at + 1] = min(sums[at], duration_ms), max(sums[at + 1], duration_ms)


def _joined(some: list[float], others: list[float]) -> list[float]:
    added = [a + b for a, b in zip(some[:_BOUNDS], others[:_BOUNDS], strict=True)]
    return added + joined_bounds(some[_BOUNDS:], others[_BOUNDS:])


def _once(claims: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A tag named twice counts once."""
    return list(dict.fromkeys(claims))
