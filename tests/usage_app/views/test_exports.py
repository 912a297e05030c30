"""Exports: short ones at once, long ones beside the ledger; the owner's alone, exactly what is filtered."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import AsyncClient, Client

from gateway_project import clock
from keys_app.models import Membership, User
from tests.seeding import People, make_request, save, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app import export_jobs
from usage_app.export_jobs import write_waiting
from usage_app.exports import WRITERS
from usage_app.ledger_upkeep import Upkeep
from usage_app.models import Adjustment, Export, ExportPart
from usage_app.views import exports as views


@pytest.fixture(autouse=True)
def long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of rows is long."""
    monkeypatch.setattr(views, "DIRECT_ROWS", 5)
    monkeypatch.setattr(views, "DIRECT_LINES", 5)
    monkeypatch.setattr(export_jobs, "PART_BYTES", 1_000)


def ask(client: Client, kind: str, query: str, file_format: str = "csv") -> Any:
    return client.post("/ui/exports/", {"kind": kind, "format": file_format, "query": query})


async def read(user: User, export: Export) -> bytes:
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.get(f"/ui/exports/{export.pk}/")
    assert answer.status_code == 200
    return b"".join([part async for part in answer.streaming_content])


@pytest.mark.django_db(transaction=True)
async def test_a_long_export_is_written_in_parts_and_holds_exactly_what_is_filtered(browse: Browse) -> None:
    from asgiref.sync import sync_to_async

    def prepare() -> tuple[User, Export, list[Any], set[str]]:
        from tests.seeding import seed_people

        people = seed_people()
        rows = seed_requests(people, 120, 20)
        late = rows[0]
        Adjustment.objects.create(
            request_id=late.pk, cause="batch", cost_nanodollars=11, at=clock.now(), is_applied=True
        )
        assert ask(browse(people.root), "requests", "range=24h&environment=test").status_code == 302
        export = Export.objects.get()
        assert export.state == Export.State.WAITING
        assert write_waiting() == 1
        export.refresh_from_db()
        wanted = {str(row.pk) for row in rows if row.environment == "test"}
        return people.root, export, rows, wanted

    owner, export, rows, wanted = await sync_to_async(prepare)()
    assert (export.state, export.rows_written) == (Export.State.DONE, len(wanted))
    assert export.parts > 1
    text = (await read(owner, export)).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert {line["id"] for line in lines} == wanted
    cost = {str(row.pk): row.cost_nanodollars for row in rows}
    for line in lines:
        extra = 11 if line["id"] == str(rows[0].pk) else 0
        known = cost[line["id"]]
        assert line["cost_nanodollars"] == ("" if known is None else str(known + extra))


@pytest.mark.parametrize("file_format", sorted(WRITERS))
def test_every_kind_and_format_is_written(people: People, browse: Browse, file_format: str) -> None:
    seed_requests(people, 60, 20)
    client = browse(people.root)
    for kind, query in (("requests", "range=24h"), ("usage", "range=24h&by=key&and=model&columns=hour")):
        assert ask(client, kind, query, file_format).status_code == 302
    assert write_waiting() == 2
    for export in Export.objects.all():
        assert export.state == Export.State.DONE, export.error
        assert export.rows_written > 5
        assert export.size_bytes == sum(
            len(export_jobs.part_of(export, number)) for number in range(export.parts)
        )


def test_a_short_one_is_answered_at_once(people: People, browse: Browse) -> None:
    save([make_request(people.keys["search-lab"], clock.now() - timedelta(minutes=n)) for n in range(3)])
    answer = ask(browse(people.root), "requests", "range=24h")
    assert answer.status_code == 200
    assert len(answer.content.decode("utf-8-sig").splitlines()) == 4
    assert not Export.objects.exists()


def test_an_export_holds_what_its_owner_may_see_and_is_nobody_elses(people: People, browse: Browse) -> None:
    seed_requests(people, 150, 20)
    assert ask(browse(people.alice), "requests", "range=24h").status_code == 302
    write_waiting()
    export = Export.objects.get()
    text = b"".join(export_jobs.part_of(export, number) for number in range(export.parts)).decode()
    assert "checkout-prod" in text
    assert "search-prod" not in text
    address = f"/ui/exports/{export.pk}/"
    assert browse(people.charlie).get(address).status_code == 404
    assert browse(people.root).get(address).status_code == 404
    assert "csv" not in browse(people.charlie).get("/ui/exports/").content.decode().lower().split("<main")[1]
    Membership.objects.filter(user=people.alice).delete()
    assert browse(people.alice).get(address).status_code == 404


def test_charlie_exports_nothing_of_checkout(people: People, browse: Browse) -> None:
    seed_requests(people, 60, 20)
    client = browse(people.charlie)
    for kind, query in (
        ("requests", "range=24h"),
        ("requests", f"range=24h&service={people.checkout.pk}"),
        ("usage", "range=24h&by=service&and=key"),
        ("usage", "range=24h&by=client"),
    ):
        answer = ask(client, kind, query)
        write_waiting()
        text = answer.content.decode()
        for export in Export.objects.all():
            text += b"".join(export_jobs.part_of(export, n) for n in range(export.parts)).decode()
        assert "checkout" not in text


def test_one_person_has_so_many_at_once(people: People, browse: Browse) -> None:
    seed_requests(people, 30, 20)
    client = browse(people.root)
    for _ in range(7):
        assert ask(client, "requests", "range=24h").status_code == 302
    assert Export.objects.count() == 5
    assert "Five exports" in client.get("/ui/exports/").content.decode()


def test_a_writer_that_died_is_followed_by_another_three_times(people: People, browse: Browse) -> None:
    seed_requests(people, 30, 20)
    ask(browse(people.root), "requests", "range=24h")
    export = Export.objects.get()
    ExportPart.objects.create(export=export, number=0, data=b"half")
    Export.objects.update(state=Export.State.RUNNING, attempts=1)
    assert write_waiting() == 1
    export.refresh_from_db()
    assert export.state == Export.State.DONE
    assert ExportPart.objects.filter(export=export).count() == export.parts
    Export.objects.update(state=Export.State.RUNNING, attempts=3)
    write_waiting()
    export.refresh_from_db()
    assert export.state == Export.State.FAILED


@pytest.mark.django_db(transaction=True)
def test_exports_are_gone_after_their_day(people: People) -> None:
    export = Export.objects.create(
        owner=people.root, kind="usage", format="csv", since=clock.now(), until=clock.now()
    )
    ExportPart.objects.create(export=export, number=0, data=b"x")
    upkeep = Upkeep(clock_s=iter(range(0, 10**6, 1000)).__next__)
    upkeep.exports.run = lambda: None  # type: ignore[method-assign]
    upkeep.prices.run = lambda settings: None  # type: ignore[method-assign]
    upkeep.run()
    assert Export.objects.exists()
    Export.objects.update(created_at=clock.now() - timedelta(hours=25))
    upkeep.run()
    assert not Export.objects.exists()
    assert not ExportPart.objects.exists()


def test_a_million_rows_of_csv_and_json_are_never_in_memory_at_once() -> None:
    for name in ("csv", "json"):
        taken = 0

        def rows() -> Iterator[list[Any]]:
            nonlocal taken
            while True:
                taken += 1
                yield [taken, "x"]

        assert len(list(islice(WRITERS[name](["a", "b"], rows(), {}), 3))) == 3
        assert taken < 2_000


def test_nothing_is_written_by_a_worker_but_what_is_short(people: People, browse: Browse) -> None:
    seed_requests(people, 60, 20)
    client = browse(people.root)
    with connection.execute_wrapper(_no_parts):
        ask(client, "requests", "range=24h")


def _no_parts(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    assert "exportpart" not in sql
    return execute(sql, params, many, context)


def test_a_question_is_kept_with_its_range_as_it_was(people: People, browse: Browse) -> None:
    seed_requests(people, 30, 20)
    ask(browse(people.root), "requests", "range=24h&model=gpt-5&after=0.0~x")
    export = Export.objects.get()
    kept = QueryDict(export.query)
    assert kept["model"] == "gpt-5"
    assert not {"after", "range"} & set(kept)
    assert export.until - export.since >= timedelta(hours=24)
