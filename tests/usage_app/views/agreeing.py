"""A random house for sums that must agree: its calls through journal and ledger, and brute force over rows.

Nothing here asks the product's reports: what a figure must be is added up from the ledger's rows.
"""

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from gateway_project.clock import now, uuid7_at
from keys_app.models import Membership, Service, User
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import (
    ALICE,
    BOB,
    CALLER,
    CHAT,
    DEPLOYMENT,
    KEY,
    OTHER_KEY,
    PROVIDER,
    SEARCH,
    a_begin,
    a_progress,
    a_refusal,
    an_attempt,
    an_end,
)
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.models import Adjustment, DayRollup, LedgerSettings, ReportingSeries, Request, Rollup
from usage_app.records import Adjust, Tokens
from usage_app.sight import Sight

ZONES = (
    "UTC",
    "Asia/Kathmandu",  # +05:45
    "America/New_York",
    "Europe/Berlin",
    "America/Santiago",  # the clock changes at midnight
    "Australia/Lord_Howe",  # by half an hour
)
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
#: Days around the middle that the house's calls lie in.
REACH = 4
#: Quarters of an hour that are kept where the house prunes: its middle is far older.
FEW_DAYS, MANY_DAYS = 3, 800
FIGURES = (
    "requests",
    "errors",
    "refused",
    "cancelled",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nanodollars",
    "unpriced_requests",
    "estimated_cost_nanodollars",
    "interrupted_cost_nanodollars",
)
COLUMNS = {
    "key": "key_id",
    "user": "user_id",
    "service": "service_id",
    "environment": "environment",
    "model": "model",
    "status": "status",
    "provider": "provider_id",
    "deployment": "deployment_id",
}
SECOND_PROVIDER, SECOND_DEPLOYMENT = str(uuid7_at(1, 1)), str(uuid7_at(1, 2))
VALUES: dict[str, tuple[str, ...]] = {
    "key": (KEY, OTHER_KEY, ""),
    "user": (ALICE, BOB, ""),
    "service": (SEARCH, CHAT, ""),
    "environment": ("production", "test", ""),
    "model": ("gpt-4o", "claude-sonnet-4-5", "sandbox/fast"),
    "status": ("ok", "error", "refused", "cancelled", "truncated", "interrupted"),
    "provider": (PROVIDER, SECOND_PROVIDER, ""),
    "deployment": (DEPLOYMENT, SECOND_DEPLOYMENT, ""),
}
#: What callers claim, and who behind them claims nothing.
CLAIMED = {
    "tags": ((), ("a",), ("a", "b"), ("b", "b", "c")),
    "end_user": ("ann", "ben", ""),
    "client": ("curl/8", "openai-python/2.1"),
}
Figures = dict[str, int]


@dataclass(frozen=True)
class House:
    """A workload: its dice, its reporting zone, the instant it lies around."""

    seed: int
    zone: str
    middle: datetime
    calls: int
    prunes: bool  # its quarters of an hour are gone, only days are left
    moved: bool = False  # its reporting zone was changed: days of it begin just after the middle

    @property
    def kept_days(self) -> int:
        """For how long quarters of an hour are kept."""
        return FEW_DAYS if self.prunes else MANY_DAYS

    @property
    def here(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def since_day(self) -> date:
        """The first day that is counted in its zone."""
        day = self.middle.astimezone(self.here).date()
        return day + DAY if self.moved and self.zone != "UTC" else date(2000, 1, 1)


def middles(zone: str) -> list[datetime]:
    """Around what a workload may lie: lately, and each change of the clock of the last year."""
    here, today = ZoneInfo(zone), now().replace(minute=0, second=0, microsecond=0)
    hours = [today - timedelta(days=2 * REACH, hours=n) for n in range(24 * 366)]
    offsets = [at.astimezone(here).utcoffset() for at in hours]
    changes = [hours[n] for n in range(len(hours) - 1) if offsets[n] != offsets[n + 1]]
    return [hours[0], *changes]


def build(house: House) -> dict[str, User]:
    """People, and the ledger's rows and sums of the house's calls."""
    LedgerSettings.objects.create(pk=1, reporting_zone=house.zone, keep_quarters_days=house.kept_days)
    root = User.objects.create_user("root", role=User.Role.ADMIN)
    alice = User.objects.create_user("alice", id=UUID(ALICE), role=User.Role.MANAGER)
    bob = User.objects.create_user("bob", id=UUID(BOB), role=User.Role.MEMBER)
    search = Service.objects.create(id=UUID(SEARCH), name="Search")
    Service.objects.create(id=UUID(CHAT), name="Chat")
    Membership.objects.create(user=alice, service=search, role=Membership.Role.MANAGER)
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), records(house))
        play(Path(folder), late_ends(house), "worker-2")
    if house.prunes:
        Rollup.objects.filter(bucket_at__lt=now() - timedelta(days=house.kept_days)).delete()
    ReportingSeries.objects.filter(zone=house.zone).update(since_day=house.since_day)
    DayRollup.objects.filter(zone=house.zone, day__lt=house.since_day).delete()
    return {"root": root, "alice": alice, "bob": bob}


def play(folder: Path, told: Iterable[Any], worker: str = "worker-1") -> None:
    """What a worker writes, and the ledger process reads to the end."""
    writer = JournalWriter(folder, worker, spare_bytes=0, minimum_free_bytes=0)
    writer.open()
    for record in told:
        writer.append(record)
    writer.close()
    ledger = Ledger(folder, "here")
    ledger._limit = 20  # several batches
    ledger.lock()
    read_all(ledger)
    ledger.unlock()


def records(house: House) -> Iterator[Any]:
    """Ends, refusals, calls whose worker vanished, ends read twice, and costs that come later."""
    dice = random.Random(house.seed)
    for number in range(house.calls):
        at_ms = moment(dice, house)
        # The id is made when a call's first byte arrives, its time when the body is there.
        call_id = str(uuid7_at(at_ms - dice.choice([0, 0, 1, 30, 1500]), number))
        named = {name: dice.choice(VALUES[name]) for name in ("key", "user", "service", "environment")}
        claimed = {name: dice.choice(values) for name, values in CLAIMED.items()}
        caller = msgspec.structs.replace(
            CALLER, **{COLUMNS[name]: value for name, value in named.items()}, **claimed
        )
        fields: dict[str, Any] = {"at_ms": at_ms, "caller": caller, "model": dice.choice(VALUES["model"])}
        if dice.random() < 0.15:
            yield Adjust(call_id, at_ms, "early", dice.randrange(10**12))
        kind = dice.choice(["end", "end", "end", "end", "twice", "refusal", "lost"])
        if kind == "lost":
            yield a_begin(call_id, **fields)
            yield an_attempt(call_id, at_ms=at_ms)
            yield a_progress(call_id, number, at_ms=at_ms)
        elif kind == "refusal":
            yield a_refusal(id=call_id, repeated=dice.choice([1, 7]), **fields)
        else:
            end = an_end(call_id, **fields, **ending(dice))
            yield from [end] * (2 if kind == "twice" else 1)
        for cause in dice.choice([(), (), ("batch",), ("batch", "batch", "refund")]):
            yield Adjust(call_id, at_ms + 10**7, cause, dice.randrange(-(10**6), 10**11))


def late_ends(house: House) -> Iterator[Any]:
    """Ends of some of the calls that were taken for interrupted."""
    dice = random.Random(house.seed)
    for row in Request.objects.filter(status="interrupted").order_by("pk"):
        if dice.random() < 0.6:
            at_ms = int(row.started_at.timestamp() * 1000)
            yield an_end(str(row.pk), at_ms=at_ms, cost_nanodollars=dice.choice([None, 0, 3, 10**9]))


def ending(dice: random.Random) -> dict[str, Any]:
    """How a call that reached a provider ended."""
    provider, deployment = dice.choice([(PROVIDER, DEPLOYMENT), (SECOND_PROVIDER, SECOND_DEPLOYMENT)])
    return {
        "provider_id": provider,
        "deployment_id": deployment,
        "status": dice.choice(["ok", "ok", "ok", "error", "cancelled", "truncated"]),
        "cost_nanodollars": dice.choice([None, 0, 1, dice.randrange(10**9), dice.randrange(10**16)]),
        "usage_source": dice.choice(["provider", "provider", "estimate"]),
        "tokens": Tokens(dice.randrange(9_000), dice.randrange(100), 5, None, dice.randrange(10**7), 3),
        "latency_ms": float(dice.randrange(5, 60_000)),
    }


def moment(dice: random.Random, house: House) -> int:
    """Anywhere near the middle; often just about a local midnight or a quarter of an hour."""
    if dice.random() < 0.6:
        at = house.middle + timedelta(seconds=dice.randrange(-REACH * 86_400, REACH * 86_400))
        return int(at.timestamp() * 1000)
    day = (house.middle + dice.randrange(-REACH, REACH) * DAY).astimezone(house.here)
    edge = day.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    edge += dice.choice([0, 0, 1, 4, 11, 90]) * QUARTER
    return int(edge.timestamp() * 1000) + dice.choice([-1, 0, 0, 1, 899_999])


# ---------------------------------------------------------------- brute force


def rows_of(
    since: datetime, until: datetime, filters: Mapping[str, str], sight: Sight
) -> list[tuple[Request, list[Adjustment]]]:
    """Rows of a range that match and may be seen, with what came later."""
    late: dict[UUID, list[Adjustment]] = defaultdict(list)
    for each in Adjustment.objects.filter(is_applied=True):
        late[each.request_id].append(each)
    return [
        (row, late[row.pk])
        for row in Request.objects.all()
        if since <= row.started_at < until
        and all(getattr(row, COLUMNS[name]) == value for name, value in filters.items())
        and may_see(sight, row)
    ]


def claimed_by(row: Request, kind: str) -> set[str]:
    """What a call claims of a kind."""
    values = row.tags if kind == "tag" else [getattr(row, kind)]
    return {value for value in values if value}


def whole_days(house: House, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """What claims of a range are of: the days of the house's zone that it touches."""
    last = (until - timedelta(microseconds=1)).astimezone(house.here).date()
    return midnight(since.astimezone(house.here).date(), house.here), midnight(last + DAY, house.here)


def may_see(sight: Sight, row: Request) -> bool:
    return (
        sight.everything
        or (bool(sight.user_id) and row.user_id == sight.user_id)
        or row.service_id in sight.service_ids
    )


def added(rows: Iterable[tuple[Request, list[Adjustment]]]) -> Figures:
    """FIGURES of rows, one by one."""
    sums: Counter[str] = Counter(dict.fromkeys(FIGURES, 0))
    for row, late in rows:
        cost = (row.cost_nanodollars or 0) + sum(each.cost_nanodollars for each in late)
        sums["requests"] += row.repeated
        sums["cost_nanodollars"] += cost
        if row.status in ("error", "truncated", "interrupted"):
            sums["errors"] += row.repeated
        if row.status in ("refused", "cancelled"):
            sums[row.status] += row.repeated
        if row.status == "interrupted":
            sums["interrupted_cost_nanodollars"] += cost
        if row.usage_source == "estimate":
            sums["estimated_cost_nanodollars"] += row.cost_nanodollars or 0
        failed_unread = row.status in ("refused", "error") and row.usage_source == "none"
        is_told = any(each.cause in ("late end", "batch") for each in late)
        if row.cost_nanodollars is None and row.deployment_id and not failed_unread and not is_told:
            sums["unpriced_requests"] += row.repeated
        for kind in ("input", "cache_read", "cache_write", "output", "reasoning"):
            sums[f"{kind}_tokens"] += getattr(row, f"{kind}_tokens") or 0
    return dict(sums)


def snapped(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Outwards to quarters of an hour: how ranges of sums are read."""
    quarter_s = int(QUARTER.total_seconds())
    low, high = since.timestamp() // quarter_s, -(-until.timestamp() // quarter_s)
    return datetime.fromtimestamp(low * quarter_s, UTC), datetime.fromtimestamp(high * quarter_s, UTC)


def told(house: House, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """What sums of a range are of: snapped, and widened to whole days where those alone are kept."""
    kept_from = now() - timedelta(days=house.kept_days) + timedelta(hours=26)
    here = house.here if house.since_day <= since.astimezone(house.here).date() else UTC
    since, until = snapped(since, until)
    if since < kept_from:
        since = midnight(since.astimezone(here).date(), here)
    if until < kept_from:
        until = midnight((until - QUARTER).astimezone(here).date() + DAY, here)
    return since, until


def midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
