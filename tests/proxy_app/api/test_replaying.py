"""The words of a kept call for the Playground: for who may read them, and the audit log has it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from gateway_project import clock
from keys_app.models import AuditEntry
from tests.seeding import People, make_request, save, seed_people
from usage_app import captured
from usage_app.captured import BodyWriter, Said
from usage_app.models import Request

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return seed_people()


def kept(people: People, folder: Path, said: str, endpoint: str = "chat.completions") -> Request:
    row = make_request(people.keys["checkout-prod"], clock.now() - timedelta(minutes=1), endpoint=endpoint)
    save([row])
    writer = BodyWriter(folder, "worker-1")
    assert writer.write(str(row.pk), str(people.checkout.pk), clock.now_ms(), 7, Said(said, ""))
    writer.hand_over()
    captured.take_in(folder)
    return row


QUESTION = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Why?"}]})


def ask(person, row: Request):
    client = Client()
    if person is not None:
        client.force_login(person)
    return client.get(f"/api/v1/requests/{row.pk}/replay/")


def test_an_admin_gets_the_words_and_the_log_has_it(people: People, tmp_path: Path) -> None:
    row = kept(people, tmp_path, QUESTION)
    answer = ask(people.root, row)
    assert answer.json() == {
        "model": row.model,
        "body": {"messages": [{"role": "user", "content": "Why?"}]},
        "left_out": [],
    }
    assert AuditEntry.objects.get(verb="read").object_id == str(row.pk)


def test_others_need_the_right_and_the_sight(people: People, tmp_path: Path) -> None:
    row = kept(people, tmp_path, QUESTION)
    assert ask(None, row).status_code == 401
    assert ask(people.alice, row).status_code == 403
    right = Permission.objects.get(codename="read_bodies")
    people.alice.user_permissions.add(right)
    people.charlie.user_permissions.add(right)
    assert ask(people.alice, row).status_code == 200
    assert ask(people.charlie, row).status_code == 404
    assert [entry.actor for entry in AuditEntry.objects.filter(verb="read")] == ["alice"]


def test_what_is_not_kept_was_cut_or_is_no_conversation_is_said(people: People, tmp_path: Path) -> None:
    bare = make_request(people.keys["checkout-prod"], clock.now() - timedelta(minutes=2))
    save([bare])
    assert ask(people.root, bare).status_code == 404
    cut = kept(people, tmp_path, QUESTION[:-5])
    assert ask(people.root, cut).status_code == 422
    other = kept(people, tmp_path, QUESTION, "embeddings")
    assert ask(people.root, other).status_code == 422
