"""What limits a call: the levels it counts against, each under its own count."""

from dataclasses import replace

from keys_app import demanding
from keys_app.entries import ServiceEntry, Snapshot, UserEntry
from keys_app.limits import NO_DEMAND
from tests.keys_app.entries import NOW, budget, limit, principal, snapshot
from usage_app.models import BudgetSpend

ALICE = UserEntry("u1", "alice", True, "member")
SEARCH = ServiceEntry("s1", "search", True)
MONTH_MS = 31 * 86_400_000


def charged(picture: Snapshot, **values: str) -> list[tuple[str, str]]:
    asked = {"model": "gpt-6", "provider": "openai", "end_user": "", **values}
    caller = principal(SEARCH, ALICE)
    return list(demanding.demand(picture, caller, now_ms=NOW, **asked).charges)


def test_nothing_that_limits_is_the_shared_empty_demand() -> None:
    others = snapshot(limits=(budget("key", "another"), limit("service", "another")))
    for picture in (snapshot(), others):
        found = demanding.demand(
            picture, principal(SEARCH, ALICE), model="m", provider="p", end_user="", now_ms=NOW
        )
        assert found is NO_DEMAND


def test_all_levels_apply_always() -> None:
    levels = [
        ("key", "k1"), ("user", "u1"), ("service", "s1"), ("environment", "production"), ("model", "gpt-6"),
        ("provider", "openai"), ("end_user", "carol"), ("global", ""),
    ]  # fmt: skip
    picture = snapshot(limits=tuple(make(*level) for level in levels for make in (budget, limit)))
    found = demanding.demand(
        picture, principal(SEARCH, ALICE), model="gpt-6", provider="openai", end_user="carol", now_ms=NOW
    )
    assert [entry.scope for entry in found.budgets] == [scope for scope, _ in levels]
    assert [entry.scope for entry in found.rates] == [scope for scope, _ in levels]
    assert [entry.name for entry in found.budgets] == [
        "this key", "user alice", "service search", "environment production", "model gpt-6",
        "provider openai", "end user carol", "the whole gateway",
    ]  # fmt: skip


def test_other_peoples_levels_do_not_apply() -> None:
    picture = snapshot(
        limits=(
            budget("key", "k2"), budget("user", "u2"), budget("service", "s2"), budget("model", "other"),
            budget("environment", "test"), budget("provider", "other"), budget("end_user", "dave"),
            budget("environment", "s2/production"),
        )
    )  # fmt: skip
    assert charged(picture, end_user="carol") == []


def test_an_environment_within_a_service() -> None:
    picture = snapshot(limits=(budget("environment", "s1/production", "b"),))
    assert charged(picture) == [("b", "2026-11")]


def test_each_end_user_has_a_count_of_their_own() -> None:
    picture = snapshot(limits=(budget("end_user", "", "each"), budget("end_user", "s1/", "ours")))
    assert charged(picture) == []
    assert charged(picture, end_user="carol") == [("each", "2026-11/carol"), ("ours", "2026-11/carol")]
    assert charged(picture, end_user="dave")[0] == ("each", "2026-11/dave")


def test_a_long_end_user_still_fits_a_period_key_and_stays_apart() -> None:
    room = BudgetSpend._meta.get_field("period").max_length
    for period in ("total", "month", "hour", "every_hours", "every_days"):
        picture = snapshot(limits=(budget("end_user", "", "each", period=period, every=10_000),))
        (first,), (second,) = (charged(picture, end_user="x" * 199 + tail) for tail in "ab")
        assert first != second
        assert len(first[1]) <= room


def test_rates_of_each_end_user_have_windows_of_their_own() -> None:
    picture = snapshot(limits=(limit("end_user", ""),))
    windows = {
        demanding.demand(picture, principal(), model="m", provider="p", end_user=name, now_ms=NOW).rates[0].id
        for name in ("carol", "dave")
    }
    assert windows == {"limit:end_user:/carol", "limit:end_user:/dave"}


def test_what_a_snapshot_remembers_is_each_callers_own() -> None:
    places = [("key", "k1"), ("user", "u1"), ("user", "u2"), ("service", "s1"), ("environment", "test")]
    picture = snapshot(limits=tuple(budget(*place, ":".join(place)) for place in [*places, ("model", "m")]))
    other = UserEntry("u2", "bob", True, "member")

    def named(model: str = "x", *, user: UserEntry | None = None, **of_key: str) -> list[str]:
        caller = principal(SEARCH if "service_id" in of_key else None, user, **of_key)
        found = demanding.demand(picture, caller, model=model, provider="p", end_user="", now_ms=NOW)
        return [entry.budget_id for entry in found.budgets]

    for _ in range(2):
        assert named(id="k1") == ["key:k1"]
        assert named(id="k1", user_id="u1") == ["key:k1", "user:u1"]
        assert named(id="k1", user=other) == ["key:k1", "user:u2"]
        assert named(id="k2", service_id="s1") == ["service:s1"]
        assert named(id="k2", environment="test") == ["environment:test"]
        assert named("m", id="k2") == ["model:m"]
        assert named(id="k2") == []


def test_what_is_remembered_of_a_budget_is_not_its_period_nor_its_amount() -> None:
    entry = replace(budget("key", "k1"), extra_nanodollars=5, extra_until_ms=NOW + 1)
    picture = snapshot(limits=(entry,))

    def found(at_ms: int) -> tuple[str, int]:
        asked = {"model": "m", "provider": "p", "end_user": ""}
        (told,) = demanding.demand(picture, principal(id="k1"), **asked, now_ms=at_ms).budgets
        return told.period, told.limit_nanodollars - entry.amount_nanodollars

    assert found(NOW) == ("2026-11", 5)
    assert found(NOW + 1) == ("2026-11", 0)
    assert found(NOW + MONTH_MS) == ("2026-12", 0)
