"""Grants: what was made here and is not over, and nothing else, for no longer than a minute."""

import base64
import json

import pytest

from gateway_project.conf import config
from keys_app.grants import PREFIX, VALID_S, make_grant, read_grant

NOW = 1_764_000_000_000


def made() -> str:
    return make_grant("key-1", "user-1", "alice", NOW)


def test_a_grant_says_who_may_call_as_which_key() -> None:
    claim = read_grant(made(), NOW + 1)
    assert claim is not None
    assert (claim.key_id, claim.user_id, claim.username) == ("key-1", "user-1", "alice")


@pytest.mark.parametrize("later_ms", [VALID_S * 1000, VALID_S * 1000 + 1, 10**12, -1])
def test_it_is_good_for_a_minute_and_not_before(later_ms: int) -> None:
    assert read_grant(made(), NOW + later_ms) is None
    assert read_grant(made(), NOW + VALID_S * 1000 - 1) is not None


def test_a_changed_one_is_nobodys() -> None:
    text = made()
    for place in range(len(PREFIX), len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        claim = read_grant(changed, NOW)
        assert claim is None or claim == read_grant(text, NOW)  # unused bits of the last letter


@pytest.mark.parametrize(
    "text", ["", PREFIX, PREFIX + ".", PREFIX + "x.y", PREFIX + "é.é", PREFIX + "W10.W10"]
)
def test_rubbish_is_nobodys(text: str) -> None:
    assert read_grant(text, NOW) is None


def test_one_signed_with_another_secret_is_nobodys_and_an_older_secret_still_counts() -> None:
    assert read_grant(made(), NOW, keys=["another"]) is None
    assert read_grant(made(), NOW, keys=["newer", *config().secret_keys]) is not None


def test_it_carries_no_secret() -> None:
    claim = made().removeprefix(PREFIX).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(claim + "==")) == ["key-1", "user-1", "alice", NOW + 60_000]
