"""Provider credentials at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys_app.crypto import Unreadable, decrypt, encrypt, fingerprint, reencrypt

OLD, NEW = "an old key", "a newer key"


@given(secret=st.text(alphabet=st.characters(exclude_categories=["Cs"])), context=st.text(max_size=20))
def test_what_was_encrypted_comes_back(secret: str, context: str) -> None:
    assert decrypt(encrypt(secret, context, [NEW]), context, [NEW, OLD]) == secret


def test_the_configured_keys_are_used_by_default() -> None:
    assert decrypt(encrypt("secret", "provider:1"), "provider:1") == "secret"


def test_the_text_tells_nothing_and_differs_each_time() -> None:
    first, second = (encrypt("sk-provider", "provider:1", [NEW]) for _ in range(2))
    assert first != second
    assert "sk-provider" not in first


def test_a_secret_moved_to_another_row_cannot_be_read() -> None:
    with pytest.raises(Unreadable, match="belongs to another row"):
        decrypt(encrypt("secret", "provider:1", [NEW]), "provider:2", [NEW])


def test_a_changed_text_cannot_be_read() -> None:
    text = encrypt("secret", "provider:1", [NEW])
    changed = text[:-6] + ("A" if text[-6] != "A" else "B") + text[-5:]
    with pytest.raises(Unreadable):
        decrypt(changed, "provider:1", [NEW])


def test_a_missing_key_is_noticed_and_named() -> None:
    with pytest.raises(Unreadable, match=fingerprint(OLD)) as unreadable:
        decrypt(encrypt("sk-provider", "provider:1", [OLD]), "provider:1", [NEW])
    assert "GATEHOUSE_SECRET_KEYS" in str(unreadable.value)
    assert "sk-provider" not in str(unreadable.value)
    assert OLD not in str(unreadable.value)


@pytest.mark.parametrize("text", ["", "plain", "v1.x", "v2.00000000.abc"])
def test_what_is_no_secret_of_ours_is_damaged(text: str) -> None:
    with pytest.raises(Unreadable, match="damaged"):
        decrypt(text, "provider:1", [NEW])


def test_without_any_key_nothing_is_encrypted() -> None:
    with pytest.raises(Unreadable, match="GATEHOUSE_SECRET_KEYS"):
        encrypt("secret", "provider:1", [])


def test_a_new_key_takes_over() -> None:
    text = encrypt("secret", "provider:1", [OLD])
    again = reencrypt(text, "provider:1", [NEW, OLD])
    assert decrypt(again, "provider:1", [NEW]) == "secret"
    assert reencrypt(again, "provider:1", [NEW, OLD]) == again
