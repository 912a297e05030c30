"""A key with an identity secret believes the names that are signed, and no others."""

import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import httpx
import jwt
import pytest

from keys_app.entries import BudgetEntry, UserEntry
from keys_app.identity_proof import sign
from tests.proxy_app.harness import Gateway, asked, completion, deployment, model

SECRET = "a secret that only the chat application knows, of more than 64 letters"
#: made when the test runs: a signature made with its list would be over in a long suite
Headers = Callable[[], dict[str, str]]
ANN = UserEntry("user-2", "Ann", True, "member", email="ann@example.org")


class Upstream:
    """Answers everything and keeps what it saw."""

    def __init__(self) -> None:
        self.calls: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        return httpx.Response(200, json=completion())


async def gateway_of(make_gateway, upstream: Upstream | None = None, **key: object) -> Gateway:
    fields = {"trusts_identity_headers": True, "identity_secret": SECRET, **key}
    gate = make_gateway(upstream or Upstream(), model("gpt", deployment("alpha")), **fields)
    await gate.services.limits.load({}, [])
    picture = gate.keeper.current
    budget = BudgetEntry("b-ann", "user", ANN.id, 0, "total", 1, None, "UTC", True)
    gate.keeper.current = replace(
        picture,
        users={**picture.users, ANN.id: ANN},
        people={"ann": ANN.id, "ann@example.org": ANN.id},
        budgets={("user", ANN.id): (budget,)},
    )
    return gate


def signed(name: str, *, secret: str = SECRET, at_s: int | None = None) -> dict[str, str]:
    at_s = int(time.time()) if at_s is None else at_s
    proof = f"t={at_s},v1={sign(secret, name, at_s)}"
    return {"x-gatehouse-end-user": name, "x-gatehouse-end-user-signature": proof}


def token(*, secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> dict[str, str]:
    whole = {"exp": int(time.time()) + 60, **claims}
    text = jwt.encode({k: v for k, v in whole.items() if v is not None}, secret, algorithm=algorithm)
    return {"x-gatehouse-identity": text}


@pytest.mark.parametrize(
    "headers",
    [
        lambda: signed("Ann"),
        lambda: signed("ann@example.org"),
        lambda: token(email="ANN@example.org"),
        lambda: token(preferred_username="ann", sub="1234"),
        lambda: token(sub="ann", aud="gatehouse"),
    ],
)
async def test_who_is_signed_for_pays_with_their_own_budget(make_gateway, headers: Headers):
    gate = await gateway_of(make_gateway)
    answer = await gate.ask(asked(max_tokens=5), headers=headers())
    assert answer.json()["error"]["code"] == "budget_exceeded"
    assert gate.ends[0].caller.user_id == ANN.id


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (lambda: signed("ann", secret="b" * 80), "does not fit"),
        (lambda: {**signed("bob"), "x-gatehouse-end-user": "ann"}, "does not fit"),
        (lambda: signed("ann", at_s=int(time.time()) - 301), "is over"),
        (lambda: signed("ann", at_s=int(time.time()) + 900), "is over"),
        (lambda: {"x-gatehouse-end-user": "ann", "x-gatehouse-end-user-signature": "v1=00"}, "t=<seconds>"),
        (
            lambda: {"x-gatehouse-end-user": "ann", "x-gatehouse-end-user-signature": "t=²,v1=é"},
            "t=<seconds>",
        ),
        (lambda: {"x-gatehouse-end-user": "ann", "x-gatehouse-end-user-signature": "garbage"}, "t=<seconds>"),
        (lambda: token(email="ann@example.org", secret="b" * 80), "another secret"),
        (lambda: token(email="ann@example.org", exp=int(time.time()) - 120), "it is over"),
        (lambda: token(email="ann@example.org", exp=None), "no end"),
        (lambda: token(email="ann@example.org", algorithm="HS512"), "only HS256"),
        (lambda: token(email="ann@example.org", secret="", algorithm="none"), "only HS256"),
        (lambda: token(name="Ann"), "names nobody"),
        (lambda: token(email=7, preferred_username=""), "names nobody"),
        (lambda: {"x-gatehouse-identity": "a.b.c"}, "no JWT"),
    ],
)
async def test_what_is_not_signed_rightly_is_refused_and_told_why(make_gateway, headers: Headers, said: str):
    upstream = Upstream()
    gate = await gateway_of(make_gateway, upstream)
    answer = await gate.ask(asked(max_tokens=5), headers=headers())
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (401, "identity_not_proven")
    assert said in error["message"]
    assert gate.ends[0].caller.user_id == "user-1"
    assert upstream.calls == []
    assert SECRET.encode() not in answer.body
    assert b"eyJ" not in answer.body


PEM = "-----BEGIN PUBLIC KEY-----\nno key, but a secret that looks like one\n-----END PUBLIC KEY-----"


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        (SECRET, lambda: token(sub="ann", exp=float("inf"))),
        (SECRET, lambda: token(sub="ann", exp="soon")),
        (SECRET, lambda: {"x-gatehouse-identity": "é.ü.ß"}),
        (PEM, lambda: token(sub="ann")),
    ],
)
async def test_no_odd_token_and_no_odd_secret_is_a_500(make_gateway, secret: str, headers: Headers):
    gate = await gateway_of(make_gateway, identity_secret=secret)
    answer = await gate.ask(asked(max_tokens=5), headers=headers())
    assert (answer.status, answer.json()["error"]["code"]) == (401, "identity_not_proven")


async def test_an_unsigned_name_is_a_claim_even_from_a_network_that_is_allowed(make_gateway):
    gate = await gateway_of(make_gateway, networks=(ip_network("203.0.113.0/24"),))
    answer = await gate.ask(asked(max_tokens=5), headers={"x-gatehouse-end-user": "ann"})
    assert answer.status == 200
    assert (gate.ends[0].caller.user_id, gate.ends[0].caller.end_user) == ("user-1", "ann")


async def test_a_key_without_a_secret_does_not_look_at_signatures(make_gateway):
    gate = await gateway_of(make_gateway, identity_secret="")
    answer = await gate.ask(asked(max_tokens=5), headers=token(email="ann@example.org"))
    assert answer.status == 200
    assert (gate.ends[0].caller.user_id, gate.ends[0].caller.end_user) == ("user-1", "")


async def test_a_proof_goes_to_no_provider(make_gateway):
    upstream = Upstream()
    gate = await gateway_of(make_gateway, upstream)
    await gate.ask(asked(max_tokens=5), headers=token(email="zoe@example.org"))
    assert gate.ends[0].caller.end_user == "zoe@example.org"
    assert not [name for name in upstream.calls[0].headers if "identity" in str(name).lower()]
