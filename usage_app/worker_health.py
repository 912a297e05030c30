"""How deployments are doing right now, as the worker that answers has seen it; nobody is asked."""

import math
import time
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest


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
        cooling = self._health.cooling.get(deployment_id)
        left = max(0, math.ceil(cooling.until_s - time.monotonic())) if cooling else 0
        return NowOf(left, cooling.cause if left else "", self._health.tokens_per_s(deployment_id, 0.0))
