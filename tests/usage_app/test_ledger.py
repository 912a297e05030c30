"""From journal to rows: one call is one row, whatever happens in between."""

import json
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from django.db import OperationalError

from gateway_project.clock import from_ms
from keys_app.limits import BudgetDemand, Demand, Grant, RateDemand
from keys_app.limits.allowances import granted
from keys_app.models import KeyUse
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import (
    ALICE,
    BUDGET,
    KEY,
    MONTH,
    NOON_MS,
    SEARCH,
    a_begin,
    a_progress,
    a_refusal,
    an_attempt,
    an_end,
    call_id,
)
from usage_app.budget_states import spends_of_calls
from usage_app.journal import JournalWriter
from usage_app.journal_folder import segment_path
from usage_app.ledger import Ledger, LedgerRunning
from usage_app.ledger_audit import budget_differences, check_everything
from usage_app.ledger_batches import Batch
from usage_app.ledger_rows import REQUEST_COLUMNS, SettledCall, attempt_id
from usage_app.ledger_series import UTC_ZONE, series_since
from usage_app.models import (
    Adjustment,
    Alert,
    Attempt,
    BudgetSpend,
    ClaimRollup,
    DayRollup,
    JournalOffset,
    KnownName,
    Price,
    Request,
    Rollup,
)
from usage_app.records import Adjust, Caller, End, Tokens

pytestmark = pytest.mark.django_db(transaction=True)


def assert_balanced() -> None:
    zones = [(UTC_ZONE, series_since()["UTC"])]
    assert [d for d in (*check_everything(zones), *budget_differences()) if not d.is_zero] == []


def sums() -> tuple[int, int]:
    rows = Rollup.objects.values_list("requests", "cost_nanodollars")
    return sum(r for r, _ in rows), sum(c for _, c in rows)


def test_how_the_limits_stood_comes_through_the_journal_as_it_was_told(
    writer: JournalWriter, ledger: Ledger
) -> None:
    demand = Demand(
        (BudgetDemand(BUDGET, "2026-11", 10**9, False, "service", "service search", "month", "UTC", None),),
        (RateDemand("r1", "deployment", "the deployment openai/gpt-4o", 60),),
    )
    grant = Grant(400, budgets=[(2**60 + 1, 7)], rates=[(61, 0, 1, 59_000)])
    writer.append(an_end(decision={"allowances": [each for _name, each in granted(demand, grant)]}))
    read_all(ledger)
    budget = {"kind": "budget", "scope": "service", "name": "search", "id": BUDGET, "period": "2026-11"}
    figures = {"per": "month", "limit": 10**9, "hard": False, "spent": 2**60 + 1, "held": 7, "hold": 400}
    rate = {"kind": "requests", "scope": "deployment", "name": "openai/gpt-4o", "limit": 60}
    told = [budget | figures, rate | {"left": 0, "reset_ms": 59_000}]
    assert Request.objects.get().decision["allowances"] == told


def test_an_end_becomes_a_row_an_attempt_and_sums(writer: JournalWriter, ledger: Ledger) -> None:
    end = an_end()
    writer.append(a_begin(end.id))
    writer.append(an_attempt(end.id))
    writer.append(end)
    read_all(ledger)
    row = Request.objects.get()
    assert str(row.id) == end.id
    assert (row.key_id, row.user_id, row.service_id) == (KEY, ALICE, SEARCH)
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (1200, 300, 450)
    assert (row.cost_nanodollars, row.status, row.http_status) == (7_500_000, "ok", 200)
    assert row.timeline == [{"name": "arrived", "at_ms": 0.0}, {"name": "done", "at_ms": 900.0}]
    assert row.charges == [{"budget_id": BUDGET, "period": "2026-11"}]
    assert int(row.started_at.timestamp() * 1000) == NOON_MS
    attempt = Attempt.objects.get()
    assert (attempt.request_id, attempt.number) == (row.id, 1)
    assert attempt.id == attempt_id(row.id, 1)
    assert sums() == (1, 7_500_000)
    assert BudgetSpend.objects.get().spent_nanodollars == 7_500_000
    assert str(KeyUse.objects.get().key_id) == KEY
    assert set(KnownName.objects.values_list("kind", "name")) == {
        ("key", "backend"),
        ("user", "alice"),
        ("service", "Search"),
        ("deployment", "openai/gpt-4o"),
        ("provider", "openai"),
    }
    assert DayRollup.objects.get().day.isoformat() == "2026-11-23"
    assert ClaimRollup.objects.get().value == "openai-python/2.1"
    assert_balanced()


def test_every_column_of_a_request_is_written() -> None:
    assert tuple(field.column for field in Request._meta.concrete_fields) == REQUEST_COLUMNS


def test_an_end_that_is_read_twice_is_one_row(writer: JournalWriter, ledger: Ledger) -> None:
    end = an_end()
    writer.append(end)
    writer.append(end)
    read_all(ledger)
    writer.append(end)
    read_all(ledger)
    assert Request.objects.count() == 1
    assert sums() == (1, 7_500_000)
    assert BudgetSpend.objects.get().requests == 1
    assert_balanced()


def test_a_ledger_that_starts_again_goes_on_where_it_was(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path
) -> None:
    for _ in range(5):
        writer.append(an_end())
    read_all(ledger)
    ledger.unlock()
    for _ in range(3):
        writer.append(an_end())
    again = Ledger(journal_dir, "here")
    again.lock()
    read_all(again)
    again.unlock()
    assert Request.objects.count() == 8
    assert sums() == (8, 8 * 7_500_000)


def test_a_vanished_workers_open_call_is_interrupted_and_charged_what_is_known(
    writer: JournalWriter, ledger: Ledger
) -> None:
    price = Price.objects.create(
        provider_kind="openai", model="gpt-4o", input_nanodollars=10**9, output_nanodollars=4 * 10**9
    )
    open_call = call_id()
    writer.append(a_begin(open_call))
    writer.append(an_attempt(open_call, price_id=str(price.id)))
    writer.append(a_progress(open_call, 250))
    read_all(ledger)
    assert Request.objects.count() == 0
    writer.close()
    read_all(ledger)
    row = Request.objects.get()
    assert row.status == "interrupted"
    assert row.usage_source == "estimate"
    assert (row.input_tokens, row.output_tokens) == (1000, 250)
    assert row.cost_nanodollars == 1_000_000 + 1_000_000
    assert Attempt.objects.get().status == "interrupted"
    assert Rollup.objects.get().estimated_cost_nanodollars == 2_000_000
    assert BudgetSpend.objects.get().spent_nanodollars == 2_000_000
    assert_balanced()


def test_a_call_that_never_tried_a_provider_costs_nothing(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(a_begin())
    writer.close()
    read_all(ledger)
    row = Request.objects.get()
    assert (row.status, row.cost_nanodollars, row.input_tokens) == ("interrupted", 0, None)
    assert Attempt.objects.count() == 0
    assert Rollup.objects.get().unpriced_requests == 0


def test_an_interrupted_call_without_a_price_is_unpriced(writer: JournalWriter, ledger: Ledger) -> None:
    begin = a_begin()
    writer.append(begin)
    writer.append(an_attempt(begin.id))
    writer.append(an_attempt(begin.id, number=2))
    writer.close()
    read_all(ledger)
    assert Request.objects.get().cost_nanodollars is None
    assert Rollup.objects.get().unpriced_requests == 1
    statuses = Attempt.objects.order_by("number").values_list("status", flat=True)
    assert list(statuses) == ["error", "interrupted"]


def test_open_calls_survive_a_restart_of_the_ledger(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path
) -> None:
    first, second = a_begin(), a_begin()
    writer.append(first)
    writer.append(second)
    writer.append(an_attempt(first.id))
    writer.append(an_end(second.id))
    for _ in range(10):
        writer.append(an_end())
    read_all(ledger)
    offset = JournalOffset.objects.get()
    assert offset.open_calls == 1
    assert offset.open_from_offset == 0
    ledger.unlock()
    again = Ledger(journal_dir, "here")
    again.lock()
    read_all(again)
    writer.append(a_progress(first.id, 40))
    writer.close()
    read_all(again)
    again.unlock()
    row = Request.objects.get(status="interrupted")
    assert (str(row.id), row.output_tokens) == (first.id, 40)
    assert Request.objects.count() == 12


def test_an_end_after_interrupted_becomes_the_difference(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path
) -> None:
    price = Price.objects.create(model="gpt-4o", input_nanodollars=10**9, output_nanodollars=0)
    begin = a_begin()
    writer.append(begin)
    writer.append(an_attempt(begin.id, price_id=str(price.id)))
    writer.close()
    read_all(ledger)
    assert Request.objects.get().cost_nanodollars == 1_000_000
    other = JournalWriter(journal_dir, "worker-2", spare_bytes=0, minimum_free_bytes=0)
    other.open()
    other.append(an_end(begin.id, cost_nanodollars=3_500_000))
    other.append(an_end(begin.id, cost_nanodollars=3_500_000))
    read_all(ledger)
    other.append(an_end(begin.id, cost_nanodollars=3_500_000))
    read_all(ledger)
    other.close()
    assert Request.objects.get().cost_nanodollars == 1_000_000
    assert Adjustment.objects.get().cost_nanodollars == 2_500_000
    assert sums() == (1, 3_500_000)
    assert BudgetSpend.objects.get().spent_nanodollars == 3_500_000
    assert BudgetSpend.objects.get().requests == 1
    assert_balanced()


def test_an_adjustment_counts_once_before_or_after_its_request(writer: JournalWriter, ledger: Ledger) -> None:
    end = an_end()
    adjust = Adjust(end.id, NOON_MS + 9, "batch result", 500, (MONTH,))
    writer.append(adjust)
    read_all(ledger)
    assert sums() == (0, 0)
    assert BudgetSpend.objects.get().spent_nanodollars == 500
    writer.append(end)
    writer.append(adjust)
    writer.append(Adjust(end.id, NOON_MS + 9, "invoice", -200, (MONTH,)))
    read_all(ledger)
    assert sums() == (1, 7_500_300)
    assert BudgetSpend.objects.get().spent_nanodollars == 7_500_300
    assert Adjustment.objects.filter(is_applied=False).count() == 0
    assert_balanced()


def test_a_flood_of_refusals_is_one_row_with_a_count(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(a_refusal(repeated=250))
    writer.append(an_end())
    read_all(ledger)
    assert Request.objects.count() == 2
    assert sums() == (251, 7_500_000)
    assert Rollup.objects.get(status="refused").unpriced_requests == 0
    assert_balanced()


def test_a_bad_line_goes_to_quarantine_and_the_rest_goes_on(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path
) -> None:
    writer.append(an_end())
    with segment_path(writer.folder, 1).open("ab") as file:
        file.write(b"0000002a deadbeef this is not a record\n")
    writer.append(an_end())
    read_all(ledger)
    assert Request.objects.count() == 2
    assert Alert.objects.get().kind == "bad_record"
    kept = (journal_dir / "_quarantine" / "worker-1.txt").read_text()
    assert "this is not a record" in kept


def test_a_last_line_cut_off_waits_while_the_worker_lives_and_is_set_aside_when_it_was_killed(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path
) -> None:
    writer.append(an_end())
    begun = a_begin()
    writer.append(begun)
    with segment_path(writer.folder, 1).open("ab") as file:
        file.write(b'00000042 12345678 {"k":"end"')
    read_all(ledger)
    assert Request.objects.count() == 1
    writer.close()
    read_all(ledger)
    assert Request.objects.get(pk=begun.id).status == "interrupted"
    assert '"k":"end"' in (journal_dir / "_quarantine" / "worker-1.txt").read_text()
    assert Alert.objects.count() == 0  # nothing that a person has to mend
    assert not writer.folder.exists()


def test_text_that_a_database_cannot_take_is_made_to_fit(writer: JournalWriter, ledger: Ledger) -> None:
    caller = Caller(key_id=KEY, end_user="nul\0 and " + "x" * 500, tags=("a\0b", "a\0b"))
    writer.append(
        an_end(
            caller=caller,
            model="m" * 1000,
            error_detail="\0" * 2000,
            decision={"why": "a\0b"},
            tokens=Tokens(2**63, -5, 0, 0, 2**70),
        )
    )
    read_all(ledger)
    row = Request.objects.get()
    assert len(row.model) == 200
    assert "\0" not in row.end_user + row.error_detail + json.dumps(row.tags)
    assert ClaimRollup.objects.filter(kind="tag").count() == 1


def test_a_record_with_an_impossible_id_stops_nothing(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(an_end("not-an-id"))
    writer.append(an_end(finished_at_ms=2**62))
    writer.append(Adjust("nonsense", NOON_MS, "x", 1))
    writer.append(an_end())
    read_all(ledger)
    assert Request.objects.count() == 1
    assert Alert.objects.get().count == 3


def test_segments_are_deleted_once_nothing_in_them_is_needed(journal_dir: Path, ledger: Ledger) -> None:
    writer = JournalWriter(journal_dir, "worker-1", segment_bytes=3_000, spare_bytes=0, minimum_free_bytes=0)
    writer.open()
    begin = a_begin()
    writer.append(an_end())
    for _ in range(3):
        writer.append(an_end())
    writer.append(begin)
    for _ in range(6):
        writer.append(an_end())
    read_all(ledger)
    left = sorted(path.name for path in writer.folder.glob("*.jsonl"))
    assert "00000001.jsonl" not in left
    assert len(left) > 1
    writer.append(an_end(begin.id))
    read_all(ledger)
    assert [path.name for path in sorted(writer.folder.glob("*.jsonl"))][-1:] == [
        path.name for path in writer.folder.glob("*.jsonl")
    ]
    writer.close()
    read_all(ledger)
    assert not writer.folder.exists()
    assert Request.objects.count() == 11


def test_a_journal_that_is_mounted_again_is_adopted_where_it_was_left(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path, tmp_path: Path
) -> None:
    writer.append(an_end())
    read_all(ledger)
    away = tmp_path / "away"
    writer.folder.rename(away)
    read_all(ledger)
    assert ledger.shelf.missing() == ["worker-1"]
    writer.append(an_end())  # the descriptor stays good
    writer.close()
    away.rename(journal_dir / "worker-1")
    read_all(ledger)
    assert ledger.shelf.missing() == []
    assert Request.objects.count() == 2
    assert not (journal_dir / "worker-1").exists()


def test_a_second_ledger_on_the_same_folder_is_refused(ledger: Ledger, journal_dir: Path) -> None:
    with pytest.raises(LedgerRunning):
        Ledger(journal_dir, "here").lock()


def test_settled_calls_are_told_after_the_commit(writer: JournalWriter, ledger: Ledger) -> None:
    told: list[SettledCall] = []

    def broken(calls: list[SettledCall]) -> None:
        raise RuntimeError("the limit store is away")

    ledger.after_commit.extend([broken, told.extend])
    end = an_end()
    writer.append(end)
    read_all(ledger)
    assert [call.id for call in told] == [end.id]
    assert told[0].charges == (MONTH,)
    assert Request.objects.count() == 1


def test_more_values_than_a_day_has_room_for_are_summed_as_other(
    writer: JournalWriter, ledger: Ledger
) -> None:
    for number in range(1_003):
        caller = msgspec.structs.replace(Caller(key_id=KEY), end_user=f"person {number}")
        writer.append(an_end(caller=caller, attempts=[]))
    read_all(ledger)
    values = ClaimRollup.objects.filter(kind="end_user")
    assert values.exclude(value="").count() == 1_000
    assert values.get(value="").requests == 3


def test_the_master_key_leaves_no_key_use(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(an_end(caller=Caller(key_id="master", key_name="master")))
    read_all(ledger)
    assert KeyUse.objects.count() == 0
    assert Request.objects.get().key_id == "master"


def test_while_the_database_is_away_journals_wait_and_then_everything_is_written(
    writer: JournalWriter, ledger: Ledger, journal_dir: Path
) -> None:
    write, stop, attempts = ledger.batcher.write, threading.Event(), [0]
    told: list[str] = []

    def away(batch: Batch) -> None:
        attempts[0] += 1
        if attempts[0] == 1:
            raise OperationalError("there is no connection")
        told.append(json.loads((journal_dir / "_status.json").read_text())["error"])
        write(batch)
        raise OperationalError("the connection is lost before the answer")

    ledger.batcher.write = away  # type: ignore[method-assign]
    ledger.upkeep = Mock(run=stop.set)  # the first thing that happens once all is well
    begin = a_begin()
    writer.append(begin)
    writer.append(an_end())
    ledger.run(stop)
    ledger.batcher.write = write  # type: ignore[method-assign]
    assert told == ["OperationalError"]
    assert json.loads((journal_dir / "_status.json").read_text())["error"] == ""
    # What was committed without anybody hearing of it is not written twice.
    assert Request.objects.count() == 1
    assert sums() == (1, 7_500_000)
    assert JournalOffset.objects.get().open_calls == 1
    writer.append(an_end(begin.id))
    read_all(ledger)
    assert Request.objects.count() == 2
    assert_balanced()


def test_a_budget_that_refused_a_call_is_known_by_its_spend(writer: JournalWriter, ledger: Ledger) -> None:
    """Of the refusals the last one, whichever is read last; nothing is spent by them."""
    allowance = {"id": BUDGET, "period": MONTH.period, "refused": True}

    def refusal(at_ms: int, limit: int, **changes: Any) -> End:
        decision = {"allowances": [{"id": "another", "period": "2026-11"}, {**allowance, "limit": limit}]}
        fields = {"at_ms": at_ms, "error_code": "budget_exceeded", "decision": decision}
        return a_refusal(id=call_id(at_ms), **fields | changes)

    writer.append(refusal(NOON_MS + 60_000, 7))
    earlier = refusal(NOON_MS, 5)
    writer.append(earlier)
    read_all(ledger)
    writer.append(earlier)  # read twice
    writer.append(refusal(NOON_MS + 30_000, 6, repeated=7))
    writer.append(refusal(NOON_MS + 90_000, 8, error_code="rate_limited"))
    read_all(ledger)
    (row,) = BudgetSpend.objects.all()
    assert (row.refused_at, row.refused_limit_nanodollars) == (from_ms(NOON_MS + 60_000), 7)
    assert (row.spent_nanodollars, row.requests, row.refused_requests) == (0, 0, 9)
    assert list(spends_of_calls()) == []
