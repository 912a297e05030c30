"""A test request's way into the ledger: a journal of its own, written before anything is sent."""

from gateway_project.clock import now_ms, uuid7
from gateway_project.conf import config
from gateway_project.errors import GatehouseError
from proxy_app.catalogue import DeploymentEntry
from proxy_app.probe_result import ProbeResult, failed
from proxy_app.settling import tokens_of
from proxy_app.wire import Observed
from usage_app import pricing
from usage_app.journal import JournalWriter, new_worker_id
from usage_app.pricebook import PriceSection
from usage_app.records import AttemptBegun, AttemptEnded, Begin, Caller, End, Status, Tokens

ENDPOINT = "chat.completions"
FORMAT = "openai_chat"


class ProbeRecord:
    """One test request: `begin`, then exactly one of `succeed` and `fail`, then `close`."""

    def __init__(self, deployment: DeploymentEntry, model: str, upstream_model: str, actor: str) -> None:
        self.id = str(uuid7())
        self._deployment = deployment
        self._model = model
        self._upstream_model = upstream_model
        self._caller = Caller(key_name="test request", user_name=actor, client="gatehouse-admin")
        self._at_ms = now_ms()
        self._price = (
            PriceSection()
            .load()
            .find(deployment.id, deployment.provider.price_kind, upstream_model, self._at_ms)
        )
        self._journal = JournalWriter(config().journal_dir, new_worker_id())

    def begin(self) -> None:
        """Open the journal and say that a call begins; raises JournalFull on a full disk."""
        self._journal.open()
        self._journal.append(
            Begin(self.id, self._at_ms, self._caller, ENDPOINT, FORMAT, stream=False, model=self._model)
        )
        provider = self._deployment.provider
        self._journal.append(
            AttemptBegun(
                self.id,
                1,
                self._at_ms,
                self._deployment.id,
                self._deployment.name,
                provider.id,
                provider.name,
                self._upstream_model,
                self._price.id if self._price else "",
            )
        )

    def succeed(self, observed: Observed, text: str, duration_ms: float) -> ProbeResult:
        """The answer came: tokens and cost as the provider reported them."""
        tokens = tokens_of(observed.usage) if observed.usage else Tokens()
        cost = pricing.cost(self._price, tokens) if self._price else None
        finish = str(observed.finish) if observed.finish else ""
        self._end(self._attempt("ok", 200, duration_ms, tokens, cost), finish)
        return ProbeResult(
            True,
            f"{self._deployment.name} answered.",
            duration_ms=duration_ms,
            text=text,
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            cost_nanodollars=cost,
            request_id=self.id,
        )

    def fail(self, error: GatehouseError, duration_ms: float) -> ProbeResult:
        """No answer: costs nothing that anybody reported."""
        status = getattr(error, "status", None) or error.status_code
        self._end(self._attempt("error", status, duration_ms, Tokens(), 0, error))
        return failed(error, duration_ms, self.id)

    def close(self) -> None:
        self._journal.close()

    def _end(self, attempt: AttemptEnded, finish: str = "") -> None:
        self._journal.append(
            End(
                self.id,
                self._at_ms,
                now_ms(),
                self._caller,
                ENDPOINT,
                FORMAT,
                stream=False,
                model=self._model,
                served_model=self._model if attempt.status == "ok" else "",
                deployment_id=attempt.deployment_id,
                deployment=attempt.deployment,
                provider_id=attempt.provider_id,
                provider=attempt.provider,
                upstream_model=self._upstream_model,
                status=attempt.status,
                http_status=attempt.http_status or 0,
                error_code=attempt.error_code,
                error_detail=attempt.error_detail,
                finish_reason=finish,
                tokens=attempt.tokens,
                usage_source="provider" if attempt.tokens.input_tokens is not None else "none",
                cost_nanodollars=attempt.cost_nanodollars,
                price_id=self._price.id if self._price else "",
                latency_ms=attempt.duration_ms,
                attempts=[attempt],
                decision={"reason": "A test request from the admin: this deployment and no other."},
            )
        )

    def _attempt(
        self,
        status: Status,
        http_status: int,
        duration_ms: float,
        tokens: Tokens,
        cost: int | None,
        error: GatehouseError | None = None,
    ) -> AttemptEnded:
        provider = self._deployment.provider
        return AttemptEnded(
            number=1,
            at_ms=self._at_ms,
            deployment_id=self._deployment.id,
            deployment=self._deployment.name,
            provider_id=provider.id,
            provider=provider.name,
            upstream_model=self._upstream_model,
            status=status,
            http_status=http_status,
            error_code=error.code if error else "",
            error_detail=error.detail[:500] if error else "",
            duration_ms=duration_ms,
            tokens=tokens,
            cost_nanodollars=cost,
        )
