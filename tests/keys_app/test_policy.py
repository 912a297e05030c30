"""Who may do what, as tables."""

from ipaddress import ip_network

import pytest

from gateway_project.errors import AddressNotAllowed, EndpointNotAllowed, InvalidKey, KeyBlocked, KeyExpired
from keys_app import policy
from keys_app.entries import KeyEntry, ServiceEntry, Snapshot, UserEntry
from keys_app.limits import NO_DEMAND
from tests.keys_app.entries import NOW, budget, key, limit, principal, snapshot
from usage_app.models import BudgetSpend

ALICE = UserEntry("u1", "alice", True, "member")
GONE = UserEntry("u2", "bob", False, "member")
SEARCH = ServiceEntry("s1", "search", True)
CLOSED = ServiceEntry("s2", "closed", False)


def with_key(entry: KeyEntry) -> Snapshot:
    return snapshot({"hash": entry}, users=(ALICE, GONE), services=(SEARCH, CLOSED))


@pytest.mark.parametrize(
    "entry",
    [
        key(),
        key(user_id="u1", service_id="s1"),
        key(expires_at_ms=NOW + 1),
        key(previous_until_ms=NOW + 1),
    ],
)
def test_a_good_key_is_let_in(entry: KeyEntry) -> None:
    found = policy.authenticate(with_key(entry), "hash", NOW)
    assert found.key is entry
    assert (found.user is not None) == bool(entry.user_id)
    assert (found.service is not None) == bool(entry.service_id)


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (key(blocked=True), KeyBlocked),
        (key(blocked=True, expires_at_ms=NOW - 1), KeyBlocked),
        (key(expires_at_ms=NOW), KeyExpired),
        (key(previous_until_ms=NOW), KeyExpired),
        (key(previous_until_ms=0), KeyExpired),
        (key(user_id="u2"), KeyBlocked),
        (key(user_id="nobody"), KeyBlocked),
        (key(user_id="u1", service_id="s2"), KeyBlocked),
        (key(service_id="nothing"), KeyBlocked),
    ],
)
def test_a_bad_key_is_refused(entry: KeyEntry, error: type[Exception]) -> None:
    with pytest.raises(error):
        policy.authenticate(with_key(entry), "hash", NOW)


def test_an_unknown_secret_is_refused() -> None:
    with pytest.raises(InvalidKey) as refused:
        policy.authenticate(with_key(key()), "another hash", NOW)
    assert type(refused.value) is InvalidKey


def test_the_master_key_is_a_caller_named_master() -> None:
    master = policy.master_principal()
    assert (master.key.id, master.key.name) == ("master", "master")
    policy.authorise(master, "chat.completions", "203.0.113.9")
    assert policy.may_use_model(master, "anything")


@pytest.mark.parametrize(
    ("allowed", "endpoint", "passes"),
    [
        ((), "chat.completions", True),
        (("chat.completions",), "chat.completions", True),
        (("chat.completions",), "embeddings", False),
        (("audio.*",), "audio.speech", True),
        (("audio.*",), "audioXspeech", False),
        (("",), "chat.completions", False),
    ],
)
def test_endpoints(allowed: tuple[str, ...], endpoint: str, passes: bool) -> None:
    caller = principal(endpoints_allowed=allowed)
    if passes:
        policy.authorise(caller, endpoint, "")
    else:
        with pytest.raises(EndpointNotAllowed, match=endpoint):
            policy.authorise(caller, endpoint, "")


@pytest.mark.parametrize(
    ("networks", "address", "passes"),
    [
        ((), "203.0.113.9", True),
        ((), "not an address", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8", "2001:db8::/32"), "2001:db8::1", True),
        (("2001:db8::/32",), "10.1.2.3", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),  # IPv4 on a socket for both
        (("fe80::/10",), "fe80::1%eth0", True),
        (("10.0.0.0/8",), "", False),
        (("0.0.0.0/0",), "not an address", False),
    ],
)
def test_networks(networks: tuple[str, ...], address: str, passes: bool) -> None:
    caller = principal(networks=tuple(map(ip_network, networks)))
    if passes:
        policy.authorise(caller, "chat.completions", address)
    else:
        with pytest.raises(AddressNotAllowed):
            policy.authorise(caller, "chat.completions", address)


@pytest.mark.parametrize(
    ("of_key", "of_service", "name", "passes"),
    [
        ((), (), "gpt-6", True),
        (("gpt-6",), (), "gpt-6", True),
        (("gpt-6",), (), "gpt-6-mini", False),
        (("gpt-*",), (), "gpt-6-mini", True),
        (("*-mini",), (), "gpt-6-mini", True),
        (("g*6*",), (), "gpt-6-mini", True),
        (("gpt.*",), (), "gpt-6", False),  # a dot is a dot
        (("*",), (), "anything/at:all", True),
        ((), ("claude-*",), "gpt-6", False),
        (("gpt-*", "claude-*"), ("claude-*",), "gpt-6", False),
        (("gpt-*", "claude-*"), ("claude-*",), "claude-x", True),
        (("",), (), "gpt-6", False),
    ],
)
def test_models(of_key: tuple[str, ...], of_service: tuple[str, ...], name: str, passes: bool) -> None:
    service = ServiceEntry("s1", "search", True, of_service)
    caller = principal(service, models_allowed=of_key)
    assert policy.may_use_model(caller, name) is passes
    assert policy.allowed_names(caller, [name, name]) == ([name, name] if passes else [])


def test_no_models_means_none_whatever_the_list_says() -> None:
    assert not policy.may_use_model(principal(no_models=True, models_allowed=("*",)), "gpt-6")


@pytest.mark.parametrize(
    ("asked", "first"),
    [("GPT-6", "gpt-6"), ("gpt6", "gpt-6"), ("cluade-sonnet", "claude-sonnet"), ("zzzzzzzz", None)],
)
def test_the_nearest_names(asked: str, first: str | None) -> None:
    names = ["gpt-6", "gpt-6-mini", "claude-sonnet", "gemini-3-pro"]
    found = policy.nearest_names(asked, names)
    assert (found[0] if found else None) == first
    assert len(found) <= 3


def test_nearest_names_among_thousands_look_at_few() -> None:
    names = [f"vendor-{number}/model" for number in range(50_000)] + ["gpt-6"]
    assert policy.nearest_names("gpt6" * 10_000, names) == []
    assert policy.nearest_names("gpt6", names) == ["gpt-6"]


def charged(picture: Snapshot, **values: str) -> list[tuple[str, str]]:
    asked = {"model": "gpt-6", "provider": "openai", "end_user": "", **values}
    caller = principal(SEARCH, ALICE)
    return list(policy.demand(picture, caller, now_ms=NOW, **asked).charges)


def test_nothing_that_limits_is_the_shared_empty_demand() -> None:
    others = snapshot(limits=(budget("key", "another"), limit("service", "another")))
    for picture in (snapshot(), others):
        found = policy.demand(
            picture, principal(SEARCH, ALICE), model="m", provider="p", end_user="", now_ms=NOW
        )
        assert found is NO_DEMAND


def test_all_levels_apply_always() -> None:
    levels = [
        ("key", "k1"), ("user", "u1"), ("service", "s1"), ("environment", "production"), ("model", "gpt-6"),
        ("provider", "openai"), ("end_user", "carol"), ("global", ""),
    ]  # fmt: skip
    picture = snapshot(limits=tuple(make(*level) for level in levels for make in (budget, limit)))
    found = policy.demand(
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
        policy.demand(picture, principal(), model="m", provider="p", end_user=name, now_ms=NOW).rates[0].id
        for name in ("carol", "dave")
    }
    assert windows == {"limit:end_user:/carol", "limit:end_user:/dave"}
