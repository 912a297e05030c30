"""Millions of calls, with all that the ledger would have written of them, by a few statements of SQL."""

import dataclasses
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from benchmarks.big_house import KEYS, POOL, ZONE, House

#: Keys that are at work in one quarter of an hour.
AT_WORK = 40
#: Every so many-th call has a cost that came later.
LATE_EVERY, LATE = 40, 5_000_000
#: Table of the pool -> of which it is.
POOLS = {
    "big_rows": "usage_app_request",
    "big_tries": "usage_app_attempt",
    "big_sums": "usage_app_rollup",
    "big_claims": "usage_app_claimrollup",
}


class Spelling:
    """SQL of one database over `g`, a call's number, and `at_ms`, its time."""

    def __init__(self, vendor: str, count: int, first_ms: int, last_ms: int) -> None:
        self.is_postgres = vendor == "postgresql"
        at_ms = f"{first_ms} + g * {(last_ms - first_ms) // count}"
        series = "SELECT generate_series(1, {0})::bigint AS g"
        if not self.is_postgres:
            series = "WITH RECURSIVE r(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM r WHERE g < {0}) "
            series += "SELECT g FROM r"
        quarter = f"(({at_ms}) / 900000)"
        # In a quarter of an hour the calls of AT_WORK keys, other keys in the next.
        place = f"({quarter} * 5347 + g * 31 % {AT_WORK * POOL // KEYS}) % {POOL}"
        self.calls = (
            f"(SELECT g, {at_ms} AS at_ms, {quarter} * 900 AS bucket_s, {place} AS n, "
            f"{self._id(at_ms)} AS ref FROM ({series.format(count)}) numbers) calls"
        )

    def _id(self, at_ms: str) -> str:
        """32 digits of a UUIDv7 but the last, which is 0 of a request."""
        tail = "g * 2654435761 % 281474976710656"
        if self.is_postgres:
            return f"lpad(to_hex({at_ms}), 12, '0') || '7000800' || lpad(to_hex({tail}), 12, '0')"
        return f"printf('%012x7000800%012x', {at_ms}, {tail})"

    def id(self, last: int) -> str:
        text = f"ref || '{last}'"
        return f"({text})::uuid" if self.is_postgres else text

    @property
    def instant(self) -> str:
        if self.is_postgres:
            return "to_timestamp(at_ms / 1000.0)"
        return "strftime('%Y-%m-%d %H:%M:%f', at_ms / 1000.0, 'unixepoch') || '000'"

    @property
    def bucket(self) -> str:
        return "to_timestamp(bucket_s)" if self.is_postgres else "datetime(bucket_s, 'unixepoch')"

    def day(self, of: str, hours: int) -> str:
        if self.is_postgres:
            return f"({of} AT TIME ZONE 'UTC' + interval '{hours} hours')::date"
        return f"date({of}, '+{hours} hours')"


def fill(house: House, count: int) -> None:
    """Rows, attempts, late costs and sums of so many calls: POOL different ones, over and over."""
    from django.db import connection

    from gateway_project.clock import now_ms
    from usage_app.ledger_series import start_series
    from usage_app.models import Attempt, Request
    from usage_app.partitions import are_partitioned

    began, last_ms = time.monotonic(), now_ms() - 60_000
    first_ms = last_ms - 90 * 86_400_000
    start_series()
    if are_partitioned():
        _make_partitions(first_ms)
    _make_pool(house.ends(first_ms))
    indexes = [(model, index) for model in (Request, Attempt) for index in model._meta.indexes]
    with connection.schema_editor() as editor:
        for model, index in indexes:
            editor.remove_index(model, index)
    for name, sql in _statements(Spelling(connection.vendor, count, first_ms, last_ms)):
        with connection.cursor() as cursor:
            cursor.execute(sql)
        tell(f"{name} after {time.monotonic() - began:.0f} s")
    with connection.schema_editor() as editor:
        for model, index in indexes:
            editor.add_index(model, index)
    with connection.cursor() as cursor:
        for table in POOLS:
            cursor.execute(f"DROP TABLE {table}")
        cursor.execute("ANALYZE")
    tell(f"indexes after {time.monotonic() - began:.0f} s")
    _check()


def _make_partitions(first_ms: int) -> None:
    from django.db import connection

    from gateway_project.clock import from_ms
    from usage_app.partitions import make_partitions

    for days in range(0, 120, 28):
        make_partitions(connection, from_ms(first_ms) + timedelta(days=days))


def _make_pool(ends: list[Any]) -> None:
    """Tables of the rows, the attempts, the figures and the claims of the calls, by their number `n`."""
    from django.db import connection

    from usage_app.dialects import dialect_of, insert_rows
    from usage_app.histograms import BOUND_COLUMNS
    from usage_app.ledger_rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS, attempt_row, countable, request_row
    from usage_app.models.rollup import DIMENSIONS
    from usage_app.rollups import CLAIM_KEYS, FIGURES, SUM_COLUMNS, ClaimValues, Sums

    with connection.cursor() as cursor:
        for table, model in POOLS.items():
            cursor.execute(f"CREATE TABLE {table} AS SELECT 0 AS n, m.* FROM {model} m LIMIT 0")
    dialect = dialect_of(connection)
    rows = [(n, *request_row(end, dialect)) for n, end in enumerate(ends)]
    insert_rows(connection, "big_rows", ("n", *REQUEST_COLUMNS), rows)
    tries = [(n, *attempt_row(end, each, dialect)) for n, end in enumerate(ends) for each in end.attempts]
    insert_rows(connection, "big_tries", ("n", *ATTEMPT_COLUMNS), tries)
    figures, claims = [], []
    for n, end in enumerate(ends):
        call, sums = countable(end), Sums((), ClaimValues(connection))
        sums.add(dataclasses.replace(call, claims=()))
        figures += [(n, *keys, *added) for (_bucket, keys), added in sums.quarters.items()]
        place = (end.caller.service_id, end.model, end.caller.environment)
        claims += [(n, kind, value, *place, *call.figures) for kind, value in call.claims]
    insert_rows(connection, "big_sums", ("n", *DIMENSIONS, *SUM_COLUMNS, *BOUND_COLUMNS), figures)
    insert_rows(connection, "big_claims", ("n", *CLAIM_KEYS[2:], *FIGURES), claims)
    with connection.cursor() as cursor:
        for table in POOLS:
            cursor.execute(f"CREATE INDEX {table}_n ON {table} (n)")
        cursor.execute("ANALYZE")


def _statements(spelt: Spelling) -> Iterator[tuple[str, str]]:
    """What fills each table, and its name."""
    yield from _of_rows(spelt)
    yield from _of_sums(spelt)


def _of_rows(spelt: Spelling) -> Iterator[tuple[str, str]]:
    from usage_app.ledger_rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS

    own = {"id": spelt.id(0), "started_at": spelt.instant, "finished_at": spelt.instant}
    yield (
        "calls",
        f"INSERT INTO usage_app_request ({_listed(REQUEST_COLUMNS)}) "
        f"SELECT {_listed(own.get(name, name) for name in REQUEST_COLUMNS)} "
        f"FROM {spelt.calls} JOIN big_rows USING (n)",
    )
    own = {"id": spelt.id(1), "request_id": spelt.id(0), "started_at": spelt.instant}
    yield (
        "attempts",
        f"INSERT INTO usage_app_attempt ({_listed(ATTEMPT_COLUMNS)}) "
        f"SELECT {_listed(own.get(name, name) for name in ATTEMPT_COLUMNS)} "
        f"FROM {spelt.calls} JOIN big_tries USING (n)",
    )
    columns = "id, request_id, cause, cost_nanodollars, at, charges, is_applied"
    yield (
        "late costs",
        f"INSERT INTO usage_app_adjustment ({columns}) "
        f"SELECT {spelt.id(2)}, {spelt.id(0)}, 'batch', {LATE}, {spelt.instant}, '[]', true "
        f"FROM {spelt.calls} WHERE g % {LATE_EVERY} = 0",
    )


def _of_sums(spelt: Spelling) -> Iterator[tuple[str, str]]:
    """In the order of time, as a ledger writes them."""
    from usage_app.histograms import BOUND_COLUMNS
    from usage_app.models.rollup import DIMENSIONS
    from usage_app.rollups import CLAIM_KEYS, FIGURES, SUM_COLUMNS

    dimensions, columns = _listed(DIMENSIONS), _listed((*DIMENSIONS, *SUM_COLUMNS, *BOUND_COLUMNS))
    bounds = _listed(f"{how}({name})" for name, how in BOUND_COLUMNS.items())
    yield (
        "quarters",
        f"INSERT INTO usage_app_rollup (bucket_at, {columns}) "
        f"SELECT {spelt.bucket}, {dimensions}, {_summed(SUM_COLUMNS)}, {bounds} "
        f"FROM {spelt.calls} JOIN big_sums USING (n) GROUP BY bucket_s, {dimensions} ORDER BY bucket_s",
    )
    for zone, hours in (("UTC", 0), (ZONE, 9)):
        yield (
            f"days of {zone}",
            f"INSERT INTO usage_app_dayrollup (zone, day, {columns}) "
            f"SELECT '{zone}', {spelt.day('bucket_at', hours)}, {dimensions}, "
            f"{_listed(f'SUM({name})' for name in SUM_COLUMNS)}, {bounds} "
            f"FROM usage_app_rollup GROUP BY 2, {dimensions} ORDER BY 2",
        )
    claims = _listed(CLAIM_KEYS[2:])
    yield (
        "claims",
        f"INSERT INTO usage_app_claimrollup (zone, day, {claims}, {_listed(FIGURES)}) "
        f"SELECT '{ZONE}', {spelt.day(spelt.bucket, 9)}, {claims}, {_summed(FIGURES)} "
        f"FROM {spelt.calls} JOIN big_claims USING (n) GROUP BY 2, {claims} ORDER BY 2",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _summed(names: Iterable[str]) -> str:
    late = f"SUM(cost_nanodollars + CASE WHEN g % {LATE_EVERY} = 0 THEN {LATE} ELSE 0 END)"
    return _listed(late if name == "cost_nanodollars" else f"SUM({name})" for name in names)


def _check() -> None:
    """The ledger's own audit of a day and of an hour: what is measured is a ledger that balances."""
    from gateway_project.clock import now, quarter_hour
    from usage_app.ledger_audit import check_day, check_quarters
    from usage_app.ledger_series import UTC_ZONE

    at = quarter_hour(int(now().timestamp() * 1000)) - timedelta(days=2)
    for found in (check_quarters(at, at + timedelta(hours=1)), check_day(UTC_ZONE, at.date())):
        if not found.is_zero:
            raise RuntimeError(str(found))


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
