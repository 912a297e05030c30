"""Steps 3 and 4: may this key use this model, and is there room at every level at once.

A fallback target passes the same two steps as itself, under the same reservation.
"""

import asyncio
from collections.abc import Callable

import msgspec

from gateway_project.clock import now_ms
from gateway_project.errors import (
    GatehouseError,
    LimitReached,
    LimitsUnavailable,
    ModelNotAllowed,
    UnknownModel,
    UnpricedModel,
)
from keys_app import demanding, policy
from keys_app.limits.contract import NO_DEMAND, UNLIMITED, Demand, Grant, LimitStore, RateDemand
from keys_app.limits.estimate import Hold, covered_output, hold_for
from proxy_app.call import Call
from proxy_app.catalogue import Catalogue, DeploymentEntry, ModelEntry
from proxy_app.formats import exchange
from proxy_app.others_named import refuse_others
from proxy_app.planning import Step, fill
from proxy_app.service_tiers import asked_tier
from usage_app import pricing
from usage_app.pricing import CompiledPrice
from usage_app.records import Charge

LOADING_S = 2.0
LOOK_S = 0.05


async def authorise_model(call: Call) -> None:
    """Step 3: the model exists, in the newest picture, and the key may use it."""
    asked = call.facts.model
    catalogue: Catalogue = call.snapshot.sections["catalogue"]
    model = catalogue.find(asked)
    if model is None:
        call.snapshot = await call.services.keeper.refresh_on_miss()
        catalogue = call.snapshot.sections["catalogue"]
        model = catalogue.find(asked)
    if model is None:
        raise UnknownModel(_unknown(call, catalogue), param="model")
    # An alias is the model it stands for: a key that may use either name may use it.
    allowed = policy.may_use_model(call.principal, asked) or policy.may_use_model(call.principal, model.name)
    if not allowed:
        raise ModelNotAllowed(f"This key may not use the model '{asked[:200]}'.", param="model")
    refuse_others(call.principal, call.body)
    call.model = model


async def admit(call: Call) -> None:
    """Step 4: reserve requests, tokens and money at every level; raises RateLimited, BudgetExceeded."""
    assert call.model is not None
    await _reserve(call, call.model, call.facts.model)
    call.mark("admitted")


async def admit_free(call: Call) -> None:
    """Step 4 of what costs nothing: rate limits count it, budgets do not."""
    assert call.model is not None
    demand = _demand(call, call.model)
    if not demand.rates:
        call.admissions.append((NO_DEMAND, UNLIMITED))
        return
    services = call.services
    if services.limits.needs_load:
        await until_loaded(services.limits)
    call.grant = await _ask(call, Demand((), demand.rates), Hold(0, 0, 0))
    call.limit_headers = call.grant.headers
    call.mark("admitted")


def refuse_under_budget(call: Call, why: str) -> None:
    """Raise UnpricedModel for what nobody can price, where a hard budget binds the call."""
    assert call.model is not None
    if _demand(call, call.model).has_hard_budget and not call.principal.key.allows_unpriced:
        raise UnpricedModel(f"{why}, so a key with a budget may not use it.")


async def move_to_fallback(call: Call, target: ModelEntry, name: str) -> bool:
    """Whether a fallback target may take the call over: allowed, and admitted as itself."""
    if not policy.may_use_model(call.principal, name):
        return False
    try:
        await _reserve(call, target, name)
    except GatehouseError:
        return False
    call.fell_back_to = name
    return True


def _demand(call: Call, model: ModelEntry) -> Demand:
    providers = {deployment.provider.name for deployment in model.deployments}
    return demanding.demand(
        call.snapshot,
        call.principal,
        model=model.name,
        provider=providers.pop() if len(providers) == 1 else "",
        end_user=call.claims.end_user,
        now_ms=call.arrived_ms,
    )


async def _reserve(call: Call, model: ModelEntry, name: str) -> None:
    demand = _demand(call, model)
    if demand.is_empty:
        call.admissions.append((NO_DEMAND, UNLIMITED))
        return
    grant, hold = await _hold_at_all(call, model, name, demand)
    call.limit_headers = grant.headers
    if hold.output_cap is not None:
        _cap_output(call, hold.output_cap)
    call.charges = _united(call.charges, demand)


async def admit_step(call: Call, step: Step) -> None:
    """The levels of one deployment and its provider, under the same reservation; raises LimitReached.

    A deployment that was tried before and failed is not charged: its levels are let go at the end.
    """
    demand = demanding.step_demand(
        call.snapshot,
        call.principal,
        provider=step.deployment.provider.name,
        deployment=step.deployment.name,
        now_ms=call.arrived_ms,
    )
    if (own := own_limit(step.deployment)) is not None:
        demand = Demand(demand.budgets, (*demand.rates, own))
    if demand.is_empty and not call.step_charges:
        return
    former = set(call.step_charges)
    base = tuple(charge for charge in call.charges if charge not in former)
    held = {(charge.budget_id, charge.period) for charge in base}
    budgets = tuple(one for one in demand.budgets if (one.budget_id, one.period) not in held)
    demand = Demand(budgets, demand.rates)
    if not demand.is_empty:
        grant, hold = await _hold_at_all(call, step.model, call.fell_back_to or call.facts.model, demand)
        call.limit_headers = {**grant.headers, **call.limit_headers}
        if hold.output_cap is not None:
            _cap_output(call, hold.output_cap)
    call.charges = _united(base, demand)
    call.step_charges = tuple(charge for charge in call.charges if charge not in base)
    if call.begin is not None:
        call.begin.charges, call.begin.held_nanodollars = call.charges, call.held_nanodollars


def own_limit(deployment: DeploymentEntry) -> RateDemand | None:
    """What a deployment's own row allows of all callers together."""
    limits = (deployment.requests_per_minute, deployment.tokens_per_minute, deployment.parallel)
    if limits == (None, None, None):
        return None
    return RateDemand(
        f"deployment:{deployment.id}", "deployment", f"the deployment {deployment.name}", *limits
    )


def _united(charges: tuple[Charge, ...], demand: Demand) -> tuple[Charge, ...]:
    united = {(charge.budget_id, charge.period): charge for charge in charges}
    for budget_id, period in demand.charges:
        united.setdefault((budget_id, period), Charge(budget_id, period))
    return tuple(united.values())


async def _hold_at_all(call: Call, model: ModelEntry, name: str, demand: Demand) -> tuple[Grant, Hold]:
    """Reserve at every level of the demand, and keep what is held."""
    services = call.services
    if services.limits.needs_load:
        await until_loaded(services.limits)
    # A named limit is held as far as it can be; only without one must what is left be known before.
    unnamed = call.facts.max_output_tokens is None
    left = await services.limits.left(demand) if unnamed and demand.has_hard_budget else None
    hold, price = _hold(call, model, name, demand, left)
    grant = await _ask(call, demand, hold)
    held_less = demand.budgets and not grant.unchecked and grant.held_nanodollars < hold.nanodollars
    if price is not None and held_less:
        hold = _reduced(call, hold, price, grant.held_nanodollars)
    is_first = call.grant is None or not call.held_nanodollars
    call.grant = grant
    call.held_nanodollars = max(call.held_nanodollars, grant.held_nanodollars)
    call.covered_tokens = hold.output_tokens if is_first else min(call.covered_tokens, hold.output_tokens)
    return grant, hold


async def _ask(call: Call, demand: Demand, hold: Hold) -> Grant:
    """Reserve, and note how each level stood; or which one refused."""
    try:
        grant = await call.services.limits.reserve(
            call.id,
            demand,
            hold.nanodollars,
            hold.tokens,
            now_ms(),
            hold.counted_output_tokens,
            hold.least_nanodollars,
        )
    except LimitReached as error:
        if error.allowance is not None:
            call.refusals.append(error.allowance)
        raise
    call.admissions.append((demand, grant))
    return grant


async def until_loaded(limits: LimitStore) -> None:
    """A worker that has just started reads its limits back: a moment's wait beats a refusal, and being let
    through unchecked where limits fail open. Raises LimitsUnavailable where they do not."""
    for _ in range(int(LOADING_S / LOOK_S)):
        if limits.fails_open and limits.is_away:
            return
        await asyncio.sleep(LOOK_S)
        if not limits.needs_load:
            return
    if limits.fails_open:
        return
    raise LimitsUnavailable("The limits are being read back from the ledger.", retry_after_s=2)


def _reduced(call: Call, hold: Hold, price: CompiledPrice, held: int) -> Hold:
    """Less was left than the call asked for: its output is capped to what that pays for.

    A stream needs no cap: it tops up as it goes, and is ended where nothing more is to be had.
    """
    if call.facts.most is not None:
        return hold
    covered = covered_output(_costing(price), len(call.raw), price.context_window, 0, held)
    covered = min(covered, hold.output_tokens)
    cap = None if call.facts.stream else max(covered // max(call.facts.candidates, 1), 1)
    return msgspec.structs.replace(hold, output_tokens=covered, output_cap=cap)


def _hold(
    call: Call, model: ModelEntry, name: str, demand: Demand, left: int | None
) -> tuple[Hold, CompiledPrice | None]:
    """What may be spent before we can act, at the dearest deployment that may take the call."""
    found = _prices(call, model, name)
    prices = [price for price in found if price is not None and _can_charge(price, call)]
    unpriced = len(prices) < len(found)
    if unpriced and demand.has_hard_budget and not call.principal.key.allows_unpriced:
        raise UnpricedModel(f"The model '{name[:200]}' has no price, so a key with a budget may not use it.")
    holds = [(_hold_at(call, price, left), price) for price in prices]
    return max(holds, key=lambda each: each[0].nanodollars, default=(Hold(0, call.input_estimate, 0), None))


def _can_charge(price: CompiledPrice, call: Call) -> bool:
    """Whether a price bills by something that this kind of call is measured in."""
    if price.by_tokens or price.is_free or price.request_nanodollars:
        return True
    most = call.facts.most
    return most is not None and any(price.dearest_unit_rate(unit) for unit in most.units)


def _hold_at(call: Call, price: CompiledPrice, left: int | None) -> Hold:
    most, likely = call.facts.most, call.facts.likely
    if most is not None:
        whole = pricing.worst_case(price, most.input_tokens or 0, most.output_tokens or 0, most.units)
        usual = most if likely is None or likely.input_tokens is None else likely
        least = pricing.worst_case(price, usual.input_tokens or 0, usual.output_tokens or 0, usual.units)
        return Hold(whole, call.input_estimate, 0, least_nanodollars=min(least, whole))
    return hold_for(
        body_bytes=len(call.raw),
        context_window=price.context_window,
        max_output_tokens=call.facts.max_output_tokens,
        candidates=call.facts.candidates,
        stream=call.facts.stream,
        cost_of=_costing(price),
        left_nanodollars=left,
    )


def _costing(price: CompiledPrice) -> Callable[[int, int], int]:
    return lambda input_tokens, output_tokens: pricing.worst_case(price, input_tokens, output_tokens)


def _cap_output(call: Call, cap: int) -> None:
    """An unnamed output limit is named, so that one plain call cannot eat the budget; a header says so."""
    call.raw, call.body = exchange.name_output_limit(call.body_format, call.raw, call.body, cap)
    call.facts.max_output_tokens = cap
    call.limit_headers = {**call.limit_headers, "x-gatehouse-output-cap": str(cap)}


def _prices(call: Call, model: ModelEntry, name: str) -> list[CompiledPrice | None]:
    """Of each deployment, in the usual tier and in the one that is asked for: it may not be had."""
    book = call.snapshot.sections["prices"]
    return [
        book.find(
            deployment.priced_as,
            deployment.provider.price_kind,
            fill(model.name, deployment.upstream_model, name),
            call.arrived_ms,
            tier,
        )
        for tier in dict.fromkeys(("", asked_tier(call.body)))
        for deployment in model.deployments
        if call.operation is None
        or any(name in call.operation.routes for name in deployment.provider.formats)
    ]


def _unknown(call: Call, catalogue: Catalogue) -> str:
    asked = call.facts.model[:200]
    names = policy.allowed_names(call.principal, catalogue.names())
    near = policy.nearest_names(asked, names)
    hint = f" Did you mean {', '.join(repr(name) for name in near)}?" if near else ""
    return f"There is no model '{asked}' here.{hint}"
