"""The one tree of errors. Each leaf is a condition with a status, a code and a sentence.

GatehouseError
    BadRequest            400  InvalidBody, ForbiddenParameter, UnsupportedContent, UnsupportedParameter,
                               UnknownFormer
    InvalidKey            401  MissingKey, KeyExpired, KeyBlocked, IdentityNotProven
    NotAllowed            403  ModelNotAllowed, EndpointNotAllowed, AddressNotAllowed
    NotFound              404  UnknownModel, UnknownPath, UnknownObject, NotServed
    MethodNotAllowed      405
    SlowBody              408
    BodyTooLarge          413
    UnsupportedEncoding   415
    LimitReached          429  RateLimited, BudgetExceeded, UnpricedModel (403)
    Unavailable           503  Overloaded, NotReady, LimitsUnavailable, NoDeployment, JournalFull
    UpstreamFailed        502  UpstreamRefused, CredentialRefused, UpstreamUnreachable, UpstreamCut,
                               UpstreamInvalid, UpstreamTimeout (504), UpstreamAddressRefused
    CallEnded             499  ClientGone, CallStopped, Draining (503)
    InternalFault         500

Errors are raised where the condition arises and rendered in the caller's dialect in one place
(`proxy_app.formats.*.errors`). `ERROR_CATALOGUE` is the table the docs are checked against.
Third-party exceptions are mapped where they arise and never travel. Standard library only.
"""

from typing import Any, ClassVar, Literal

Fault = Literal["caller", "admin", "provider", "gateway"]


class GatehouseError(Exception):
    """Base of everything a caller can be told. `detail` is one sentence, safe to show."""

    status_code: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    default_detail: ClassVar[str] = "The gateway failed."
    remedy: ClassVar[str] = "Try again; if it goes on, give the request id to an administrator."
    fault: ClassVar[Fault] = "gateway"
    retryable: ClassVar[bool] = False  # may the gateway try the next deployment?

    def __init__(
        self,
        detail: str | None = None,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.default_detail
        self.param = param
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        super().__init__(self.detail)


class BadRequest(GatehouseError):
    status_code = 400
    code = "invalid_request"
    default_detail = "The request is not valid."
    remedy = "Correct the request as the message says."
    fault: ClassVar[Fault] = "caller"


class InvalidBody(BadRequest):
    code = "invalid_body"
    default_detail = "The body is not a JSON object."


class ForbiddenParameter(BadRequest):
    code = "forbidden_parameter"
    default_detail = "This parameter is set by the gateway's administrator, never by a caller."
    remedy = "Remove the parameter."


class UnsupportedContent(BadRequest):
    code = "unsupported_content"
    default_detail = "A part of the content cannot be carried to this model."
    remedy = "Remove the named part or choose a model that takes it."


class UnsupportedParameter(BadRequest):
    code = "unsupported_parameter"
    default_detail = "A parameter cannot be carried to this model."
    remedy = "Remove the named parameter or choose a model that takes it."


class UnknownFormer(BadRequest):
    code = "previous_response_not_found"
    default_detail = "There is no such response that this key may go on from."
    remedy = "Name a stored response of the same service (or user) and environment, or send the whole input."


class InvalidKey(GatehouseError):
    status_code = 401
    code = "invalid_api_key"
    default_detail = "The API key is not known here."
    remedy = "Use a virtual key issued by this gateway."
    fault: ClassVar[Fault] = "caller"


class IdentityNotProven(InvalidKey):
    code = "identity_not_proven"
    default_detail = "The signed identity of this call is not valid."
    remedy = "Sign each call anew with the identity secret of this key, or send no signature."


class MissingKey(InvalidKey):
    code = "missing_api_key"
    default_detail = "No API key was sent."
    remedy = "Send a virtual key as 'Authorization: Bearer', 'x-api-key' or 'x-goog-api-key'."


class KeyExpired(InvalidKey):
    code = "key_expired"
    default_detail = "This API key has expired."
    remedy = "Ask the key's owner or an administrator for a new one."


class KeyBlocked(InvalidKey):
    code = "key_blocked"
    default_detail = "This API key is blocked."
    remedy = "Ask the key's owner or an administrator."


class NotAllowed(GatehouseError):
    status_code = 403
    code = "not_allowed"
    default_detail = "This key may not do that."
    remedy = "Ask an administrator to widen the key's permissions."
    fault: ClassVar[Fault] = "caller"


class ModelNotAllowed(NotAllowed):
    code = "model_not_allowed"
    default_detail = "This key may not use that model."


class EndpointNotAllowed(NotAllowed):
    code = "endpoint_not_allowed"
    default_detail = "This key may not use that endpoint."


class AddressNotAllowed(NotAllowed):
    code = "address_not_allowed"
    default_detail = "This key may not be used from this network address."


class NotFound(GatehouseError):
    status_code = 404
    code = "not_found"
    default_detail = "There is nothing here."
    remedy = "Check the address."
    fault: ClassVar[Fault] = "caller"


class UnknownModel(NotFound):
    code = "model_not_found"
    default_detail = "There is no such model."
    remedy = "Use a model from GET /v1/models."


class UnknownPath(NotFound):
    code = "unknown_path"
    default_detail = "There is no such endpoint."
    remedy = "Check the base address: for OpenAI clients it ends in /v1."


class UnknownObject(NotFound):
    code = "object_not_found"
    default_detail = "There is no such stored object that this key may see."
    remedy = (
        "Use an id that a call with a key of the same service (or user) was given, in the same environment."
    )


class NotServed(NotFound):
    code = "endpoint_not_served"
    default_detail = "No provider of this model has this endpoint."
    remedy = "Choose a model whose provider has it, or do without it."


class MethodNotAllowed(GatehouseError):
    status_code = 405
    code = "method_not_allowed"
    default_detail = "This endpoint does not take that method."
    remedy = "Use the method named in the Allow header."
    fault: ClassVar[Fault] = "caller"


class SlowBody(GatehouseError):
    status_code = 408
    code = "request_timeout"
    default_detail = "The request body did not arrive in time."
    remedy = "Send the whole body without pausing."
    fault: ClassVar[Fault] = "caller"


class BodyTooLarge(GatehouseError):
    status_code = 413
    code = "body_too_large"
    default_detail = "The request body is larger than this endpoint takes."
    remedy = "Send less in one request."
    fault: ClassVar[Fault] = "caller"


class UnsupportedEncoding(GatehouseError):
    status_code = 415
    code = "unsupported_encoding"
    default_detail = "The request body is compressed in a way that is not read here."
    remedy = "Send gzip, deflate or zstd (where it is installed), or the JSON as it is."
    fault: ClassVar[Fault] = "caller"


class LimitReached(GatehouseError):
    status_code = 429
    code = "limit_reached"
    default_detail = "A limit is reached."
    remedy = "Wait as the message says, or ask an administrator for more."
    fault: ClassVar[Fault] = "caller"
    allowance: Any = None  # the limit that refused, as it stood (`keys_app.limits.allowances`)


class RateLimited(LimitReached):
    code = "rate_limit_exceeded"
    default_detail = "A rate limit is reached."


class BudgetExceeded(LimitReached):
    code = "budget_exceeded"
    default_detail = "A budget is used up."
    remedy = "Wait for the budget's next period or ask an administrator for more."


class UnpricedModel(LimitReached):
    status_code = 403
    code = "unpriced_model"
    default_detail = "This model has no price, so a key with a budget may not use it."
    remedy = "Ask an administrator to set a price or to allow unpriced models for the key."
    fault: ClassVar[Fault] = "admin"


class Unavailable(GatehouseError):
    status_code = 503
    code = "unavailable"
    default_detail = "The gateway cannot take this call now."
    remedy = "Try again after the time in Retry-After."


class Overloaded(Unavailable):
    code = "overloaded"
    default_detail = "The gateway has as many calls in flight as it may hold."


class NotReady(Unavailable):
    code = "not_ready"
    default_detail = "The gateway is starting or cannot reach its database."


class LimitsUnavailable(Unavailable):
    code = "limits_unavailable"
    default_detail = "Limits cannot be checked now, and this key has limits."


class JournalFull(Unavailable):
    code = "journal_full"
    default_detail = "The gateway cannot record calls now, so it takes none."
    remedy = "An administrator must free disk space in the data folder."


class NoDeployment(Unavailable):
    code = "no_deployment"
    default_detail = "No provider that serves this model can be used now."
    remedy = "An administrator must connect a provider for this model, or wait until one recovers."
    fault: ClassVar[Fault] = "admin"


class UpstreamFailed(GatehouseError):
    status_code = 502
    code = "upstream_failed"
    default_detail = "The provider failed."
    remedy = "Try again later."
    fault: ClassVar[Fault] = "provider"
    retryable = True

    def __init__(
        self,
        detail: str | None = None,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
        upstream_status: int | None = None,
    ) -> None:
        super().__init__(detail, param=param, retry_after_s=retry_after_s, headers=headers)
        self.upstream_status = upstream_status


class UpstreamRefused(UpstreamFailed):
    """The provider answered with an error of the caller's making (400, 404, 413, 422) or a 429/5xx.

    `status` is what the caller is told; `upstream_type`/`upstream_code` are the provider's words.
    """

    code = "upstream_refused"
    default_detail = "The provider refused the request."
    remedy = "Correct the request as the provider's message says."

    def __init__(
        self,
        detail: str | None = None,
        *,
        status: int,
        upstream_type: str = "",
        upstream_code: str = "",
        can_retry: bool = False,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(
            detail, param=param, retry_after_s=retry_after_s, headers=headers, upstream_status=status
        )
        self.status = status
        self.upstream_type = upstream_type
        self.upstream_code = upstream_code
        self.can_retry = can_retry


class CredentialRefused(UpstreamFailed):
    code = "credential_refused"
    default_detail = "The provider refused the gateway's credential."
    remedy = "An administrator must renew the provider's credential."
    fault: ClassVar[Fault] = "admin"


class UpstreamUnreachable(UpstreamFailed):
    code = "upstream_unreachable"
    default_detail = "The provider cannot be reached."


class UpstreamAddressRefused(UpstreamFailed):
    code = "upstream_address_refused"
    default_detail = "The provider's address is one the gateway must not call."
    remedy = "An administrator must allow private addresses for this provider."
    fault: ClassVar[Fault] = "admin"


class UpstreamCut(UpstreamFailed):
    code = "upstream_cut"
    default_detail = "The provider ended the answer before it was complete."


class UpstreamInvalid(UpstreamFailed):
    code = "upstream_invalid"
    default_detail = "The provider sent an answer that cannot be read."


class UpstreamTimeout(UpstreamFailed):
    """`phase` is one of connect, first_content, idle, total."""

    status_code = 504
    code = "upstream_timeout"
    default_detail = "The provider took too long."

    def __init__(self, detail: str | None = None, *, phase: str = "total") -> None:
        super().__init__(detail)
        self.phase = phase


class CallEnded(GatehouseError):
    """The call was ended from outside before its answer was complete."""

    status_code = 499
    code = "call_ended"
    default_detail = "The call was ended."
    remedy = "Send the request again."


class ClientGone(CallEnded):
    code = "client_gone"
    default_detail = "The client closed the connection."
    fault: ClassVar[Fault] = "caller"


class CallStopped(CallEnded):
    code = "call_stopped"
    default_detail = "The call was stopped from the dashboard."
    fault: ClassVar[Fault] = "admin"


class Draining(CallEnded):
    status_code = 503
    code = "draining"
    default_detail = "The gateway is shutting down."


class InternalFault(GatehouseError):
    pass


def _leaves(root: type[GatehouseError]) -> list[type[GatehouseError]]:
    found = [root]
    for child in root.__subclasses__():
        found.extend(_leaves(child))
    return found


#: code -> class, for every error a caller can meet.
ERROR_CATALOGUE: dict[str, type[GatehouseError]] = {error.code: error for error in _leaves(GatehouseError)}
