"""Would this call pass? Policy, limits and plan as a call would meet them, without calling anybody.

Nothing is reserved and nothing is written: the answer is true at the moment it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway_project.errors import (
    GatehouseError,
    ModelNotAllowed,
    NoDeployment,
    RateLimited,
    UnknownModel,
    UnpricedModel,
)
from keys_app import policy
from keys_app.entries import Principal
from keys_app.limits.contract import BudgetDemand, Demand, LevelState
from keys_app.limits.estimate import BYTES_PER_TOKEN, Hold, hold_for
from keys_app.limits.refusals import budget_refusal
from proxy_app import planning
from proxy_app.catalogue import Catalogue, ModelEntry
from proxy_app.planning import Cooling, Plan, fill
from usage_app import pricing
from usage_app.pricing import CompiledPrice, PriceBook

#: what limits a call of a model: the demand, and each level as it stands
Limits = Callable[[ModelEntry], tuple[Demand, Sequence[LevelState]]]


@dataclass(frozen=True, slots=True)
class Question:
    """The call that is not made."""

    model: str
    input_tokens: int = 0
    max_output_tokens: int | None = None
    stream: bool = False
    endpoint: str = "chat.completions"
    address: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the answer depends on beside the question."""

    principal: Principal
    catalogue: Catalogue
    prices: PriceBook
    cooling: Mapping[str, Cooling]
    now_s: float  # on the clock of `cooling`
    now_ms: int


@dataclass(slots=True)
class Finding:
    """Filled in as far as the call would get."""

    refusal: GatehouseError | None = None
    model: str = ""
    hold: Hold | None = None
    plan: Plan | None = None


def find_model(question: Question, around: Surroundings) -> ModelEntry:
    """The model as the call would find it; raises what the call would be refused with."""
    if question.address or not around.principal.key.networks:
        policy.authorise(around.principal, question.endpoint, question.address)
    model = around.catalogue.find(question.model)
    if model is None:
        raise UnknownModel(f"There is no model '{question.model[:200]}' here.")
    allowed = (policy.may_use_model(around.principal, name) for name in (question.model, model.name))
    if not any(allowed):
        raise ModelNotAllowed(f"This key may not use the model '{question.model[:200]}'.")
    return model


def hold_of(
    question: Question, around: Surroundings, model: ModelEntry, demand: Demand, left: int | None
) -> Hold:
    """What the call would hold at the dearest deployment; raises UnpricedModel."""
    prices = [
        around.prices.find(
            deployment.id,
            deployment.provider.price_kind,
            fill(model.name, deployment.upstream_model, question.model),
            around.now_ms,
        )
        for deployment in model.deployments
    ]
    priced = [price for price in prices if price is not None]
    unpriced = len(priced) < len(prices)
    if unpriced and demand.has_hard_budget and not around.principal.key.allows_unpriced:
        raise UnpricedModel
    holds = [_hold_at(question, price, left) for price in priced]
    return max(holds, key=lambda hold: hold.nanodollars, default=Hold(0, question.input_tokens, 0))


def _hold_at(question: Question, price: CompiledPrice, left: int | None) -> Hold:
    return hold_for(
        body_bytes=question.input_tokens * BYTES_PER_TOKEN,
        context_window=price.context_window,
        max_output_tokens=question.max_output_tokens,
        candidates=1,
        stream=question.stream,
        cost_of=lambda input_tokens, output_tokens: pricing.worst_case(price, input_tokens, output_tokens),
        left_nanodollars=left,
    )


def check_levels(demand: Demand, levels: Sequence[LevelState], hold: Hold) -> None:
    """Raises BudgetExceeded or RateLimited where a level would refuse; as the stores decide."""
    budgets = {(budget.budget_id, budget.period): budget for budget in demand.budgets}
    for level in levels:
        if level.kind == "budget":
            _check_budget(budgets[level.id, level.period], level, hold)
        elif _refuses(level, hold):
            kind = level.kind.replace("_", " ")
            raise RateLimited(f"The limit of {level.limit} {kind} of {level.name} is reached.")


def _check_budget(budget: BudgetDemand, level: LevelState, hold: Hold) -> None:
    """Less than the whole hold will do, as long as it is worth a call."""
    least = min(hold.least_nanodollars, hold.nanodollars)
    if level.hard and hold.nanodollars and level.spent + level.held + least > level.limit:
        raise budget_refusal(budget, level.spent, level.held, level.calls_in_flight, hold.nanodollars)


def _refuses(level: LevelState, hold: Hold) -> bool:
    asked = {
        "tokens": hold.tokens,
        "output_tokens": hold.counted_output_tokens,
        "input_tokens": hold.tokens - hold.counted_output_tokens,
    }.get(level.kind)
    if asked is None:
        return level.spent >= level.limit
    # A call larger than the whole limit may pass alone: it could never pass otherwise.
    return bool(level.spent) and level.spent + asked > level.limit


def plan_of(question: Question, around: Surroundings, model: ModelEntry) -> Plan:
    """The deployments in the order they are likeliest to be tried."""
    return planning.plan(model, question.model, around.cooling, around.now_s, lambda: 0.0)


def explain(question: Question, around: Surroundings, limits: Limits) -> Finding:
    """As far as the call would get, and what would end it."""
    finding = Finding()
    try:
        model = find_model(question, around)
        finding.model = model.name
        demand, levels = limits(model)
        hard = [level.limit - level.spent - level.held for level in levels if _binds(level)]
        finding.hold = hold_of(question, around, model, demand, max(0, min(hard)) if hard else None)
        finding.plan = plan_of(question, around, model)
        check_levels(demand, levels, finding.hold)
        if not finding.plan.steps:
            raise NoDeployment(retry_after_s=finding.plan.retry_after_s)
    except GatehouseError as refusal:
        finding.refusal = refusal
    return finding


def _binds(level: LevelState) -> bool:
    return level.kind == "budget" and level.hard


def shown_refusal(refusal: GatehouseError | None) -> dict[str, Any] | None:
    """A refusal as the API tells it."""
    if refusal is None:
        return None
    resets = refusal.headers.get("x-gatehouse-resets-at")
    return {
        "code": refusal.code,
        "status": refusal.status_code,
        "detail": refusal.detail,
        "retry_after_s": refusal.retry_after_s,
        "resets_at": resets,
    }
