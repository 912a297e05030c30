"""Which deployments serve a call, in which order, and why. Pure.

The same arguments give the same plan; chance arrives as numbers. A plan is also what the request's
page shows, so every deployment that was looked at carries its reason.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from proxy_app.catalogue import DeploymentEntry, ModelEntry
from proxy_app.providers.readiness import PROBLEMS

NO_ENDPOINT = "its provider does not have this endpoint"
ELSEWHERE = "another provider keeps what this call goes on from"


@dataclass(frozen=True, slots=True)
class Cooling:
    """A deployment that is left alone for a while."""

    until_s: float  # on the clock that `plan` is given
    cause: str  # e.g. '429' or 'upstream_timeout'


class Step(msgspec.Struct, frozen=True):
    """One deployment to try. `upstream_model` has its wildcard filled in."""

    model: ModelEntry
    deployment: DeploymentEntry
    upstream_model: str
    reason: str


class LeftOut(msgspec.Struct, frozen=True):
    deployment: DeploymentEntry
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """Steps in the order they are tried. With no step, `retry_after_s` says when one may be back."""

    strategy: str
    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...] = ()
    retry_after_s: float | None = None

    @property
    def is_unserved(self) -> bool:
        """No step, because of providers that do not have the endpoint."""
        return not self.steps and any(left.reason == NO_ENDPOINT for left in self.left_out)

    def decision(self) -> dict[str, Any]:
        """The plan as the request's row keeps it."""
        candidates = [
            _candidate(step.deployment, index == 0, step.reason) for index, step in enumerate(self.steps)
        ]
        candidates += [_candidate(left.deployment, False, left.reason) for left in self.left_out]
        return {"strategy": self.strategy, "candidates": candidates}


def plan(
    model: ModelEntry,
    asked: str,
    cooling: Mapping[str, Cooling],
    now_s: float,
    chance: Callable[[], float],
) -> Plan:
    """Order a model's deployments: lower `order` first, equal ones by chance and weight."""
    usable: list[DeploymentEntry] = []
    left_out: list[LeftOut] = []
    soonest: float | None = None
    for deployment in model.deployments:
        reason = _unusable(deployment)
        cooled = cooling.get(_cooled_as(model, deployment, asked)) if cooling else None
        if reason is None and cooled is not None and cooled.until_s > now_s:
            wait = cooled.until_s - now_s
            soonest = wait if soonest is None else min(soonest, wait)
            reason = f"cooling down for {wait:.0f} s more after {cooled.cause}"
        if reason is None:
            usable.append(deployment)
        else:
            left_out.append(LeftOut(deployment, reason))
    steps = tuple(
        Step(model, deployment, fill(model.name, deployment.upstream_model, asked), reason)
        for deployment, reason in _ordered(usable, model.strategy, chance)
    )
    return Plan(model.strategy, steps, tuple(left_out), None if steps else soonest)


def _cooled_as(model: ModelEntry, deployment: DeploymentEntry, asked: str) -> str:
    return cooled_as(deployment, fill(model.name, deployment.upstream_model, asked))


def cooled_as(deployment: DeploymentEntry, upstream_model: str) -> str:
    """What cools down when a call fails: a deployment, or of one that serves many models that model alone."""
    return f"{deployment.id}:{upstream_model}" if "*" in deployment.upstream_model else deployment.id


def only_speakers(plan: Plan, formats: Collection[str]) -> Plan:
    """The plan without providers that speak none of these formats."""
    kept = tuple(
        step for step in plan.steps if any(name in formats for name in step.deployment.provider.formats)
    )
    others = tuple(LeftOut(step.deployment, NO_ENDPOINT) for step in plan.steps if step not in kept)
    return Plan(plan.strategy, kept, (*plan.left_out, *others), plan.retry_after_s)


def only_at(plan: Plan, provider_id: str) -> Plan:
    """The plan without all providers but one."""
    kept = tuple(step for step in plan.steps if step.deployment.provider.id == provider_id)
    others = tuple(LeftOut(step.deployment, ELSEWHERE) for step in plan.steps if step not in kept)
    return Plan(plan.strategy, kept, (*plan.left_out, *others), plan.retry_after_s)


def fill(pattern: str, upstream_model: str, asked: str) -> str:
    """Put what a wildcard matched in place of the deployment's own *."""
    if "*" not in upstream_model:
        return upstream_model
    matched = asked[len(pattern) - 1 :] if pattern.endswith("*") else asked
    return upstream_model.replace("*", matched, 1)


def _unusable(deployment: DeploymentEntry) -> str | None:
    problem = PROBLEMS.get(deployment.provider.credential_state)
    return f"its provider {problem}" if problem is not None else None


def _ordered(
    usable: Sequence[DeploymentEntry], strategy: str, chance: Callable[[], float]
) -> list[tuple[DeploymentEntry, str]]:
    if len(usable) == 1:
        return [(usable[0], "the only deployment that can be used")]
    result: list[tuple[DeploymentEntry, str]] = []
    for order in sorted({deployment.order for deployment in usable}):
        group = [deployment for deployment in usable if deployment.order == order]
        if strategy == "in_order":
            result += [(deployment, f"order {order}") for deployment in group]
        else:
            result += _by_weight(group, chance)
    return result


def _by_weight(
    group: list[DeploymentEntry], chance: Callable[[], float]
) -> list[tuple[DeploymentEntry, str]]:
    """Draw without putting back. Weight 0: only when nothing else is left, in the given order."""
    drawn: list[tuple[DeploymentEntry, str]] = []
    rest = [deployment for deployment in group if deployment.weight > 0]
    everything = sum(deployment.weight for deployment in rest)
    while rest:
        point = chance() * sum(deployment.weight for deployment in rest)
        for deployment in rest:
            point -= deployment.weight
            if point < 0:
                break
        rest.remove(deployment)
        drawn.append((deployment, f"weight {deployment.weight} of {everything}"))
    spare = [deployment for deployment in group if deployment.weight <= 0]
    return drawn + [(deployment, "weight 0: only when nothing else is left") for deployment in spare]


def _candidate(deployment: DeploymentEntry, chosen: bool, reason: str) -> dict[str, Any]:
    return {
        "deployment": deployment.name,
        "provider": deployment.provider.name,
        "chosen": chosen,
        "reason": reason,
    }
