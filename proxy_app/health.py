"""How deployments have been doing: cooldowns (shared by `health_sharing`) and recent speed in this worker."""

from dataclasses import dataclass, field

from gateway_project.errors import GatehouseError, UpstreamFailed, UpstreamRefused
from proxy_app.planning import Cooling

FIRST_COOLDOWN_S = 2.0
LONGEST_COOLDOWN_S = 60.0
FAILURES_BEFORE_COOLDOWN = 3
_KEEP = 0.8  # weight of the past in a moving average


@dataclass(slots=True)
class _Record:
    failures: int = 0  # in a row
    tokens_per_s: float = 0.0


@dataclass(slots=True)
class Health:
    """Written by the pipeline after each attempt, read by planning. Times on the monotonic clock."""

    cooling: dict[str, Cooling] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)  # cooled or well again here, and not yet told the others
    _records: dict[str, _Record] = field(default_factory=dict)

    def failed(self, deployment_id: str, error: GatehouseError, now_s: float) -> None:
        """Cool a deployment down when the failure was its own; a caller's error never does."""
        if not isinstance(error, UpstreamFailed):
            return
        if isinstance(error, UpstreamRefused) and not error.can_retry:
            return
        record = self._records.setdefault(deployment_id, _Record())
        record.failures += 1
        if error.upstream_status == 429:
            self._cool(deployment_id, error.retry_after_s or FIRST_COOLDOWN_S, "429", now_s)
        elif record.failures >= FAILURES_BEFORE_COOLDOWN:
            doublings = min(record.failures - FAILURES_BEFORE_COOLDOWN, 10)
            wait = min(FIRST_COOLDOWN_S * 2**doublings, LONGEST_COOLDOWN_S)
            cause = str(error.upstream_status or error.code)
            self._cool(deployment_id, wait, f"{record.failures} failures in a row ({cause})", now_s)

    def succeeded(self, deployment_id: str, output_tokens: int, generating_s: float) -> None:
        """A whole answer came: forget the failures, remember the speed."""
        record = self._records.setdefault(deployment_id, _Record())
        record.failures = 0
        if self.cooling and self.cooling.pop(deployment_id, None) is not None:
            self.changed.add(deployment_id)
        if generating_s > 0.05 and output_tokens > 0:
            speed = output_tokens / generating_s
            past = record.tokens_per_s
            record.tokens_per_s = speed if not past else past * _KEEP + speed * (1 - _KEEP)

    def tokens_per_s(self, deployment_id: str, default: float = 50.0) -> float:
        """Recent output speed of a deployment."""
        record = self._records.get(deployment_id)
        return record.tokens_per_s if record and record.tokens_per_s else default

    def cool(self, deployment_id: str, until_s: float, cause: str) -> bool:
        """A later end extends the cooldown; an earlier one never cuts it. Returns whether it was later."""
        present = self.cooling.get(deployment_id)
        if present is not None and until_s <= present.until_s:
            return False
        self.cooling[deployment_id] = Cooling(until_s, cause)
        return True

    def _cool(self, deployment_id: str, wait_s: float, cause: str, now_s: float) -> None:
        if self.cool(deployment_id, now_s + wait_s, cause):
            self.changed.add(deployment_id)
