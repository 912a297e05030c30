"""What limits a key now: the levels every call meets, then those of models, providers and deployments."""

import pytest

from keys_app.models import Budget, RateLimit, Scope, Service, User, VirtualKey
from keys_app.standing import standing_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> VirtualKey:
    service = Service.objects.create(name="shop")
    other = Service.objects.create(name="bank")
    user = User.objects.create(username="dora")
    key = VirtualKey.objects.create(
        name="shop", service=service, user=user, secret_hash="a", prefix="sk-gh-", last_four="aaaa"
    )
    money = {"period": Budget.Period.MONTH, "amount_nanodollars": 10**9}
    Budget.objects.create(scope=Scope.KEY, key=key, **money)
    Budget.objects.create(scope=Scope.MODEL, target="openai/gpt-5", **money)
    Budget.objects.create(scope=Scope.MODEL, target="claude", service=service, **money)
    Budget.objects.create(scope=Scope.MODEL, target="claude", service=other, **money)
    RateLimit.objects.create(scope=Scope.PROVIDER, target="openai", requests_per_minute=5)
    RateLimit.objects.create(scope=Scope.DEPLOYMENT, target="openai/gpt-5", parallel=2)
    return key


def levels(key: VirtualKey, **asked: str) -> list[tuple[str, str]]:
    return [(level.scope, level.name) for level in standing_of(key, None, **asked).levels]


def test_levels_of_names_follow_those_that_every_call_meets(key: VirtualKey) -> None:
    found = levels(key)
    assert found[0][0] == "key"
    scopes = [scope for scope, _ in found[1:]]
    assert sorted(scopes) == ["deployment", "model", "model", "provider"]  # and nothing of another service
    names = " ".join(name for _, name in found[1:])
    assert "openai/gpt-5" in names
    assert "claude" in names


def test_asked_for_one_only_its_levels_are_told(key: VirtualKey) -> None:
    assert {scope for scope, _ in levels(key, model="claude")} == {"key", "model"}
    assert len(levels(key, model="claude")) == 2
    assert {scope for scope, _ in levels(key, provider="openai")} == {"key", "provider"}


def test_what_binds_first_is_told_of_what_every_call_meets(key: VirtualKey) -> None:
    Budget.objects.filter(scope=Scope.MODEL).update(amount_nanodollars=1)
    binding = [level.scope for level in standing_of(key, None).levels if level.binds_first]
    assert "model" not in binding
