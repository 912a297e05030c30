from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from gateway_project.clock import now, now_ms
from keys_app.issuing import issue_key
from keys_app.models import AlertTarget, Budget, Service
from usage_app import budget_alerts, telling
from usage_app.models import Alert, AlertDelivery, BudgetSpend
from usage_app.webhooks import NotDelivered

pytestmark = pytest.mark.django_db
NOV, DEC = (int(datetime(2026, month, 15, tzinfo=UTC).timestamp() * 1000) for month in (11, 12))


def budget(**fields: object) -> Budget:
    values = {"scope": "global", "amount_nanodollars": 100, "alert_percents": [50, 80, 100], **fields}
    return Budget.objects.create(**values)


def spend(row: Budget, amount: int, period: str = "2026-11") -> None:
    BudgetSpend.objects.update_or_create(
        budget_id=str(row.pk), period=period, defaults={"spent_nanodollars": amount}
    )


def percents() -> list[int]:
    return sorted(
        int(subject.rpartition("/")[2]) for subject in Alert.objects.values_list("subject", flat=True)
    )


@pytest.mark.parametrize(
    ("spent", "told"),
    [(0, []), (49, []), (50, [50]), (79, [50]), (80, [80]), (100, [100]), (250, [100])],
)
def test_a_percentage_is_told_when_it_is_reached(spent: int, told: list[int]):
    spend(budget(), spent)
    budget_alerts.raise_crossings(NOV)
    assert percents() == told


def test_each_percentage_is_told_once_a_period_and_again_in_the_next():
    row = budget()
    spend(row, 60)
    for _turn in range(3):
        budget_alerts.raise_crossings(NOV)
    assert Alert.objects.count() == 1
    spend(row, 55, "2026-12")
    budget_alerts.raise_crossings(DEC)
    assert Alert.objects.count() == 2
    assert Alert.objects.filter(resolved_at=None).count() == 1  # November's is over


def test_one_percentage_after_the_other_is_told_each():
    row = budget()
    for amount in (60, 85, 120):
        spend(row, amount)
        budget_alerts.raise_crossings(NOV)
    assert percents() == [50, 80, 100]


def test_a_temporary_increase_counts_into_the_limit():
    row = budget(extra_nanodollars=100, extra_until=datetime(2026, 12, 1, tzinfo=UTC))
    spend(row, 80)
    budget_alerts.raise_crossings(NOV)
    assert percents() == []


def test_a_budget_of_each_end_user_tells_of_each():
    row = budget(scope="end_user", target="", alert_percents=[50])
    spend(row, 60, "2026-11/ann")
    spend(row, 10, "2026-11/ben")
    budget_alerts.raise_crossings(NOV)
    assert Alert.objects.get().subject == f"{row.pk}/2026-11/ann/50"


class Post:
    """Stands for the world outside: remembers what was sent, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.sent: list[tuple[str, str]] = []
        self.failures = failures

    def __call__(self, target: AlertTarget, alert: Alert, delivery: AlertDelivery) -> None:
        if self.failures:
            self.failures -= 1
            raise NotDelivered("The other side answered 500.")
        self.sent.append((target.name, alert.subject))


def target(name: str, **fields: object) -> AlertTarget:
    return AlertTarget.objects.create(
        name=name, kind="webhook", address="https://hooks.example.org/", **fields
    )


def current(amount: int = 90, **fields: object) -> Budget:
    row = budget(period="total", **fields)
    spend(row, amount, "total")
    return row


def test_of_what_was_crossed_at_once_the_highest_is_told_to_every_target():
    row, send = current(), Post()
    target("ops"), target("off", is_enabled=False)
    assert telling.tell_round(send) == 1
    assert send.sent == [("ops", f"{row.pk}/total/80")]
    assert telling.tell_round(send) == 0


def test_a_service_s_target_gets_its_service_s_budgets_and_no_others():
    shop, search = Service.objects.create(name="shop"), Service.objects.create(name="search")
    target("everything"), target("shop's", service=shop), target("search's", service=search)
    key, _secret = issue_key(name="x", service=shop)
    current(scope="key", key=key, alert_percents=[80])
    send = Post()
    telling.tell_round(send)
    assert sorted(name for name, _subject in send.sent) == ["everything", "shop's"]


def test_what_did_not_arrive_is_tried_again_later_and_later_and_given_up_in_the_end():
    current(alert_percents=[80])
    target("ops")
    send = Post(failures=10**6)
    pauses = []
    for _turn in range(telling.MOST_ATTEMPTS):
        telling.tell_round(send)
        delivery = AlertDelivery.objects.get()
        assert delivery.error == "The other side answered 500."
        if delivery.next_at is not None:
            pauses.append(timedelta(seconds=round((delivery.next_at - now()).total_seconds())))
            assert telling.send_due(send) == 0  # not yet
            AlertDelivery.objects.update(next_at=now())
    assert AlertDelivery.objects.get().next_at is None
    assert AlertDelivery.objects.get().attempts == telling.MOST_ATTEMPTS
    assert pauses == sorted(pauses)
    assert pauses[-1] <= telling.LONGEST_PAUSE
    assert sum(pauses, timedelta()) > timedelta(hours=12)


def test_a_target_that_recovers_gets_the_alert_once():
    current(alert_percents=[80])
    target("ops")
    send = Post(failures=2)
    for _turn in range(5):
        telling.tell_round(send)
        AlertDelivery.objects.filter(delivered_at=None).update(next_at=now())
    assert len(send.sent) == 1
    assert AlertDelivery.objects.get().attempts == 3


def test_a_target_that_is_taken_away_ends_its_deliveries():
    current(alert_percents=[80])
    gone = target("ops")
    telling.tell_round(Post(failures=1))
    gone.delete()
    AlertDelivery.objects.update(next_at=now())
    assert telling.tell_round(Post()) == 0
    assert AlertDelivery.objects.get().next_at is None


def test_mail_goes_by_django_s_backend():
    current(alert_percents=[80])
    AlertTarget.objects.create(name="boss", kind="email", address="boss@example.org")
    telling.tell_round(telling.deliver)
    (message,) = mail.outbox
    assert message.to == ["boss@example.org"]
    assert "80 % is reached" in message.body


def test_an_alarm_of_the_ledger_is_told_too():
    target("ops")
    Alert.objects.create(kind="ledger_lag", detail="12 s behind", first_at=now(), last_at=now())
    Alert.objects.create(kind="old", first_at=now() - timedelta(days=2), last_at=now())
    send = Post()
    telling.tell_round(send)
    assert len(send.sent) == 1


def test_slack_gets_a_text_and_a_webhook_gets_the_parts():
    row = current(alert_percents=[80])
    (alert,) = budget_alerts.raise_crossings(now_ms())
    slack = telling.payload(AlertTarget(kind="slack"), alert)
    assert set(slack) == {"text"} and "80 %" in str(slack["text"])
    parts = telling.payload(AlertTarget(kind="webhook"), alert)
    assert (parts["budget"], parts["period"], parts["percent"]) == (str(row.pk), "total", 80)
