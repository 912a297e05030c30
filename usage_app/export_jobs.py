"""Exports that are longer than a page: asked for in the window, written beside the ledger, kept a day.

A worker never writes one: it stores the question. A process of its own, started by the ledger
process, answers it part by part, so that neither a stream nor the ledger waits for a file.
"""

import hashlib
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import QueryDict

from gateway_project.clock import now
from gateway_project.money import usd_string
from keys_app.models import User
from usage_app.exports import WRITERS, TooManyRows
from usage_app.late_costs import late_costs
from usage_app.models import Export, ExportPart, Request
from usage_app.reports import reporting_zone
from usage_app.request_search import RequestSearch
from usage_app.selection import Selection, interval_for
from usage_app.sight import Sight, sight_of
from usage_app.usage_question import Asker, parse
from usage_app.walking import WINDOW

logger = logging.getLogger("gatehouse.exports")

PART_BYTES = 262_144
MOST_ATTEMPTS = 3
#: Exports of one person that wait or are being written.
MOST_OPEN = 5

REQUEST_COLUMNS = (
    "id",
    "started_at",
    "finished_at",
    "endpoint",
    "format",
    "stream",
    "model",
    "served_model",
    "deployment",
    "provider",
    "upstream_model",
    "key_name",
    "key_hint",
    "user_name",
    "service_name",
    "environment",
    "status",
    "http_status",
    "error_code",
    "error_detail",
    "finish_reason",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "usage_source",
    "ttft_ms",
    "latency_ms",
    "overhead_ms",
    "end_user",
    "session",
    "client",
    "tags",
    "repeated",
)
COST_COLUMNS = ("cost_nanodollars", "adjusted_nanodollars", "cost_usd")


class TooManyExports(Exception):
    """This person has as many exports under way as one may."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An export's question, as it was asked: kind, format, the page's query, its range."""

    kind: str
    format: str
    query: QueryDict
    selection: Selection


def ask(owner: User, asked: Asked, rows_expected: int | None) -> Export:
    """Store a question; TooManyExports when enough are waiting."""
    waiting = Export.objects.filter(owner=owner, state__in=[Export.State.WAITING, Export.State.RUNNING])
    if waiting.count() >= MOST_OPEN:
        raise TooManyExports
    query = asked.query.copy()
    for name in ("csrfmiddlewaretoken", "kind", "format", "after", "before", "fragment", "range"):
        query.pop(name, None)
    for name, value in asked.selection.parameters.items():
        if name != "range":
            query[name] = value
    return Export.objects.create(
        owner=owner,
        kind=asked.kind,
        format=asked.format,
        query=query.urlencode(),
        since=asked.selection.since,
        until=asked.selection.until,
        rows_expected=rows_expected,
    )


def write_waiting() -> int:
    """Write every export that waits, oldest first; how many. One process at a time calls this."""
    Export.objects.filter(state=Export.State.RUNNING).update(state=Export.State.WAITING)
    count = 0
    while (export := Export.objects.filter(state=Export.State.WAITING).order_by("id").first()) is not None:
        write(export)
        count += 1
    return count


def write(export: Export) -> None:
    """Write one export's parts. What fails is told on its line and in the log."""
    ExportPart.objects.filter(export=export).delete()
    export.state, export.rows_written, export.parts, export.size_bytes = Export.State.RUNNING, 0, 0, 0
    export.attempts += 1
    sight = sight_of(export.owner)
    export.sight = digest(sight)
    export.save()
    if export.attempts > MOST_ATTEMPTS:
        return _end(export, Export.State.FAILED, "It was tried three times.")
    try:
        columns, rows, facts = _question(export, sight)
        _store(export, WRITERS[export.format](columns, _counted(export, rows), facts))
    except TooManyRows as problem:
        return _end(export, Export.State.FAILED, str(problem))
    return _end(export, Export.State.DONE)


def digest(sight: Sight) -> str:
    """What somebody may see, as a mark to compare."""
    parts = [str(sight.everything), sight.user_id, sight.key_id, *sorted(sight.service_ids)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def part_of(export: Export, number: int) -> bytes:
    """A piece of the file."""
    return zlib.decompress(
        ExportPart.objects.values_list("data", flat=True).get(export=export, number=number)
    )


def _question(export: Export, sight: Sight) -> tuple[list[str], Iterator[list[Any]], dict[str, Any]]:
    query = QueryDict(export.query)
    chosen = Selection(
        "custom",
        export.since,
        export.until,
        query.get("environment", ""),
        query.get("service", ""),
        False,
        interval_for(export.until - export.since),
    )
    zone = reporting_zone()
    facts = {"since": export.since, "until": export.until, "time_zone": zone.key}
    if export.kind == "usage":
        asker = Asker(chosen, sight, zone)
        question = parse(query, chosen, zone)
        columns, rows = asker.table(question)
        since, until = asker.bounds(question)
        return columns, rows, facts | {"since": since, "until": until}
    found = RequestSearch(query, chosen, sight).newest_first()
    return [*REQUEST_COLUMNS, *COST_COLUMNS], request_rows(found), facts


def request_rows(found: Iterator[Request]) -> Iterator[list[Any]]:
    """Calls as lines of a file, costs with what came later."""
    window: list[Request] = []
    for row in found:
        window.append(row)
        if len(window) == WINDOW:
            yield from _lines(window)
            window = []
    yield from _lines(window)


def _lines(rows: list[Request]) -> Iterator[list[Any]]:
    late = late_costs([row.pk for row in rows])
    for row in rows:
        adjusted = late.get(row.pk)
        cost = row.cost_nanodollars if adjusted is None else (row.cost_nanodollars or 0) + adjusted
        dollars = None if cost is None else Decimal(usd_string(cost))
        values = [str(row.pk), *(getattr(row, name) for name in REQUEST_COLUMNS[1:])]
        yield [value if value != "" else None for value in values] + [cost, adjusted or 0, dollars]


def _counted(export: Export, rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    for row in rows:
        export.rows_written += 1
        yield row


def _store(export: Export, chunks: Iterator[bytes]) -> None:
    """Chunks as parts of even size; each is on the page when it is written."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PART_BYTES:
            _store_part(export, bytes(waiting[:PART_BYTES]))
            del waiting[:PART_BYTES]
    _store_part(export, bytes(waiting))


def _store_part(export: Export, data: bytes) -> None:
    with transaction.atomic():
        ExportPart.objects.create(export=export, number=export.parts, data=zlib.compress(data, 1))
        export.parts += 1
        export.size_bytes += len(data)
        Export.objects.filter(pk=export.pk).update(
            parts=F("parts") + 1, size_bytes=export.size_bytes, rows_written=export.rows_written
        )


def _end(export: Export, state: str, error: str = "") -> None:
    export.state, export.error, export.finished_at = state, error, now()
    export.save()
    logger.info(
        "Export %s is %s: %d rows, %d bytes.", export.pk, state, export.rows_written, export.size_bytes
    )
