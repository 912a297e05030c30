"""Rows as entries: whatever was edited, following the changes gives what a fresh reading gives."""

import logging
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from gateway_project.clock import now, now_ms
from keys_app import policy
from keys_app.models import Budget, RateLimit, Scope, Service, User, VirtualKey
from keys_app.secrets import hash_secret, mint
from keys_app.snapshot_file import SavedSnapshot
from keys_app.snapshot_reading import SnapshotReader
from keys_app.snapshot_rows import PolicyRows, PolicySection
from tests.keys_app.people import make_key, make_service, make_user

pytestmark = pytest.mark.django_db


class Editor:
    """Random edits of policy rows, by every way there is."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.number = 0

    def edit(self) -> None:
        self.random.choice(
            [self.add_key, self.add_key, self.add_people, self.add_limit, self.add_limit, self.change_key,
             self.change_people, self.change_limit, self.rotate, self.drop_key, self.drop_limit,
             self.change_many]
        )()  # fmt: skip

    def pick(self, model: Any) -> Any:
        return self.random.choice(list(model.objects.all()) or [None])

    def add_key(self) -> None:
        self.number += 1
        make_key(f"key {self.number}", user=self.pick(User), service=self.pick(Service))

    def add_people(self) -> None:
        self.number += 1
        make_user(f"user {self.number}")
        make_service(f"service {self.number}", models_allowed=["gpt-*"])

    def add_limit(self) -> None:
        levels: list[dict[str, Any]] = [{"scope": Scope.GLOBAL}, {"scope": Scope.MODEL, "target": "gpt-6"}]
        if (key := self.pick(VirtualKey)) is not None:
            levels.append({"scope": Scope.KEY, "key": key})
        if (service := self.pick(Service)) is not None:
            levels.append({"scope": Scope.ENVIRONMENT, "service": service, "target": "test"})
        level = self.random.choice(levels)
        Budget.objects.create(amount_nanodollars=self.random.randrange(10**9), **level)
        RateLimit.objects.create(requests_per_minute=self.random.randrange(99), **level)

    def change_key(self) -> None:
        if (key := self.pick(VirtualKey)) is not None:
            key.models_allowed = self.random.choice([[], ["gpt-*"], ["a", "b"]])
            key.blocked_at = self.random.choice([None, now()])
            key.expires_at = self.random.choice([None, now() + timedelta(days=1)])
            key.save()

    def change_people(self) -> None:
        if (user := self.pick(User)) is not None:
            User.objects.filter(pk=user.pk).update(is_active=self.random.random() < 0.5)

    def change_limit(self) -> None:
        if (budget := self.pick(Budget)) is not None:
            budget.is_enabled = not budget.is_enabled
            budget.save()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE keys_app_ratelimit SET parallel = %s", [self.random.randrange(9)])

    def change_many(self) -> None:
        Service.objects.update(models_allowed=self.random.choice([[], ["claude-*"]]))

    def rotate(self) -> None:
        if (key := self.pick(VirtualKey)) is not None:
            key.previous_hash, key.previous_until = key.secret_hash, now() + timedelta(hours=1)
            key.secret_hash = mint().secret_hash
            key.save()

    def drop_key(self) -> None:
        if (key := self.pick(VirtualKey)) is not None:
            key.delete()

    def drop_limit(self) -> None:
        if (limit := self.pick(RateLimit)) is not None:
            limit.delete()


@pytest.mark.parametrize("seed", range(5))
def test_after_random_edits_the_followed_picture_is_the_fresh_one(seed: int) -> None:
    editor, reader = Editor(seed), SnapshotReader([], now_ms)
    reader.read()
    for _ in range(25):
        for _ in range(editor.random.randrange(1, 6)):
            editor.edit()
        reader.read()
        assert reader.state[1]["policy"] == PolicySection().load()
    assert reader.astray() == []


def load() -> PolicyRows:
    return PolicySection().load()


def test_both_secrets_of_a_rotated_key_are_known_the_old_one_for_its_grace() -> None:
    key, _ = make_key()
    old = mint()
    VirtualKey.objects.filter(pk=key.pk).update(
        previous_hash=old.secret_hash, previous_until=now() + timedelta(hours=1)
    )
    rows = load()
    assert rows.keys[key.secret_hash].previous_until_ms is None
    until_ms = rows.keys[old.secret_hash].previous_until_ms
    assert until_ms is not None
    assert 0 < until_ms - now_ms() <= 3_600_000


def test_a_rotated_secret_without_an_end_does_not_work() -> None:
    key, _ = make_key()
    VirtualKey.objects.filter(pk=key.pk).update(previous_hash=hash_secret("old"))
    assert load().keys[hash_secret("old")].previous_until_ms == 0


@pytest.mark.parametrize(
    ("value", "names"),
    [([], ()), (["gpt-6"], ("gpt-6",)), ("gpt-6", ("",)), ({"gpt-6": 1}, ("",)), (0, ("",)), ("", ("",))],
)
def test_a_damaged_list_of_models_allows_nothing(value: Any, names: tuple[str, ...]) -> None:
    service = make_service(models_allowed=value)
    assert load().services[str(service.pk)].models_allowed == names


@pytest.mark.parametrize("networks", [["nonsense"], "10.0.0.0/8x", [None]])
def test_networks_that_cannot_be_read_let_nobody_in(networks: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, secret = make_key(networks=networks)
    with caplog.at_level(logging.WARNING):
        reader = SnapshotReader([], now_ms)
        snapshot = reader.read()
    assert snapshot is not None
    caller = policy.authenticate(snapshot, hash_secret(secret), now_ms())
    with pytest.raises(policy.AddressNotAllowed):
        policy.authorise(caller, "chat.completions", "10.1.1.1")
    assert "network" in caplog.text


def test_a_budget_in_no_known_time_zone_runs_by_utc(caplog: pytest.LogCaptureFixture) -> None:
    Budget.objects.create(scope=Scope.GLOBAL, amount_nanodollars=1, time_zone="Mars/Olympus")
    (entry,) = load().budgets["global", ""]
    assert entry.time_zone == "UTC"
    assert "Mars/Olympus" in caplog.text


def test_limits_are_filed_under_their_levels() -> None:
    service, user = make_service(), make_user()
    key, _ = make_key()
    for values in (
        {"scope": "key", "key": key}, {"scope": "user", "user": user},
        {"scope": "service", "service": service},
        {"scope": "environment", "target": "test"},
        {"scope": "environment", "target": "test", "service": service},
        {"scope": "end_user"}, {"scope": "global"},
    ):  # fmt: skip
        Budget.objects.create(amount_nanodollars=1, **values)
    Budget.objects.create(scope="global", amount_nanodollars=1, is_enabled=False)
    rows = load()
    assert set(rows.budgets) == {
        ("key", str(key.pk)), ("user", str(user.pk)), ("service", str(service.pk)), ("environment", "test"),
        ("environment", f"{service.pk}/test"), ("end_user", ""), ("global", ""),
    }  # fmt: skip
    assert len(rows.budgets["global", ""]) == 1


def test_a_saved_picture_comes_back_as_it_was(tmp_path: Path) -> None:
    editor = Editor(1)
    for _ in range(60):
        editor.edit()
    rows, saved = load(), SavedSnapshot(tmp_path)
    saved.save(7, 1000, {"policy": rows, "notes": ["a"]})
    assert saved.restore(oldest_ms=1000) == (7, 1000, {"policy": rows, "notes": ["a"]})
    assert saved.restore(oldest_ms=1001) is None
    saved.confirm(7, 5000)
    restored = saved.restore(oldest_ms=5000)
    assert restored is not None
    assert restored[1] == 5000
    saved.confirm(8, 9000)  # of another version: it says nothing of this file
    assert saved.restore(oldest_ms=5000) is None


def test_a_picture_that_other_code_saved_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key()
    saved = SavedSnapshot(tmp_path)
    saved.save(7, 1000, {"policy": load()})
    monkeypatch.setattr("keys_app.snapshot_file._shape", lambda kind: ["another", "shape"])
    assert saved.restore(oldest_ms=0) is None


def test_a_picture_that_was_touched_is_not_read(tmp_path: Path) -> None:
    make_key()
    saved = SavedSnapshot(tmp_path)
    saved.save(7, 1000, {"policy": load()})
    file = tmp_path / "policy.snapshot"
    lines = file.read_text().splitlines()
    for damaged in (lines[1:], lines[:-1], [lines[0][:-8] + "AAAAAAAA", *lines[1:]], [lines[0], *lines], []):
        file.write_text("".join(f"{line}\n" for line in damaged))
        assert saved.restore(oldest_ms=0) is None
