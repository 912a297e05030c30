"""How deployments are doing right now, as the worker that answers has seen it; nobody is asked."""

import math
import time
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from usage_app.decisions import cause_words


@dataclass(frozen=True, slots=True)
class NowOf:
    """A deployment now: seconds of its cooldown that are left (0: none), why, and its recent speed."""

    cooling_s: int = 0
    reason: str = ""
    tokens_per_s: float = 0.0


class WorkerHealth:
    """What this process knows; `is_known` is False where it serves no calls."""

    def __init__(self, request: HttpRequest) -> None:
        services = getattr(request, "scope", {}).get("state", {}).get("services")
        self._health: Any = getattr(services, "health", None)

    @property
    def is_known(self) -> bool:
        return self._health is not None

    def of(self, deployment_id: str) -> NowOf:
        if self._health is None:
            return NowOf()
        health, now_s = self._health, time.monotonic()
        models = f"{deployment_id}:"  # of a wildcard, whose models cool down each by itself
        names = [name for name in health.cooling if name == deployment_id or name.startswith(models)]
        last = max(names, key=lambda name: health.cooling[name].until_s, default="")
        cooling = health.cooling.get(last)
        left = max(0, math.ceil(cooling.until_s - now_s)) if cooling else 0
        cause = cause_words(cooling.cause) if cooling and left else ""
        if left and last != deployment_id:
            cause = f"{last.removeprefix(models)}: {cause}"
        return NowOf(left, cause, health.tokens_per_s(deployment_id, 0.0))
