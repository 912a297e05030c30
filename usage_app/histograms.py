"""Durations in 32 fixed buckets, each 1.47 times the one before: additive, so any sum has percentiles.

The least and the most of them beside: no percentile lies outside what there was.
"""

from bisect import bisect_right
from collections.abc import Sequence

BUCKETS = 32
#: Upper bounds in milliseconds of all buckets but the last: 5 ms … 500 s, six a decade.
BOUNDS_MS: tuple[float, ...] = tuple(5 * 10 ** (step / 6) for step in range(BUCKETS - 1))
LATENCY_COLUMNS = tuple(f"latency_{number:02d}" for number in range(BUCKETS))
TTFT_COLUMNS = tuple(f"ttft_{number:02d}" for number in range(BUCKETS))
#: Column -> how two of them are one, in SQL.
BOUND_COLUMNS = {"latency_least": "MIN", "latency_most": "MAX", "ttft_least": "MIN", "ttft_most": "MAX"}
#: The least where there is no duration: eleven days, so that any is less. The most is 0 then.
NONE_MS = 1e9
NO_BOUNDS = (NONE_MS, 0.0, NONE_MS, 0.0)
_LAST_MS = 1_000_000.0


def bucket_of(duration_ms: float) -> int:
    """The bucket a duration falls in."""
    return bisect_right(BOUNDS_MS, duration_ms)


def joined_bounds(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """Of both, in the order of BOUND_COLUMNS."""
    join = {"MIN": min, "MAX": max}
    return [join[how](a, b) for how, a, b in zip(BOUND_COLUMNS.values(), some, others, strict=True)]


def percentile(
    counts: Sequence[int], share: float, least_ms: float = 0.0, most_ms: float = NONE_MS
) -> float | None:
    """The duration in ms that `share` (0..1) of the counted ones do not exceed; None without any."""
    found = _within_bucket(counts, share)
    return None if found is None else min(max(found, least_ms), most_ms)


def _bounds(bucket: int) -> tuple[float, float]:
    return BOUNDS_MS[bucket - 1] if bucket else 0.0, BOUNDS_MS[bucket] if bucket < BUCKETS - 1 else _LAST_MS


def _within_bucket(counts: Sequence[int], share: float) -> float | None:
    """As though those of a bucket were spread evenly over it."""
    total = sum(counts)
    if not total:
        return None
    wanted = share * total - 1e-9  # 0.07 x 100 is a little more than 7
    passed = 0
    for bucket, count in enumerate(counts):
        if count and passed + count >= wanted:
            low, high = _bounds(bucket)
            return low + (high - low) * max(wanted - passed, 0.0) / count
        passed += count
    return _LAST_MS
