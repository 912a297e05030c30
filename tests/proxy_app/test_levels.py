"""Every level alike: used up it refuses before anything is sent, open it is charged once."""

from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest

from keys_app.entries import BudgetEntry, UserEntry
from tests.proxy_app.harness import Gateway, asked, completion, deployment, model
from tests.proxy_app.levels import END_USER, LEVELS, with_budget, with_rate


class Upstream:
    """Answers everything, and counts; `down` hosts fail."""

    def __init__(self, *down: str) -> None:
        self.seen: list[str] = []
        self.down = down

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.url.host)
        if request.url.host in self.down:
            return httpx.Response(500, json={"error": {"message": "no", "type": "server_error"}})
        return httpx.Response(200, json=completion())


async def loaded(gate: Gateway) -> Gateway:
    await gate.services.limits.load({}, [])
    return gate


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_used_up_budget_refuses_and_nothing_is_sent(make_gateway, level: str, stream: bool):
    upstream = Upstream()
    gate = await loaded(make_gateway(upstream))
    gate.keeper.current = with_budget(gate.keeper.current, level, 0)
    answer = await gate.ask(asked(stream=stream, max_tokens=50, user=END_USER))
    assert (answer.status, answer.json()["error"]["code"]) == (429, "budget_exceeded")
    assert answer.headers["x-should-retry"] == "false" and "retry-after" not in answer.headers
    assert upstream.seen == []
    assert [end.status for end in gate.ends] == ["refused"]
    assert not gate.services.registry.calls and not gate.services.calls


@pytest.mark.parametrize("level", LEVELS)
async def test_an_open_budget_is_charged_the_call_s_cost_once(make_gateway, level: str):
    gate = await loaded(make_gateway(Upstream()))
    gate.keeper.current = with_budget(gate.keeper.current, level, 10**9)
    assert (await gate.ask(asked(max_tokens=50, user=END_USER))).status == 200
    (end,) = gate.ends
    assert [charge.budget_id for charge in end.charges] == ["b1"]
    ((key, counter),) = gate.services.limits._counters.items()
    assert key[0] == "b1"
    assert (counter.spent, counter.held, counter.calls) == (end.cost_nanodollars, 0, 0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("limit", ["requests_per_minute", "parallel", "tokens_per_minute"])
async def test_a_rate_limit_counts_at_every_level_and_is_let_go(make_gateway, level: str, limit: str):
    upstream = Upstream()
    gate = await loaded(make_gateway(upstream))
    gate.keeper.current = with_rate(gate.keeper.current, level, **{limit: 1})
    first = await gate.ask(asked(max_tokens=5, user=END_USER))
    second = await gate.ask(asked(max_tokens=5, user=END_USER))
    assert first.status == 200
    # Calls at once are over with the first; requests and tokens count for a minute.
    assert second.status == (200 if limit == "parallel" else 429)
    if second.status == 429:
        assert second.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(second.headers["retry-after"]) <= 60
        assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("limit", "passes"), [("input_tokens_per_minute", 2), ("output_tokens_per_minute", 2)]
)
async def test_input_and_output_tokens_are_counted_apart(make_gateway, limit: str, passes: int):
    gate = await loaded(make_gateway(Upstream()))
    # The answer has 12 tokens in and 5 out: two of them fit, the third does not.
    most = {"input_tokens_per_minute": 40, "output_tokens_per_minute": 14}[limit]
    gate.keeper.current = with_rate(gate.keeper.current, "key", **{limit: most})
    statuses = [(await gate.ask(asked(max_tokens=5))).status for _turn in range(3)]
    assert statuses == [200] * passes + [429]


def two_providers() -> list:
    return [model("gpt", deployment("alpha", order=1), deployment("beta", order=2), strategy="in_order")]


async def test_a_provider_without_budget_left_is_passed_over_for_the_next(make_gateway):
    upstream = Upstream()
    gate = await loaded(make_gateway(upstream, *two_providers()))
    gate.keeper.current = with_budget(gate.keeper.current, "provider", 0)
    assert (await gate.ask(asked(max_tokens=50))).status == 200
    assert upstream.seen == ["beta.test"]
    assert gate.ends[0].charges == ()


async def test_a_provider_that_failed_is_not_charged_for_the_one_that_answered(make_gateway):
    upstream = Upstream("alpha.test")
    gate = await loaded(make_gateway(upstream, *two_providers()))
    alpha = BudgetEntry("b-alpha", "provider", "alpha", 10**9, "total", 1, None, "UTC", True)
    beta = BudgetEntry("b-beta", "provider", "beta", 10**9, "total", 1, None, "UTC", True)
    gate.keeper.current = replace(
        gate.keeper.current, budgets={("provider", "alpha"): (alpha,), ("provider", "beta"): (beta,)}
    )
    assert (await gate.ask(asked(max_tokens=50))).status == 200
    assert upstream.seen == ["alpha.test", "beta.test"]
    (end,) = gate.ends
    assert [charge.budget_id for charge in end.charges] == ["b-beta"]
    # The journal knows at each moment what is held where: a crash forgets neither.
    first, second = gate.attempts
    assert [charge.budget_id for charge in gate.begins[0].charges] == ["b-alpha"]
    assert (first.charges, [charge.budget_id for charge in second.charges]) == (None, ["b-beta"])
    assert second.held_nanodollars > 0
    counters = {key[0]: (each.spent, each.held) for key, each in gate.services.limits._counters.items()}
    assert counters == {"b-alpha": (0, 0), "b-beta": (end.cost_nanodollars, 0)}


async def test_with_every_provider_used_up_the_call_is_refused_and_told_why(make_gateway):
    upstream = Upstream()
    gate = await loaded(make_gateway(upstream, *two_providers()))
    budgets = {
        ("provider", name): (BudgetEntry(f"b-{name}", "provider", name, 0, "total", 1, None, "UTC", True),)
        for name in ("alpha", "beta")
    }
    gate.keeper.current = replace(gate.keeper.current, budgets=budgets)
    answer = await gate.ask(asked(max_tokens=50))
    assert (answer.status, answer.json()["error"]["code"]) == (429, "budget_exceeded")
    assert upstream.seen == []
    assert gate.ends[0].status == "refused"


async def test_a_deployment_s_own_limit_holds_for_all_callers(make_gateway):
    upstream = Upstream()
    first = replace(deployment("alpha", order=1), requests_per_minute=1)
    entry = model("gpt", first, deployment("beta", order=2), strategy="in_order")
    gate = await loaded(make_gateway(upstream, entry))
    for _turn in range(3):
        assert (await gate.ask(asked())).status == 200
    assert upstream.seen == ["alpha.test", "beta.test", "beta.test"]


ANN = UserEntry("user-2", "Ann", True, "member", email="ann@example.org")


async def as_ann(make_gateway, *, user: UserEntry = ANN, **key: object) -> Gateway:
    fields = {"trusts_identity_headers": True, "networks": (ip_network("203.0.113.0/24"),), **key}
    gate = await loaded(make_gateway(Upstream(), model("gpt", deployment("alpha")), **fields))
    picture = gate.keeper.current
    gate.keeper.current = replace(
        picture,
        users={**picture.users, user.id: user},
        people={"ann": user.id, "ann@example.org": user.id},
        budgets={
            ("user", user.id): (BudgetEntry("b-ann", "user", user.id, 0, "total", 1, None, "UTC", True),)
        },
    )
    return gate


@pytest.mark.parametrize("header", ["Ann", "ANN@example.org"])
async def test_a_trusted_claim_counts_against_the_person_it_names(make_gateway, header: str):
    gate = await as_ann(make_gateway)
    answer = await gate.ask(asked(max_tokens=5), headers={"x-gatehouse-end-user": header})
    assert answer.json()["error"]["code"] == "budget_exceeded"
    assert gate.ends[0].caller.user_id == "user-2"


@pytest.mark.parametrize("key", [{"trusts_identity_headers": False}, {"networks": ()}])
async def test_a_claim_of_a_key_that_is_not_trusted_or_comes_from_anywhere_is_a_claim(
    make_gateway, key: dict
):
    gate = await as_ann(make_gateway, **key)
    answer = await gate.ask(asked(max_tokens=5), headers={"x-gatehouse-end-user": "ann"})
    assert answer.status == 200
    assert (gate.ends[0].caller.user_id, gate.ends[0].caller.end_user) == ("user-1", "ann")


async def test_a_trusted_claim_of_somebody_who_left_is_refused(make_gateway):
    gate = await as_ann(make_gateway, user=replace(ANN, is_active=False))
    answer = await gate.ask(asked(max_tokens=5), headers={"x-gatehouse-end-user": "ann"})
    assert (answer.status, answer.json()["error"]["code"]) == (401, "key_blocked")


async def test_an_owner_s_bounds_hold_for_the_key(make_gateway):
    gate = await loaded(make_gateway(Upstream()))
    picture = gate.keeper.current
    for bound, code in (
        ({"models_allowed": ("claude-*",)}, "model_not_allowed"),
        ({"endpoints_allowed": ("embeddings",)}, "endpoint_not_allowed"),
        ({"networks": (ip_network("10.0.0.0/8"),)}, "address_not_allowed"),
    ):
        owner = replace(picture.users["user-1"], **bound)
        gate.keeper.current = replace(picture, users={"user-1": owner})
        assert (await gate.ask(asked())).json()["error"]["code"] == code
