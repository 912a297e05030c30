"""Tokens of service accounts: signed for, shared, renewed, and refused in our words."""

import asyncio
import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gateway_project.errors import (
    CredentialRefused,
    UpstreamFailed,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
)
from proxy_app.providers.accounts import ServiceAccount, read_account
from proxy_app.providers.google_tokens import GRANT, SCOPE, GoogleTokens, sign_assertion
from tests.proxy_app.providers.accounts_cast import rsa_key, service_account


def account(**fields: str) -> ServiceAccount:
    found = read_account("google-service-account", service_account(**fields))
    assert isinstance(found, ServiceAccount)
    return found


class Google:
    """The token service, and a clock. `answers` are given in turn, the last one for ever."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers) or [(200, {"access_token": "token-1", "expires_in": 3600})]
        self.asked: list[dict[str, list[str]]] = []
        self.urls: list[str] = []
        self.now_s = 1_000_000.0
        self.open = asyncio.Event()
        self.open.set()
        self.tokens = GoogleTokens(self.post, lambda: self.now_s)

    async def post(self, url: str, form: bytes, *, may_be_private: bool) -> tuple[int, bytes]:
        self.urls.append(url)
        self.asked.append(parse_qs(form.decode()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await self.open.wait()
        if isinstance(answer, Exception):
            raise answer
        status, body = answer  # type: ignore[misc]
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()

    async def token(self, private: bool = False, **fields: str) -> str:
        return await self.tokens.token(account(**fields), may_be_private=private)


def unpack(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_an_assertion_is_a_signed_statement_of_who_asks() -> None:
    head, claims, signature = sign_assertion(account(), 1_000).split(".")
    assert json.loads(unpack(head)) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    assert json.loads(unpack(claims)) == {
        "iss": "gatehouse@my-project.iam.gserviceaccount.com",
        "scope": SCOPE,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": 1_000,
        "exp": 4_600,
    }
    rsa_key().public_key().verify(unpack(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())


async def test_a_token_is_bought_once_and_kept() -> None:
    google = Google()
    assert [await google.token() for _ in range(3)] == ["token-1"] * 3
    assert google.urls == ["https://oauth2.googleapis.com/token"]
    assert google.asked[0]["grant_type"] == [GRANT] and google.asked[0]["assertion"]


async def test_a_hundred_calls_at_once_ask_once() -> None:
    google = Google()
    google.open.clear()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(google.token()) for _ in range(100)]
        await asyncio.sleep(0)
        google.open.set()
    assert {task.result() for task in waiting} == {"token-1"}
    assert len(google.asked) == 1


async def test_a_token_is_renewed_before_it_ends_while_others_go_on_with_the_old() -> None:
    google = Google(
        (200, {"access_token": "token-1", "expires_in": 3600}),
        (200, {"access_token": "token-2", "expires_in": 3600}),
    )
    await google.token()
    google.now_s += 3200
    assert await google.token() == "token-1"
    google.now_s += 150
    google.open.clear()
    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(google.token())
        await asyncio.sleep(0)
        assert await google.token() == "token-1"
        google.open.set()
    assert renewing.result() == "token-2"
    assert await google.token() == "token-2"


async def test_a_renewal_that_fails_costs_no_call_while_the_old_token_lives() -> None:
    google = Google((200, {"access_token": "token-1", "expires_in": 3600}), (503, b""))
    await google.token()
    google.now_s += 3400
    assert await google.token() == "token-1"
    google.now_s += 300
    with pytest.raises(UpstreamRefused):
        await google.token()


async def test_a_failure_is_told_to_all_who_wait_and_asked_anew_later() -> None:
    google = Google((400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
    google.open.clear()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(failing(google)) for _ in range(20)]
        await asyncio.sleep(0)
        google.open.set()
    found = [task.result() for task in waiting]
    assert len(google.asked) == 1
    assert {type(error) for error in found} == {CredentialRefused}
    assert "invalid_grant: Invalid JWT Signature." in found[0].detail
    google.now_s += 1
    await failing(google)
    assert len(google.asked) == 2


async def failing(google: Google, **fields: str) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as failed:
        await google.token(**fields)
    return failed.value


async def test_a_buyer_who_leaves_holds_up_nobody() -> None:
    google = Google()
    google.open.clear()
    leaving = asyncio.ensure_future(google.token())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    google.open.set()
    assert await google.token() == "token-1"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((401, {"error": "invalid_client"}), CredentialRefused),
        ((403, b"<html>"), CredentialRefused),
        ((500, b"oops"), UpstreamRefused),
        ((429, {"error": "rate"}), UpstreamRefused),
        ((200, b"not json"), UpstreamInvalid),
        ((200, {"access_token": "t"}), UpstreamInvalid),
        ((200, {"access_token": "t", "expires_in": True}), UpstreamInvalid),
        (UpstreamTimeout("slow"), UpstreamTimeout),
    ],
)
async def test_what_goes_wrong_is_told_by_whose_fault_it_is(answer: object, kind: type) -> None:
    assert type(await failing(Google(answer))) is kind


async def test_a_token_address_is_encrypted_or_one_s_own() -> None:
    google = Google()
    refused = await failing(google, token_uri="http://169.254.169.254/token")
    assert isinstance(refused, CredentialRefused) and not google.asked
    assert await google.token(private=True, token_uri="http://127.0.0.1:9/token") == "token-1"
