"""Who may do what, as tables."""

from ipaddress import ip_network

import pytest

from gateway_project.errors import AddressNotAllowed, EndpointNotAllowed, InvalidKey, KeyBlocked, KeyExpired
from keys_app import policy
from keys_app.entries import KeyEntry, ServiceEntry, Snapshot, UserEntry
from tests.keys_app.entries import NOW, key, principal, snapshot

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
