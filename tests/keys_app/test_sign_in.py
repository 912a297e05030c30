import pytest
from django.test import Client

from keys_app import throttling
from keys_app.models import SignIn, SignInFailure, User
from tests.keys_app.cast import person, signed_in

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def bob(db: None) -> User:
    user = person("bob", "member")
    user.set_password(PASSWORD)
    user.save()
    return user


def attempt(name: str, password: str, address: str = "203.0.113.7") -> Client:
    client = Client(REMOTE_ADDR=address)
    client.answer = client.post("/ui/sign-in/", {"username": name, "password": password})  # type: ignore[attr-defined]
    return client


def is_in(client: Client) -> bool:
    return client.answer.status_code == 302  # type: ignore[attr-defined]


def test_a_name_is_tried_so_often_and_then_even_the_right_password_waits(bob: User):
    for number in range(throttling.MOST_OF_NAME):
        assert not is_in(attempt("bob", "wrong", f"203.0.113.{number}"))
    refused = attempt("bob", PASSWORD, "198.51.100.1")
    assert not is_in(refused)
    assert "quarter of an hour" in refused.answer.content.decode()  # type: ignore[attr-defined]
    assert is_in(attempt("carol", "x")) is False  # another name from another address is not held up


def test_an_address_that_tries_many_names_waits_and_other_addresses_do_not(bob: User):
    for number in range(throttling.MOST_OF_ADDRESS):
        attempt(f"name{number}", "wrong")
    assert not is_in(attempt("bob", PASSWORD))
    assert is_in(attempt("bob", PASSWORD, "198.51.100.1"))


def test_an_unknown_name_is_throttled_like_a_known_one(bob: User):
    for _turn in range(throttling.MOST_OF_NAME):
        attempt("nobody", "wrong")
    assert "quarter of an hour" in attempt("nobody", "wrong", "198.51.100.1").answer.content.decode()  # type: ignore[attr-defined]


def test_the_right_password_lets_a_name_start_afresh(bob: User):
    for _turn in range(throttling.MOST_OF_NAME - 1):
        attempt("bob", "wrong")
    assert is_in(attempt("bob", PASSWORD))
    assert not throttling.is_throttled("198.51.100.1", "bob")


def test_a_hash_is_computed_for_every_attempt(bob: User, monkeypatch: pytest.MonkeyPatch):
    """What takes the time of an answer is the hash: known, unknown, throttled or switched off, it is made."""
    counted = []
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(
        PBKDF2PasswordHasher, "encode", lambda self, *a, **k: counted.append(1) or encode(self, *a, **k)
    )
    person("without", "member")
    for name in ("bob", "nobody", "without"):
        counted.clear()
        attempt(name, "wrong")
        assert len(counted) == 1, name
    for _turn in range(throttling.MOST_OF_NAME):
        throttling.note_failure("198.51.100.9", "bob")
    counted.clear()
    attempt("bob", PASSWORD)
    assert len(counted) == 1


def test_neither_names_nor_addresses_are_stored_with_failures(bob: User):
    attempt("bob", "wrong")
    kept = str(list(SignInFailure.objects.values()))
    assert "bob" not in kept
    assert "203.0.113.7" not in kept


def test_a_session_is_noted_listed_and_ended_by_its_owner(bob: User):
    first, second = attempt("bob", PASSWORD), attempt("bob", PASSWORD)
    page = first.get("/ui/sessions/").content.decode()
    assert page.count("203.0.113.7") == 2
    assert second.session.session_key not in page
    first.post("/ui/sessions/", {})
    assert first.get("/ui/sessions/").status_code == 200
    assert second.get("/ui/sessions/").status_code == 302


def test_nobody_ends_the_sessions_of_somebody_else(bob: User):
    theirs, mine = attempt("bob", PASSWORD), signed_in(person("carol", "member"))
    mine.post("/ui/sessions/", {"session": str(SignIn.objects.get(user=bob).pk)})
    assert theirs.get("/ui/sessions/").status_code == 200


def test_signing_out_ends_the_note_of_the_session(bob: User):
    client = attempt("bob", PASSWORD)
    client.post("/ui/sign-out/")
    assert SignIn.objects.get().ended_at is not None
