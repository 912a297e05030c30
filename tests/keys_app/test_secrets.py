"""Virtual keys' secrets."""

from dataclasses import replace
from hashlib import sha256

from gateway_project.conf import config
from keys_app.secrets import hash_secret, is_master, mint


def test_a_secret_is_long_random_and_told_by_its_hash() -> None:
    first, second = mint(), mint()
    assert first.secret.startswith("sk-gh-")
    assert len(first.secret) == 49
    assert first.secret[6:].isalnum()
    assert first.secret != second.secret
    assert first.secret_hash == sha256(first.secret.encode()).hexdigest() == hash_secret(first.secret)
    assert first.secret.endswith(first.last_four)
    assert len(first.last_four) == 4


def test_a_minted_secret_does_not_print_itself() -> None:
    minted = mint()
    assert minted.secret not in repr(minted)


def test_whatever_bytes_a_header_held_can_be_hashed() -> None:
    assert hash_secret("\udcff") != hash_secret("ÿ")


def test_the_master_key_and_nothing_else_is_master() -> None:
    known = replace(config(), master_key="sk-master")
    assert is_master("sk-master", known)
    assert not is_master("sk-maste", known)
    assert not is_master("", known)
    assert not is_master("", replace(known, master_key=""))
