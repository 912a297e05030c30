"""What tells of people is forgotten when it is past its time, and not before."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db.models import Model

from gateway_project.clock import now
from keys_app import retention
from keys_app.models import AccessLink, AuditEntry, IdempotentAnswer, SignIn, User

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def aged(row: Model, **times: Any) -> Model:
    """Rows date themselves: their age is set afterwards."""
    type(row)._default_manager.filter(pk=row.pk).update(**times)
    return row


def sign_in(user: User, name: str) -> SignIn:
    return SignIn.objects.create(user=user, session_key=name)


def left(model: type[Model]) -> set[Any]:
    return set(model._default_manager.values_list("pk", flat=True))


def test_each_kind_is_kept_as_long_as_it_is_said_to_be() -> None:
    user = User.objects.create(username="dora")
    young, old = (
        AuditEntry.objects.create(actor="a", verb="b"),
        AuditEntry.objects.create(actor="a", verb="c"),
    )
    aged(young, at=now() - retention.AUDIT_KEPT + DAY)
    aged(old, at=now() - retention.AUDIT_KEPT - DAY)
    recent, over, forgotten, open_still = (sign_in(user, name) for name in "abcd")
    long_ago = now() - retention.SIGN_INS_KEPT - DAY
    aged(recent, began_at=long_ago, ended_at=now() - DAY)
    aged(over, began_at=long_ago, ended_at=long_ago)
    aged(forgotten, began_at=long_ago)
    aged(open_still, began_at=long_ago)
    Session.objects.create(session_key="d", session_data="", expire_date=now() + DAY)
    Session.objects.create(session_key="e", session_data="", expire_date=now() - DAY)
    link = AccessLink.objects.create(user=user, token_hash="x", purpose="invite", expires_at=now() - DAY)
    AccessLink.objects.create(user=user, token_hash="y", purpose="invite", expires_at=long_ago)
    answer = IdempotentAnswer.objects.create(caller="a", idempotency_key="b")
    stale = IdempotentAnswer.objects.create(caller="a", idempotency_key="c")
    aged(stale, created_at=now() - retention.ANSWERS_KEPT - DAY)
    assert retention.forget_old() is False
    assert left(AuditEntry) == {young.pk}
    assert left(SignIn) == {recent.pk, open_still.pk}
    assert left(AccessLink) == {link.pk}
    assert left(IdempotentAnswer) == {answer.pk}
    assert left(Session) == {"d"}


def test_much_is_forgotten_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST", 3)
    for _ in range(7):
        aged(AuditEntry.objects.create(actor="a", verb="b"), at=now() - 2 * retention.AUDIT_KEPT)
    assert [retention.forget_old() for _ in range(3)] == [True, True, False]
    assert left(AuditEntry) == set()
