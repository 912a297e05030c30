"""What the scripts answer, as the store's callers know it. Pure."""

from itertools import islice
from typing import Any

from gateway_project.errors import GatehouseError
from keys_app.limits.contract import Demand, Grant, LevelState, RateState
from keys_app.limits.refusals import budget_refusal, parallel_refusal, requests_refusal, tokens_refusal
from keys_app.limits.states import level_states, tightest


def grant_of(answer: list[Any], demand: Demand) -> Grant:
    """What `reserve` answered when it let the call in."""
    numbers = map(int, answer[1].split())
    amount = next(numbers)
    budgets: list[tuple[int, int]] = []
    for _ in demand.budgets:
        spent, held, known = next(numbers), next(numbers), next(numbers)
        budgets.append((spent, held - known))
    requests_state = tokens_state = None
    rates: list[tuple[int, int, int, int]] = []
    for rate in demand.rates:
        used = requests, tokens, _, reset_ms = next(numbers), next(numbers), next(numbers), next(numbers)
        requests_state = tightest(requests_state, rate.requests_per_minute, requests, reset_ms)
        tokens_state = tightest(tokens_state, rate.tokens_per_minute, tokens, reset_ms)
        rates.append(used)
    return Grant(amount if budgets else 0, requests_state, tokens_state, False, budgets, rates)


def refusal_of(answer: list[Any], demand: Demand, tokens: int, output_tokens: int) -> GatehouseError:
    """The error of what `reserve` answered when it did not."""
    reason, position, *numbers = answer[0], int(answer[1]) - 1, *map(int, answer[2:])
    if reason == "budget":
        spent, held, calls, asked, later = numbers
        return budget_refusal(demand.budgets[position], spent, held, calls, asked, later)
    rate = demand.rates[position]
    if reason == "parallel":
        return parallel_refusal(rate, rate.parallel or 0)
    left, reset_ms, wait_ms = numbers
    if reason == "requests":
        return requests_refusal(rate, RateState(rate.requests_per_minute or 0, left, reset_ms), wait_ms)
    state = RateState(rate.tokens_per_minute or 0, left, reset_ms)
    return tokens_refusal(rate, state, wait_ms, rate.counted(tokens, output_tokens))


def states_of(numbers: list[Any], demand: Demand, now_ms: int) -> tuple[LevelState, ...]:
    """What `state` answered: three numbers a budget, then four a rate limit."""
    in_turn = map(int, numbers)
    uses = {}
    for charge in demand.charges:
        spent, held, calls = islice(in_turn, 3)
        uses[charge] = (spent, held, calls)
    windows = {}
    for rate in demand.rates:
        requests, tokens, opened, reset_ms = islice(in_turn, 4)
        windows[rate.id] = (requests, tokens, opened, reset_ms)
    return level_states(demand, uses, windows, now_ms)
