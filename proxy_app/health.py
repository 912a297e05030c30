"""How deployments have been doing: cooldowns (shared by `health_sharing`) and recent speed in this worker."""

from dataclasses import dataclass, field

from gateway_project.errors import GatehouseError, UpstreamFailed, UpstreamRefused
from proxy_app.planning import Cooling

FIRST_COOLDOWN_S = 2.0
LONGEST_COOLDOWN_S = 60.0
FAILURES_BEFORE_COOLDOWN = 3
_KEEP = 0.8  # weight of the past in a moving average
MOST = 5_000  # models of wildcards are named by callers: the oldest are forgotten


@dataclass(slots=True)
class _Record:
    failures: int = 0  # in a row
    tokens_per_s: float = 0.0


@dataclass(slots=True)
class Health:
    """Written by the pipeline after each attempt, read by planning, by names of `planning.cooled_as`. Times
    on the monotonic clock."""

    cooling: dict[str, Cooling] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)  # cooled or well again here, and not yet told the others
    _records: dict[str, _Record] = field(default_factory=dict)

    def failed(self, name: str, error: GatehouseError, now_s: float) -> None:
        """Cool a deployment down when the failure was its own; a caller's error never does."""
        if not isinstance(error, UpstreamFailed):
            return
        if isinstance(error, UpstreamRefused) and not error.can_retry:
            return
        record = self._record(name)
        record.failures += 1
        if error.upstream_status == 429:
            self._cool(name, error.retry_after_s or FIRST_COOLDOWN_S, "429", now_s)
        elif record.failures >= FAILURES_BEFORE_COOLDOWN:
            doublings = min(record.failures - FAILURES_BEFORE_COOLDOWN, 10)
            wait = min(FIRST_COOLDOWN_S * 2**doublings, LONGEST_COOLDOWN_S)
            cause = str(error.upstream_status or error.code)
            self._cool(name, wait, f"{record.failures} failures in a row ({cause})", now_s)

    def succeeded(self, name: str, output_tokens: int, generating_s: float) -> None:
        """A whole answer came: forget the failures, remember the speed."""
        record = self._record(name)
        record.failures = 0
        if self.cooling and self.cooling.pop(name, None) is not None:
            self.changed.add(name)
        if generating_s > 0.05 and output_tokens > 0:
            speed = output_tokens / generating_s
            past = record.tokens_per_s
            record.tokens_per_s = speed if not past else past * _KEEP + speed * (1 - _KEEP)

    def tokens_per_s(self, name: str, default: float = 50.0) -> float:
        """Recent output speed of a deployment."""
        record = self._records.get(name)
        return record.tokens_per_s if record and record.tokens_per_s else default

    def cool(self, name: str, until_s: float, cause: str) -> bool:
        """A later end extends the cooldown; an earlier one never cuts it. Returns whether it was later."""
        present = self.cooling.get(name)
        if present is not None and until_s <= present.until_s:
            return False
        if present is None and len(self.cooling) >= MOST:
            self.cooling.pop(next(iter(self.cooling)))
        self.cooling[name] = Cooling(until_s, cause)
        return True

    def _record(self, name: str) -> _Record:
        record = self._records.get(name)
        if record is None:
            if len(self._records) >= MOST:
                del self._records[next(iter(self._records))]
            record = self._records[name] = _Record()
        return record

    def _cool(self, name: str, wait_s: float, cause: str, now_s: float) -> None:
        if self.cool(name, now_s + wait_s, cause):
            self.changed.add(name)
