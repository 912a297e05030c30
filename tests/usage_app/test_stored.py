"""What providers keep for callers, from the journal to its row and back."""

from datetime import timedelta

import msgspec
import pytest

from gateway_project.clock import from_ms, now, now_ms, uuid7_text
from tests.usage_app.test_ledger import read_all
from tests.usage_app.workload import NOON_MS, a_batch, an_end
from usage_app import stored as shelf
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.models import Alert, Request, StoredObject
from usage_app.records import Adjust, Charge, Stored

pytestmark = pytest.mark.django_db(transaction=True)


def stored(object_id: str = "resp_1", **fields: object) -> Stored:
    return Stored(
        **{  # type: ignore[arg-type]
            "id": uuid7_text(),
            "at_ms": NOON_MS,
            "kind": "response",
            "object_id": object_id,
            "provider_id": "provider-1",
            "owner": "service:1/production",
            **fields,
        }
    )


def test_what_is_kept_is_found_again_with_everything_its_settling_needs(
    writer: JournalWriter, ledger: Ledger
) -> None:
    kept = stored(
        model="gpt",
        upstream_model="gpt-5",
        deployment_id="d-1",
        charges=(Charge("b", "2026-11"),),
        held_nanodollars=7,
    )
    writer.append(an_end())
    writer.append(kept)
    read_all(ledger)
    assert shelf.find("response", "resp_1") == [kept]
    assert shelf.find("file", "resp_1") == []
    assert Request.objects.count() == 1  # it is no call


def test_two_providers_may_use_the_same_id(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(stored())
    writer.append(stored(provider_id="provider-2", owner="user:2/test"))
    read_all(ledger)
    found = shelf.find("response", "resp_1")
    assert {each.owner for each in found} == {"service:1/production", "user:2/test"}


@pytest.mark.parametrize("told", [("pending", "kept", "gone"), ("gone", "kept", "pending")])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_state_only_rises_in_whatever_order_workers_tell_of_it(
    writer: JournalWriter, ledger: Ledger, told: tuple[str, ...], at_once: bool
) -> None:
    for state in told:
        writer.append(stored(state=state))
        if not at_once:
            read_all(ledger)
    read_all(ledger)
    assert StoredObject.objects.get().state == StoredObject.State.GONE


def test_what_is_under_way_and_whose_it_is_can_be_listed(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(stored("batch_1", kind="batch", state="pending"))
    writer.append(stored("batch_2", kind="batch", owner="service:2/production"))
    writer.append(stored("batch_3", kind="batch", state="gone"))
    writer.append(stored("batch_4", kind="batch", at_ms=NOON_MS + 1))
    read_all(ledger)
    assert [each.object_id for each in shelf.pending()] == ["batch_1"]
    mine = shelf.listed("batch", "service:1/production")
    assert [each.object_id for each in mine] == ["batch_4", "batch_1"]


def test_an_impossible_one_stops_nothing(writer: JournalWriter, ledger: Ledger) -> None:
    writer.append(stored(id="no id"))
    writer.append(stored(""))
    writer.append(stored("x" * 300))
    writer.append(stored("resp_\0 2"))
    read_all(ledger)
    assert StoredObject.objects.count() == 1
    assert Alert.objects.get().count == 3


def test_what_no_provider_keeps_any_more_is_forgotten(writer: JournalWriter, ledger: Ledger) -> None:
    for name, kind, state in (
        ("old answer", "response", "kept"),
        ("old file", "file", "kept"),
        ("deleted file", "file", "gone"),
        ("new answer", "response", "kept"),
    ):
        writer.append(stored(name, kind=kind, state=state))
    read_all(ledger)
    long_ago = now() - timedelta(days=90)
    StoredObject.objects.exclude(object_id="new answer").update(changed_at=long_ago)
    StoredObject.objects.filter(object_id="new answer").update(changed_at=now())
    assert shelf.delete_old() is False
    assert set(StoredObject.objects.values_list("object_id", flat=True)) == {"old file", "new answer"}
    assert from_ms(NOON_MS) < now()


def test_a_later_cost_is_known_once_the_ledger_has_it(writer: JournalWriter, ledger: Ledger) -> None:
    end = an_end()
    writer.append(end)
    writer.append(Adjust(end.id, NOON_MS, "batch", 500))
    assert shelf.charged(end.id, "batch") is None
    read_all(ledger)
    assert shelf.charged(end.id, "batch") == 500
    assert shelf.charged(end.id, "another") is None


def test_a_batch_that_is_lost_is_told_of_once_until_it_is_found(
    writer: JournalWriter, ledger: Ledger
) -> None:
    lost = a_batch(object_id="batch_lost", at_ms=now_ms() - round(shelf.HELD_FOR.total_seconds() * 1000))
    for record in (lost, a_batch(object_id="batch_new"), a_batch(state="pending", kind="response")):
        writer.append(record)
    read_all(ledger)
    for _ in range(2):
        shelf.tell_of_lost()
    [alert] = Alert.objects.all()
    assert (alert.kind, alert.subject, alert.count, alert.resolved_at) == ("batch_lost", lost.id, 1, None)
    assert "batch_lost" in alert.detail
    writer.append(msgspec.structs.replace(lost, state="kept"))
    read_all(ledger)
    shelf.tell_of_lost()
    assert Alert.objects.get().resolved_at is not None
